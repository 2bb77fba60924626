"""Cooperatives, products and offers as catalog's events tell them, and the gate in front of the offers.

The gate is an advisory lock per cooperative. Who takes orders holds it shared; who closes an offer or changes the
SKU map holds it alone. Unlike row locks it is fair, so a flood of orders cannot hold up the cut-off, and writes
nothing, so a popular offer costs no more than any other.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from services.chassis.ledger import Connection
from services.contracts import catalog
from services.orders.domain.order import Offer

LONGEST_WAIT = "200ms"


def _gate(cooperative_id: UUID) -> int:
    return int.from_bytes(cooperative_id.bytes[8:], signed=True)


async def enter_gates(conn: Connection, cooperative_ids: Iterable[UUID]) -> None:
    """From here to the end of the transaction no offer of the cooperatives closes."""
    gates = sorted({_gate(cooperative_id) for cooperative_id in cooperative_ids})
    await conn.execute("select pg_advisory_xact_lock_shared(gate) from unnest($1::bigint[]) gate", gates)


async def enter_free_gates(conn: Connection, cooperative_ids: Iterable[UUID]) -> set[UUID]:
    """Enters the gates that nobody holds alone or waits for; returns the cooperatives whose gates those are.

    From here to its end the transaction waits for no lock longer than LONGEST_WAIT: others share it.
    """
    wanted = sorted(set(cooperative_ids))
    rows = await conn.fetch(
        "with hurried as materialized (select set_config('lock_timeout', $3, true)) "
        "select id from hurried, unnest($1::uuid[], $2::bigint[]) as x (id, gate) "
        "where pg_try_advisory_xact_lock_shared(gate)",
        wanted,
        [_gate(cooperative_id) for cooperative_id in wanted],
        LONGEST_WAIT,
    )
    return {row["id"] for row in rows}


async def hold_gates(conn: Connection, cooperative_ids: Iterable[UUID]) -> None:
    """Waits for the orders that are being taken, and keeps others out to the end of the transaction."""
    gates = sorted({_gate(cooperative_id) for cooperative_id in cooperative_ids})
    await conn.execute("select pg_advisory_xact_lock(gate) from unnest($1::bigint[]) gate", gates)


async def save_cooperatives(
    conn: Connection, events: Iterable[catalog.CooperativeRegistered | catalog.CooperativeChanged]
) -> None:
    """The newest state of each; of several events of one cooperative the last counts."""
    last = {event.cooperative_id: event for event in events}
    await conn.execute(
        "insert into cooperative (cooperative_id, slug, timezone) "
        "select * from unnest($1::uuid[], $2::text[], $3::text[]) "
        "on conflict (cooperative_id) do update set slug = excluded.slug, timezone = excluded.timezone",
        list(last),
        [event.slug for event in last.values()],
        [event.timezone for event in last.values()],
    )


async def save_products(conn: Connection, listed: Iterable[tuple[UUID, catalog.ProductListed]]) -> None:
    """(cooperative, its product): the newest state of each."""
    last = {event.product_id: (cooperative_id, event) for cooperative_id, event in listed}
    await conn.execute(
        "insert into product (product_id, cooperative_id, code, unit, step_milliunits, name) "
        "select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::int[], $6::text[]) "
        "on conflict (product_id) do update set code = excluded.code, unit = excluded.unit, "
        "step_milliunits = excluded.step_milliunits, name = excluded.name",
        list(last),
        [cooperative_id for cooperative_id, _ in last.values()],
        [event.code for _, event in last.values()],
        [event.unit for _, event in last.values()],
        [event.step_milliunits for _, event in last.values()],
        [event.name for _, event in last.values()],
    )


async def save_offers(
    conn: Connection, offers: Iterable[tuple[UUID, catalog.OfferPublished | catalog.OfferChanged]]
) -> None:
    """(cooperative, its offer): new ones are open, known ones stay as open or closed as they are."""
    last = {event.offer_id: (cooperative_id, event) for cooperative_id, event in offers}
    await conn.execute(
        "insert into offer (offer_id, cooperative_id, product_id, delivery_day, price_vnd, cut_off_at) "
        "select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::date[], $5::bigint[], $6::timestamptz[]) "
        "on conflict (offer_id) do update set product_id = excluded.product_id, "
        "delivery_day = excluded.delivery_day, price_vnd = excluded.price_vnd, cut_off_at = excluded.cut_off_at",
        list(last),
        [cooperative_id for cooperative_id, _ in last.values()],
        [event.product_id for _, event in last.values()],
        [event.delivery_day for _, event in last.values()],
        [event.price_vnd for _, event in last.values()],
        [event.cut_off_at for _, event in last.values()],
    )


async def list_offers(
    conn: Connection, bound: Sequence[UUID], products: Sequence[UUID], days: Sequence[date]
) -> list[Offer]:
    """The offers that lines are bound to, all open offers of the products, and any of the days asked for."""
    rows = await conn.fetch(
        "select offer_id, product_id, delivery_day, cut_off_at, state from offer where offer_id in ("
        "  select unnest($1::uuid[])"
        "  union select offer_id from offer where product_id = any($2) and state = 'open'"
        "  union select offer_id from offer where product_id = any($2) and delivery_day = any($3::date[]))",
        bound,
        products,
        days,
    )
    return [Offer(**row) for row in rows]


@dataclass(frozen=True, slots=True)
class ClosedOffer:
    """An offer that took orders until this transaction."""

    offer_id: UUID
    cooperative_id: UUID
    delivery_day: date


async def is_intake_due(conn: Connection, now: datetime) -> bool:
    """Whether there is an open offer whose cut-off has come."""
    found: bool = await conn.fetchval(
        "select exists (select from offer where state = 'open' and cut_off_at <= $1)", now
    )
    return found


async def list_due_cooperatives(conn: Connection, now: datetime, limit: int) -> list[UUID]:
    """Cooperatives with an open offer whose cut-off has come."""
    rows = await conn.fetch(
        "select distinct cooperative_id from offer where state = 'open' and cut_off_at <= $1 limit $2", now, limit
    )
    return [row["cooperative_id"] for row in rows]


async def close_due_offers(conn: Connection, cooperative_ids: Sequence[UUID], now: datetime) -> list[ClosedOffer]:
    """Closes what is due; returns what it closed. The caller holds the gates."""
    rows = await conn.fetch(
        "update offer set state = 'closed' "
        "where cooperative_id = any($1) and state = 'open' and cut_off_at <= $2 "
        "returning offer_id, cooperative_id, delivery_day",
        cooperative_ids,
        now,
    )
    return [ClosedOffer(**row) for row in rows]


async def withdraw_offers(conn: Connection, offer_ids: Sequence[UUID]) -> list[ClosedOffer]:
    """Marks the offers withdrawn; returns those that were open. The caller holds the gates."""
    rows = await conn.fetch(
        "update offer o set state = 'withdrawn' from ("
        "  select offer_id, state from offer where offer_id = any($1) and state <> 'withdrawn' for update"
        ") before where o.offer_id = before.offer_id "
        "returning o.offer_id, o.cooperative_id, o.delivery_day, before.state",
        offer_ids,
    )
    return [
        ClosedOffer(row["offer_id"], row["cooperative_id"], row["delivery_day"])
        for row in rows
        if row["state"] == "open"
    ]


async def list_open_days(conn: Connection, cooperative_ids: Sequence[UUID]) -> set[tuple[UUID, date]]:
    """(cooperative, delivery day) for which an offer still takes orders."""
    rows = await conn.fetch(
        "select distinct cooperative_id, delivery_day from offer where cooperative_id = any($1) and state = 'open'",
        cooperative_ids,
    )
    return {(row["cooperative_id"], row["delivery_day"]) for row in rows}
