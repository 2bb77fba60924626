"""Offers with their pledges: as they are published, closed and shared out, and as staff look at them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from services.allocation.domain.baskets import DayOffer
from services.allocation.domain.explain import Goods
from services.allocation.domain.terms import OfferTerms
from services.allocation.store import Reader
from services.chassis.ledger import Connection


@dataclass(frozen=True, slots=True)
class OfferTotals:
    """An offer's book and what its lines add up to, all in steps."""

    offer_id: UUID
    cooperative_id: UUID
    product_id: UUID | None  # None while only orders have named the offer
    product_code: str | None
    delivery_day: date | None
    open: bool
    listed: bool
    assigned: bool
    supply_steps: int
    promised_net_steps: int
    ordered_steps: int
    promised_steps: int
    short_steps: int
    shorted_steps: int
    cancelled_steps: int


async def save_offers(conn: Connection, offers: Sequence[OfferTerms]) -> None:
    """Stores offers with their pledges, each in place of what it was before."""
    if not offers:
        return
    await conn.execute(
        "insert into offer (offer_id, cooperative_id, product_id, delivery_day, price_vnd, step_value_vnd, "
        "collection_point_id, arrive_by_at, step_grams) select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], "
        "$4::date[], $5::bigint[], $6::bigint[], $7::uuid[], $8::timestamptz[], $9::bigint[]) "
        "on conflict (offer_id) do update "
        "set product_id = excluded.product_id, delivery_day = excluded.delivery_day, price_vnd = excluded.price_vnd, "
        "step_value_vnd = excluded.step_value_vnd, collection_point_id = excluded.collection_point_id, "
        "arrive_by_at = excluded.arrive_by_at, step_grams = excluded.step_grams",
        [offer.offer_id for offer in offers],
        [offer.cooperative_id for offer in offers],
        [offer.product_id for offer in offers],
        [offer.delivery_day for offer in offers],
        [offer.price_vnd for offer in offers],
        [offer.step_value_vnd for offer in offers],
        [offer.collection_point_id for offer in offers],
        [offer.arrive_by_at for offer in offers],
        [offer.step_grams for offer in offers],
    )
    await conn.execute("delete from pledge where offer_id = any($1::uuid[])", [offer.offer_id for offer in offers])
    pledges = [(offer.offer_id, *pledge) for offer in offers for pledge in offer.pledges]
    await conn.execute(
        "insert into pledge (offer_id, household_id, quantity_steps) "
        "select * from unnest($1::uuid[], $2::uuid[], $3::bigint[])",
        [offer_id for offer_id, _, _ in pledges],
        [household_id for _, household_id, _ in pledges],
        [quantity_steps for _, _, quantity_steps in pledges],
    )


async def list_closed_offers(
    conn: Connection, days: Collection[tuple[UUID, date]], open_too: bool = False
) -> dict[tuple[UUID, date], list[DayOffer]]:
    """By (cooperative, delivery day): the offers that are closed and not yet shared out. Withdrawn ones never are.

    With `open_too` also those that still take orders.
    """
    rows = await conn.fetch(
        "select o.cooperative_id, o.delivery_day, o.offer_id, o.product_id, p.code, o.step_value_vnd, "
        "o.collection_point_id, o.arrive_by_at, b.promised_net_steps, g.household_ids, g.quantities_steps, "
        "o.step_grams "
        "from unnest($1::uuid[], $2::date[]) as d (cooperative_id, delivery_day) "
        "join offer o using (cooperative_id, delivery_day) "
        "join offer_book b using (offer_id) join product p using (product_id) cross join lateral ("
        "select coalesce(array_agg(household_id), '{}') as household_ids, "
        "coalesce(array_agg(quantity_steps), '{}') as quantities_steps from pledge g where g.offer_id = o.offer_id) g "
        "where b.listed and (not b.open or $3) and not o.assigned order by o.offer_id",
        [cooperative_id for cooperative_id, _ in days],
        [delivery_day for _, delivery_day in days],
        open_too,
    )
    closed: dict[tuple[UUID, date], list[DayOffer]] = {}
    for row in rows:
        offer = DayOffer(
            row["offer_id"],
            row["product_id"],
            row["code"],
            row["step_value_vnd"],
            row["collection_point_id"],
            row["arrive_by_at"],
            row["promised_net_steps"],
            tuple(zip(row["household_ids"], row["quantities_steps"], strict=True)),
            row["step_grams"],
        )
        closed.setdefault((row["cooperative_id"], row["delivery_day"]), []).append(offer)
    return closed


@dataclass(frozen=True, slots=True)
class OfferGoods:
    """What an offer is of, where it is brought and by when."""

    product_id: UUID
    product_code: str
    goods: Goods
    collection_point_id: UUID
    arrive_by_at: datetime
    step_grams: int | None


async def list_goods(conn: Connection, offer_ids: Collection[UUID]) -> dict[UUID, OfferGoods]:
    """What these offers are of. A product whose name is not known is called by its code."""
    rows = await conn.fetch(
        "select o.offer_id, p.product_id, p.code, p.name, p.unit, p.step_milliunits, o.collection_point_id, "
        "o.arrive_by_at, o.step_grams from offer o join product p using (product_id) where offer_id = any($1::uuid[])",
        list(offer_ids),
    )
    return {
        row["offer_id"]: OfferGoods(
            row["product_id"],
            row["code"],
            Goods(row["name"] or row["code"], row["unit"], row["step_milliunits"]),
            row["collection_point_id"],
            row["arrive_by_at"],
            row["step_grams"],
        )
        for row in rows
    }


async def save_assigned(conn: Connection, assigned_steps: Mapping[UUID, int]) -> None:
    """These offers are shared out: so much of each."""
    await conn.execute(
        "update offer o set assigned = true, assigned_steps = x.steps "
        "from unnest($1::uuid[], $2::bigint[]) as x (offer_id, steps) where o.offer_id = x.offer_id",
        list(assigned_steps),
        list(assigned_steps.values()),
    )


async def count_unassigned(reader: Reader, day: tuple[UUID, date]) -> int:
    """Offers of a delivery day that are sold or were sold, but not shared out yet."""
    found: int = await reader.fetchval(
        "select count(*) from offer o join offer_book b using (offer_id) "
        "where o.cooperative_id = $1 and o.delivery_day = $2 and b.listed and not o.assigned",
        *day,
    )
    return found


async def save_settled(conn: Connection, offer_ids: Collection[UUID]) -> None:
    """The truck has left with what arrived of these offers."""
    await conn.execute("update offer set settled = true where offer_id = any($1::uuid[])", list(offer_ids))


async def get_offer_totals(reader: Reader, offer_id: UUID) -> OfferTotals | None:
    """The book of one offer with the sums of its lines."""
    row = await reader.fetchrow(
        "select b.offer_id, b.cooperative_id, o.product_id, p.code as product_code, o.delivery_day, b.open, b.listed, "
        "coalesce(o.assigned, false) as assigned, b.supply_steps, b.promised_net_steps, l.* "
        "from offer_book b left join offer o using (offer_id) left join product p using (product_id) "
        "cross join lateral (select coalesce(sum(ordered_steps), 0)::bigint as ordered_steps, "
        "coalesce(sum(promised_steps), 0)::bigint as promised_steps, "
        "coalesce(sum(short_steps), 0)::bigint as short_steps, "
        "coalesce(sum(shorted_steps), 0)::bigint as shorted_steps, "
        "coalesce(sum(cancelled_steps), 0)::bigint as cancelled_steps "
        "from order_line where offer_id = b.offer_id) l where b.offer_id = $1",
        offer_id,
    )
    return OfferTotals(**row) if row else None
