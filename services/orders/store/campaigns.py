"""Campaigns: what the cooperatives give to them, and the orders as their platforms pushed them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct

from services.chassis.ledger import Connection
from services.orders.domain.command import CommandLine, Contact, Kind, OrderCommand, Revision, decimal_text
from services.orders.domain.intake import Reason
from services.orders.domain.order import Product, SkuMapping
from services.orders.domain.pool import Pool, RefusedLine, Seat
from services.orders.store.orders import wanted_json

Reference = tuple[UUID, str]
"""How a platform names an order of a campaign: (its partner_id, partner_ref)."""


class PooledOrder(Struct, frozen=True):
    """An order as the platform last pushed it, and the lines of it that no cooperative has."""

    campaign_id: UUID
    command: OrderCommand
    refused: tuple[RefusedLine, ...] = ()

    @property
    def waits_for(self) -> list[str]:
        """SKUs that nobody has given a meaning."""
        return sorted({one.line.sku for one in self.refused if one.reason is Reason.UNKNOWN_SKU})


@dataclass(frozen=True, slots=True)
class Share:
    """What one cooperative gives to a campaign of one SKU on one day."""

    partner_id: UUID
    sku: str
    delivery_day: date
    share_steps: int


@dataclass(frozen=True, slots=True)
class ShareTaken(Share):
    """A share, how much of it is ordered, and whose it is."""

    taken_steps: int
    cooperative: str
    product: Product


async def list_products(
    conn: Connection, wanted: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], tuple[UUID, Product]]:
    """(cooperative's slug, product code) → the cooperative and the product, for those that there are."""
    rows = await conn.fetch(
        "select c.slug, p.code, c.cooperative_id, p.product_id, p.unit, p.step_milliunits "
        "from cooperative c join product p using (cooperative_id) "
        "where (c.slug, p.code) in (select * from unnest($1::text[], $2::text[]))",
        [slug for slug, _ in wanted],
        [code for _, code in wanted],
    )
    return {
        (row["slug"], row["code"]): (
            row["cooperative_id"],
            Product(row["product_id"], row["unit"], row["step_milliunits"]),
        )
        for row in rows
    }


# Shares


async def save_shares(
    conn: Connection, campaign_id: UUID, items: Iterable[tuple[str, date]], shares: Sequence[Share]
) -> None:
    """The shares of the (SKU, day) are these from now on; a cooperative that is not named gives no more."""
    named = sorted(set(items))
    await conn.execute(
        "update campaign_share set share_steps = 0 where campaign_id = $1 "
        "and (sku, delivery_day) in (select * from unnest($2::text[], $3::date[]))",
        campaign_id,
        [sku for sku, _ in named],
        [day for _, day in named],
    )
    await conn.execute(
        "insert into campaign_share (campaign_id, partner_id, sku, delivery_day, share_steps) "
        "select $1, * from unnest($2::uuid[], $3::text[], $4::date[], $5::bigint[]) "
        "on conflict (campaign_id, sku, delivery_day, partner_id) do update set share_steps = excluded.share_steps",
        campaign_id,
        [share.partner_id for share in shares],
        [share.sku for share in shares],
        [share.delivery_day for share in shares],
        [share.share_steps for share in shares],
    )


async def add_taken(conn: Connection, taken: Mapping[tuple[UUID, str, date], int]) -> None:
    """(seat, SKU, day) → steps that are ordered more than before, or less."""
    await conn.execute(
        "update campaign_share s set taken_steps = s.taken_steps + x.steps "
        "from unnest($1::uuid[], $2::text[], $3::date[], $4::bigint[]) as x (partner_id, sku, delivery_day, steps) "
        "where s.partner_id = x.partner_id and s.sku = x.sku and s.delivery_day = x.delivery_day "
        "and s.campaign_id = (select campaign_id from partner p where p.partner_id = x.partner_id)",
        [partner_id for partner_id, _, _ in taken],
        [sku for _, sku, _ in taken],
        [day for _, _, day in taken],
        list(taken.values()),
    )


async def list_mappings(conn: Connection, skus: Sequence[tuple[UUID, str]]) -> dict[UUID, dict[str, SkuMapping]]:
    """What those of the (campaign, SKU) mean that have a meaning; it is the same for every seat."""
    rows = await conn.fetch(
        "select distinct on (s.campaign_id, m.sku) s.campaign_id, m.sku, m.factor_numerator, m.factor_denominator, "
        "p.product_id, p.unit, p.step_milliunits "
        "from partner s join sku_map m using (partner_id) join product p using (product_id) "
        "where (s.campaign_id, m.sku) in (select * from unnest($1::uuid[], $2::text[])) "
        "order by s.campaign_id, m.sku, s.partner_id",
        [campaign_id for campaign_id, _ in skus],
        [sku for _, sku in skus],
    )
    found: dict[UUID, dict[str, SkuMapping]] = {campaign_id: {} for campaign_id, _ in skus}
    for row in rows:
        product = Product(row["product_id"], row["unit"], row["step_milliunits"])
        factor = Fraction(row["factor_numerator"], row["factor_denominator"])
        found[row["campaign_id"]][row["sku"]] = SkuMapping(product, factor)
    return found


async def list_pools(
    conn: Connection, mappings: Mapping[UUID, Mapping[str, SkuMapping]], days: Sequence[date], now: datetime
) -> dict[UUID, dict[tuple[str, date], Pool]]:
    """The pools of these SKUs on these days and on all that still take orders, by campaign."""
    skus = [(campaign_id, sku) for campaign_id, own in mappings.items() for sku in own]
    rows = await conn.fetch(
        "select s.campaign_id, s.sku, s.delivery_day, s.partner_id, s.share_steps, s.taken_steps, o.takes as is_open "
        "from campaign_share s join sku_map m using (partner_id, sku), lateral ("
        "  select exists (select from offer where product_id = m.product_id and delivery_day = s.delivery_day "
        "    and state = 'open' and cut_off_at > $4) as takes) o "
        "where (s.campaign_id, s.sku) in (select * from unnest($1::uuid[], $2::text[])) "
        "and (s.delivery_day = any($3) or o.takes) order by s.partner_id",
        [campaign_id for campaign_id, _ in skus],
        [sku for _, sku in skus],
        days,
        now,
    )
    seats: dict[tuple[UUID, str, date], list[Seat]] = {}
    for row in rows:
        seat = Seat(row["partner_id"], row["share_steps"], row["taken_steps"], row["is_open"])
        seats.setdefault((row["campaign_id"], row["sku"], row["delivery_day"]), []).append(seat)
    pools: dict[UUID, dict[tuple[str, date], Pool]] = {campaign_id: {} for campaign_id in mappings}
    for (campaign_id, sku, day), taking_part in seats.items():
        pools[campaign_id][sku, day] = Pool(mappings[campaign_id][sku], tuple(taking_part))
    return pools


async def list_shares(pool: "asyncpg.Pool[asyncpg.Record]", campaign_id: UUID, from_day: date) -> list[ShareTaken]:
    """The shares of the days from then on, by day, SKU and cooperative."""
    rows = await pool.fetch(
        "select s.partner_id, s.sku, s.delivery_day, s.share_steps, s.taken_steps, c.slug, p.product_id, p.unit, "
        "p.step_milliunits from campaign_share s join partner t using (partner_id) "
        "join cooperative c using (cooperative_id) join sku_map m using (partner_id, sku) "
        "join product p on p.product_id = m.product_id "
        "where s.campaign_id = $1 and s.delivery_day >= $2 order by s.delivery_day, s.sku, c.slug",
        campaign_id,
        from_day,
    )
    return [
        ShareTaken(
            row["partner_id"], row["sku"], row["delivery_day"], row["share_steps"], row["taken_steps"], row["slug"],
            Product(row["product_id"], row["unit"], row["step_milliunits"]),
        )
        for row in rows
    ]  # fmt: skip


# Orders as pushed


async def list_orders(
    conn: "Connection | asyncpg.Pool[asyncpg.Record]", references: Sequence[Reference]
) -> dict[Reference, PooledOrder]:
    """Those of the orders that are known. The caller has locked their campaigns, or only looks."""
    rows = await conn.fetch(
        "select * from campaign_order "
        "where (campaign_id, partner_ref) in (select * from unnest($1::uuid[], $2::text[]))",
        [campaign_id for campaign_id, _ in references],
        [ref for _, ref in references],
    )
    return {(row["campaign_id"], row["partner_ref"]): _pooled_order(row) for row in rows}


async def list_waiting(conn: Connection, campaign_id: UUID, skus: Sequence[str], limit: int) -> list[PooledOrder]:
    """Orders with a line whose SKU is one of these and had no meaning."""
    rows = await conn.fetch(
        "select * from campaign_order where campaign_id = $1 and waits_for <> '{}' and waits_for && $2 "
        "order by partner_ref limit $3",
        campaign_id,
        skus,
        limit,
    )
    return [_pooled_order(row) for row in rows]


async def save_orders(conn: Connection, orders: Sequence[PooledOrder]) -> None:
    """New or newer ones. The caller has locked their campaigns."""
    await conn.execute(
        "insert into campaign_order (campaign_id, partner_ref, revised_at, status_rank, digest, kind, delivery_day, "
        "  wanted, refused, contact_name, contact_phone, contact_address, waits_for) "
        "select campaign_id, partner_ref, revised_at, status_rank, digest, kind, delivery_day, wanted, refused, "
        "  contact_name, contact_phone, contact_address, array(select json_array_elements_text(waits_for)) "
        "from unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::smallint[], $5::text[], $6::text[], $7::date[], "
        "  $8::json[], $9::json[], $10::text[], $11::text[], $12::text[], $13::json[]) as x (campaign_id, partner_ref, "
        "  revised_at, status_rank, digest, kind, delivery_day, wanted, refused, contact_name, contact_phone, "
        "  contact_address, waits_for) "
        "on conflict (campaign_id, partner_ref) do update set revised_at = excluded.revised_at, "
        "  status_rank = excluded.status_rank, digest = excluded.digest, kind = excluded.kind, "
        "  delivery_day = excluded.delivery_day, wanted = excluded.wanted, refused = excluded.refused, "
        "  contact_name = excluded.contact_name, contact_phone = excluded.contact_phone, "
        "  contact_address = excluded.contact_address, waits_for = excluded.waits_for",
        *zip(*map(_values, orders), strict=True),
    )


def _values(one: PooledOrder) -> tuple[object, ...]:
    command = one.command
    contact = (command.contact if one.refused else None) or Contact()
    refused = [(*_written(it.line), it.reason) for it in one.refused]
    return (
        one.campaign_id, command.partner_ref, command.revision.updated_at, command.revision.status_rank,
        command.revision.digest, command.kind, command.delivery_day, wanted_json(command.lines),
        msgspec.json.encode(refused).decode(), contact.name, contact.phone, contact.address,
        msgspec.json.encode(one.waits_for).decode(),
    )  # fmt: skip


def _written(line: CommandLine) -> tuple[int, str, str, int | None]:
    return line.line_no, line.sku, decimal_text(line.quantity), line.price_vnd


def _read(line_no: int, sku: str, quantity: str, price_vnd: int | None) -> CommandLine:
    return CommandLine(line_no, sku, Decimal(quantity), price_vnd)


def _pooled_order(row: asyncpg.Record) -> PooledOrder:
    told = (row["contact_name"], row["contact_phone"], row["contact_address"])
    command = OrderCommand(
        row["partner_ref"],
        Revision(row["revised_at"], row["status_rank"], row["digest"]),
        Kind(row["kind"]),
        row["delivery_day"],
        tuple(_read(*line) for line in msgspec.json.decode(row["wanted"])),
        Contact(*told) if any(told) else None,
    )
    refused = tuple(RefusedLine(_read(*line), Reason(reason)) for *line, reason in msgspec.json.decode(row["refused"]))
    return PooledOrder(row["campaign_id"], command, refused)
