"""What a trial of a partner looks up: something that can be ordered, and how far its order has come."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg


@dataclass(frozen=True, slots=True)
class Sellable:
    """A SKU that is mapped to a product with an open offer; one item is numerator / denominator units."""

    sku: str
    numerator: int
    denominator: int
    step_milliunits: int


async def find_sellable(
    pool: "asyncpg.Pool[asyncpg.Record]", partner_id: UUID, sku: str | None, now: datetime
) -> Sellable | None:
    """The SKU, or any, of the partner that can be ordered now; the earliest delivery day first."""
    row = await pool.fetchrow(
        "select m.sku, m.factor_numerator, m.factor_denominator, p.step_milliunits "
        "from sku_map m join product p using (product_id) "
        "join offer f on f.product_id = m.product_id and f.state = 'open' and f.cut_off_at > $3 "
        "where m.partner_id = $1 and ($2::text is null or m.sku = $2) order by f.delivery_day, m.sku limit 1",
        partner_id,
        sku,
        now,
    )
    return Sellable(*row) if row else None


async def get_slug(pool: "asyncpg.Pool[asyncpg.Record]", cooperative_id: UUID) -> str | None:
    """The slug of a cooperative."""
    found: str | None = await pool.fetchval("select slug from cooperative where cooperative_id = $1", cooperative_id)
    return found


async def get_order_id(pool: "asyncpg.Pool[asyncpg.Record]", partner_id: UUID, ref: str) -> UUID | None:
    """The order that the partner calls so."""
    found: UUID | None = await pool.fetchval(
        "select order_id from customer_order where partner_id = $1 and partner_ref = $2", partner_id, ref
    )
    return found


async def get_head(pool: "asyncpg.Pool[asyncpg.Record]", stream: UUID) -> int:
    """The number of the stream's last event; 0 where there is none."""
    found: int | None = await pool.fetchval("select last_sequence from stream_head where stream = $1", stream)
    return found or 0


@dataclass(frozen=True, slots=True)
class Announced:
    """An event of an order in its cooperative's stream; `relayed`: the broker has it."""

    sequence: int
    kind: str
    relayed: bool


async def get_announced(
    pool: "asyncpg.Pool[asyncpg.Record]", stream: UUID, after: int, order_id: UUID
) -> Announced | None:
    """The first event of the order behind number `after`."""
    row = await pool.fetchrow(
        "select e.sequence, e.type, coalesce(r.sequence >= e.sequence, false) "
        "from event_log e left join relay_cursor r on r.stream = e.stream "
        "where e.stream = $1 and e.sequence > $2 and e.data->>'order_id' = $3 order by e.sequence limit 1",
        stream,
        after,
        str(order_id),
    )
    return Announced(*row) if row else None


@dataclass(frozen=True, slots=True)
class AskedPull:
    """How far the pull of an order has come."""

    is_asked: bool
    last_error: str | None


async def get_pull(pool: "asyncpg.Pool[asyncpg.Record]", partner_id: UUID, ref: str) -> AskedPull | None:
    """The order that is to be pulled."""
    row = await pool.fetchrow(
        "select last_error is not null or due_at is null, last_error from pull "
        "where partner_id = $1 and partner_ref = $2",
        partner_id,
        ref,
    )
    return AskedPull(*row) if row else None
