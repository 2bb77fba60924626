"""Offers, their pledges, and what allocation says is left of them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import asyncpg

from services.catalog.domain.values import Cooperative, Offer, OfferTerms, Pledge
from services.catalog.store import Reader
from services.chassis.ledger import Connection

_OFFER = """
select o.offer_id, o.cooperative_id, o.product_id, p.code as product_code, o.delivery_day, o.price_vnd, o.cut_off_at,
       o.collection_point_id, o.arrive_by_at, o.withdrawn_at is not null as withdrawn,
       a.supply_steps, a.available_steps, g.household_ids, g.household_codes, g.quantities_steps
from offer o join product p using (product_id) left join offer_availability a using (offer_id)
cross join lateral (
    select coalesce(array_agg(household_id order by household_id), '{}') as household_ids,
           coalesce(array_agg(h.code order by household_id), '{}') as household_codes,
           coalesce(array_agg(g.quantity_steps order by household_id), '{}') as quantities_steps
    from pledge g join household h using (household_id) where g.offer_id = o.offer_id
) g
"""


@dataclass(frozen=True, slots=True)
class ListedOffer:
    """An offer with the codes that staff know it by, and what is left of it; None until allocation has said."""

    offer: Offer
    cooperative_id: UUID
    product_code: str
    household_codes: Mapping[UUID, str]
    supply_steps: int | None
    available_steps: int | None


def _listed(row: asyncpg.Record) -> ListedOffer:
    pledges = zip(row["household_ids"], row["quantities_steps"], strict=True)
    terms = OfferTerms(
        row["product_id"],
        row["delivery_day"],
        row["price_vnd"],
        row["cut_off_at"],
        row["collection_point_id"],
        row["arrive_by_at"],
        tuple(Pledge(household_id, quantity_steps) for household_id, quantity_steps in pledges),
    )
    return ListedOffer(
        Offer(row["offer_id"], terms, row["withdrawn"]),
        row["cooperative_id"],
        row["product_code"],
        dict(zip(row["household_ids"], row["household_codes"], strict=True)),
        row["supply_steps"],
        row["available_steps"],
    )


async def insert_offers(conn: Connection, cooperative_id: UUID, offers: Sequence[Offer]) -> set[UUID]:
    """Stores offers with their pledges, but for those whose product has a live offer that day; returns the stored."""
    terms = [offer.terms for offer in offers]
    rows = await conn.fetch(
        "insert into offer (offer_id, cooperative_id, product_id, delivery_day, price_vnd, cut_off_at, "
        "collection_point_id, arrive_by_at) "
        "select o.offer_id, $1, o.product_id, o.day, o.price_vnd, o.cut_off_at, o.point, o.arrive_by_at "
        "from unnest($2::uuid[], $3::uuid[], $4::date[], $5::bigint[], $6::timestamptz[], $7::uuid[], "
        "$8::timestamptz[]) as o (offer_id, product_id, day, price_vnd, cut_off_at, point, arrive_by_at) "
        "on conflict do nothing returning offer_id",
        cooperative_id,
        [offer.offer_id for offer in offers],
        [t.product_id for t in terms],
        [t.delivery_day for t in terms],
        [t.price_vnd for t in terms],
        [t.cut_off_at for t in terms],
        [t.collection_point_id for t in terms],
        [t.arrive_by_at for t in terms],
    )
    stored = {row["offer_id"] for row in rows}
    await _save_pledges(conn, [offer for offer in offers if offer.offer_id in stored])
    return stored


async def _save_pledges(conn: Connection, offers: Sequence[Offer]) -> None:
    pledges = [(offer.offer_id, pledge) for offer in offers for pledge in offer.terms.pledges]
    await conn.execute(
        "insert into pledge (offer_id, household_id, quantity_steps) "
        "select * from unnest($1::uuid[], $2::uuid[], $3::int[]) "
        "on conflict (offer_id, household_id) do update set quantity_steps = excluded.quantity_steps "
        "where pledge.quantity_steps <> excluded.quantity_steps",
        [offer_id for offer_id, _ in pledges],
        [pledge.household_id for _, pledge in pledges],
        [pledge.quantity_steps for _, pledge in pledges],
    )


async def get_offer(reader: Reader, offer_id: UUID) -> ListedOffer | None:
    """One offer."""
    row = await reader.fetchrow(f"{_OFFER} where o.offer_id = $1", offer_id)
    return _listed(row) if row else None


async def list_offers(reader: Reader, cooperative_id: UUID, delivery_day: date) -> list[ListedOffer]:
    """The offers of a cooperative for one delivery day by product code, each after those that it took the place of."""
    rows = await reader.fetch(
        f"{_OFFER} where o.cooperative_id = $1 and o.delivery_day = $2 order by p.code, o.withdrawn_at",
        cooperative_id,
        delivery_day,
    )
    return [_listed(row) for row in rows]


async def list_open_offers(
    reader: Reader, cooperative: Cooperative, household_id: UUID, now: datetime
) -> list[ListedOffer]:
    """The offers that are open at `now` and to which the household pledges, by delivery day and product code."""
    rows = await reader.fetch(
        f"{_OFFER} where o.cooperative_id = $1 and o.delivery_day >= $2 and o.withdrawn_at is null "
        "and o.cut_off_at > $3 and $4 = any(g.household_ids) order by o.delivery_day, p.code",
        cooperative.cooperative_id,
        now.astimezone(cooperative.zone).date(),  # none of an earlier day is open: the cut-off lies before arrive-by
        now,
        household_id,
    )
    return [_listed(row) for row in rows]


async def list_published(
    reader: Reader, cooperative_id: UUID, first: date, last: date
) -> dict[tuple[UUID, date], UUID]:
    """The offers, withdrawn ones too, that products have from `first` to `last`; of several the live one."""
    rows = await reader.fetch(
        "select product_id, delivery_day, offer_id from offer "
        "where cooperative_id = $1 and delivery_day between $2 and $3 order by withdrawn_at",
        cooperative_id,
        first,
        last,
    )
    return {(row["product_id"], row["delivery_day"]): row["offer_id"] for row in rows}


async def count_offers(conn: Connection, cooperative_id: UUID, days: Collection[date]) -> dict[tuple[UUID, date], int]:
    """How many offers each product of the cooperative has for each of the days, withdrawn ones too; no zeroes."""
    rows = await conn.fetch(
        "select product_id, delivery_day, count(*) from offer where cooperative_id = $1 and delivery_day = any($2) "
        "group by product_id, delivery_day",
        cooperative_id,
        list(days),
    )
    return {(product_id, day): count for product_id, day, count in rows}


async def save_offer(conn: Connection, offer: Offer) -> None:
    """Stores the terms of an offer, under the lock of its cooperative."""
    terms = offer.terms
    await conn.execute(
        "update offer set price_vnd = $2, cut_off_at = $3, arrive_by_at = $4 where offer_id = $1",
        offer.offer_id,
        terms.price_vnd,
        terms.cut_off_at,
        terms.arrive_by_at,
    )
    await conn.execute(
        "delete from pledge where offer_id = $1 and household_id <> all($2::uuid[])",
        offer.offer_id,
        [pledge.household_id for pledge in terms.pledges],
    )
    await _save_pledges(conn, [offer])


async def save_withdrawal(conn: Connection, offer_id: UUID, now: datetime) -> None:
    """The offer is live no more."""
    await conn.execute("update offer set withdrawn_at = $2 where offer_id = $1", offer_id, now)


async def save_availability(conn: Connection, said: Collection[tuple[UUID, int, int]]) -> None:
    """Stores (offer, supply_steps, available_steps), each offer once; what was said before is replaced."""
    await conn.execute(
        "insert into offer_availability (offer_id, supply_steps, available_steps) "
        "select * from unnest($1::uuid[], $2::bigint[], $3::bigint[]) on conflict (offer_id) do update "
        "set supply_steps = excluded.supply_steps, available_steps = excluded.available_steps",
        [offer_id for offer_id, _, _ in said],
        [supply_steps for _, supply_steps, _ in said],
        [available_steps for _, _, available_steps in said],
    )
