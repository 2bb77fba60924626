"""Campaigns: what the cooperatives give to them, and the orders as their platforms pushed them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from uuid import UUID

import asyncpg
import msgspec

from services.chassis.ledger import Connection
from services.orders.domain.command import Contact, Kind, OrderCommand, Revision
from services.orders.domain.intake import Reason
from services.orders.domain.order import Product, SkuMapping
from services.orders.domain.pooled import Key, RefusedLine, Share, Whole
from services.orders.store.order_rows import wanted_json, wanted_line, wanted_lines
from services.orders.store.partners import Partner, partner_of


@dataclass(frozen=True, slots=True)
class Given:
    """What one cooperative gives to a campaign of one SKU on one day."""

    partner_id: UUID
    sku: str
    delivery_day: date
    share_steps: int


@dataclass(frozen=True, slots=True)
class GivenSoFar(Given):
    """A share, how much of it is ordered, and whose it is."""

    taken_steps: int
    cooperative: str
    product: Product


async def list_seats_by_slug(pool: "asyncpg.Pool[asyncpg.Record]", campaign_id: UUID) -> dict[str, Partner]:
    """The campaign's seats, by the slugs of their cooperatives."""
    rows = await pool.fetch(
        "select c.slug, p.* from partner p join cooperative c using (cooperative_id) where p.campaign_id = $1",
        campaign_id,
    )
    return {row["slug"]: partner_of(row) for row in rows}


# Shares


async def save_shares(
    conn: Connection, campaign_id: UUID, items: Iterable[tuple[str, date]], shares: Sequence[Given]
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


async def add_taken(conn: Connection, campaign_id: UUID, taken: Mapping[Key, int]) -> None:
    """(seat, SKU, day) → steps that are ordered more than before, or less."""
    await conn.execute(
        "update campaign_share s set taken_steps = s.taken_steps + x.steps "
        "from unnest($2::uuid[], $3::text[], $4::date[], $5::bigint[]) as x (partner_id, sku, delivery_day, steps) "
        "where s.campaign_id = $1 and s.partner_id = x.partner_id and s.sku = x.sku "
        "and s.delivery_day = x.delivery_day",
        campaign_id,
        [partner_id for partner_id, _, _ in taken],
        [sku for _, sku, _ in taken],
        [day for _, _, day in taken],
        list(taken.values()),
    )


async def list_shares_of(
    conn: Connection, campaign_id: UUID, skus: Sequence[str], days: Sequence[date]
) -> dict[tuple[str, date], list[Share]]:
    """The shares of the SKUs on the days, by both."""
    rows = await conn.fetch(
        "select sku, delivery_day, partner_id, share_steps, taken_steps from campaign_share "
        "where campaign_id = $1 and sku = any($2) and delivery_day = any($3)",
        campaign_id,
        skus,
        days,
    )
    found: dict[tuple[str, date], list[Share]] = {}
    for row in rows:
        share = Share(row["partner_id"], row["share_steps"], row["taken_steps"])
        found.setdefault((row["sku"], row["delivery_day"]), []).append(share)
    return found


async def list_meanings(conn: Connection, campaign_id: UUID, skus: Sequence[str]) -> dict[tuple[str, UUID], SkuMapping]:
    """(SKU, seat) → what it means there, for those that have a meaning."""
    rows = await conn.fetch(
        "select m.sku, m.partner_id, m.factor_numerator, m.factor_denominator, p.product_id, p.unit, "
        "p.step_milliunits from partner s join sku_map m using (partner_id) join product p using (product_id) "
        "where s.campaign_id = $1 and m.sku = any($2)",
        campaign_id,
        skus,
    )
    return {
        (row["sku"], row["partner_id"]): SkuMapping(
            Product(row["product_id"], row["unit"], row["step_milliunits"]),
            Fraction(row["factor_numerator"], row["factor_denominator"]),
        )
        for row in rows
    }


async def list_shares(pool: "asyncpg.Pool[asyncpg.Record]", campaign_id: UUID, from_day: date) -> list[GivenSoFar]:
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
        GivenSoFar(
            row["partner_id"], row["sku"], row["delivery_day"], row["share_steps"], row["taken_steps"], row["slug"],
            Product(row["product_id"], row["unit"], row["step_milliunits"]),
        )
        for row in rows
    ]  # fmt: skip


# Orders as pushed


async def list_orders(conn: Connection, campaign_id: UUID, refs: Sequence[str]) -> dict[str, Whole]:
    """Those of the orders that are known, by reference. The caller has locked the campaign, or only looks."""
    rows = await conn.fetch(
        "select * from campaign_order where campaign_id = $1 and partner_ref = any($2)", campaign_id, refs
    )
    return {row["partner_ref"]: _whole(row) for row in rows}


async def list_waiting(
    conn: "Connection | asyncpg.Pool[asyncpg.Record]", campaign_id: UUID, skus: Sequence[str] | None, limit: int
) -> list[Whole]:
    """Orders with a line whose SKU, one of these if any are named, has no meaning."""
    rows = await conn.fetch(
        "select * from campaign_order where campaign_id = $1 and waits_for <> '{}' "
        "and ($2::text[] is null or waits_for && $2) order by partner_ref limit $3",
        campaign_id,
        skus,
        limit,
    )
    return [_whole(row) for row in rows]


async def list_orders_to_erase(
    conn: Connection, campaign_ids: Sequence[UUID], order_ids: Sequence[UUID]
) -> dict[UUID, list[Whole]]:
    """By campaign: the orders of which these are parts, and those that keep a customer as long as they wait."""
    rows = await conn.fetch(
        "select c.* from campaign_order c where c.campaign_id = any($1) and not c.contact_erased "
        "and (c.waits_for <> '{}' or (c.campaign_id, c.partner_ref) in (select p.campaign_id, o.partner_ref "
        "  from customer_order o join partner p using (partner_id) where o.order_id = any($2)))",
        campaign_ids,
        order_ids,
    )
    found: dict[UUID, list[Whole]] = {}
    for row in rows:
        found.setdefault(row["campaign_id"], []).append(_whole(row))
    return found


async def list_seats_of(conn: Connection, cooperative_id: UUID) -> dict[UUID, UUID]:
    """The campaigns in which a cooperative has a seat, and the seat."""
    rows = await conn.fetch(
        "select campaign_id, partner_id from partner where cooperative_id = $1 and campaign_id is not null",
        cooperative_id,
    )
    return {row["campaign_id"]: row["partner_id"] for row in rows}


async def save_orders(conn: Connection, campaign_id: UUID, orders: Sequence[Whole]) -> None:
    """New or newer ones. The caller has locked the campaign."""
    await conn.execute(
        "insert into campaign_order (campaign_id, partner_ref, revised_at, status_rank, digest, kind, asked_day, "
        "  delivery_day, wanted, refused, contact_name, contact_phone, contact_address, contact_email, "
        "  contact_platform_id, contact_erased, waits_for) "
        "select $1, partner_ref, revised_at, status_rank, digest, kind, asked_day, delivery_day, wanted, refused, "
        "  contact_name, contact_phone, contact_address, contact_email, contact_platform_id, contact_erased, "
        "  array(select json_array_elements_text(waits_for)) "
        "from unnest($2::text[], $3::timestamptz[], $4::smallint[], $5::text[], $6::text[], $7::date[], $8::date[], "
        "  $9::json[], $10::json[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::boolean[], "
        "  $17::json[]) "
        "  as x (partner_ref, revised_at, status_rank, digest, kind, asked_day, delivery_day, wanted, refused, "
        "  contact_name, contact_phone, contact_address, contact_email, contact_platform_id, contact_erased, "
        "  waits_for) on conflict (campaign_id, partner_ref) do update set revised_at = excluded.revised_at, "
        "  status_rank = excluded.status_rank, digest = excluded.digest, kind = excluded.kind, "
        "  asked_day = excluded.asked_day, delivery_day = excluded.delivery_day, wanted = excluded.wanted, "
        "  refused = excluded.refused, contact_name = excluded.contact_name, contact_phone = excluded.contact_phone, "
        "  contact_address = excluded.contact_address, contact_email = excluded.contact_email, "
        "  contact_platform_id = excluded.contact_platform_id, contact_erased = excluded.contact_erased, "
        "  waits_for = excluded.waits_for",
        campaign_id,
        *zip(*map(_values, orders), strict=True),
    )


def _values(one: Whole) -> tuple[object, ...]:
    """The customer is kept here only as long as a line waits; else the parts have it."""
    command = one.command
    contact = (command.contact if one.waits_for else None) or Contact()
    refused = [(it.line.content(), it.reason) for it in one.refused]
    return (
        command.partner_ref, command.revision.updated_at, command.revision.status_rank, command.revision.digest,
        command.kind, one.asked_day, command.delivery_day, wanted_json(command.lines),
        msgspec.json.encode(refused).decode(), contact.name, contact.phone, contact.address,
        contact.email, contact.platform_id, one.contact_erased, msgspec.json.encode(one.waits_for).decode(),
    )  # fmt: skip


def _whole(row: asyncpg.Record) -> Whole:
    told = (
        row["contact_name"], row["contact_phone"], row["contact_address"], row["contact_email"],
        row["contact_platform_id"],
    )  # fmt: skip
    command = OrderCommand(
        row["partner_ref"],
        Revision(row["revised_at"], row["status_rank"], row["digest"]),
        Kind(row["kind"]),
        row["delivery_day"],
        wanted_lines(row["wanted"]),
        Contact(*told) if any(told) else None,
    )
    refused = tuple(
        RefusedLine(wanted_line(*said), Reason(reason)) for said, reason in msgspec.json.decode(row["refused"])
    )
    return Whole(command, row["asked_day"], refused, row["contact_erased"])
