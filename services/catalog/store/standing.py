"""Standing offers with their standing pledges; written under the lock of their cooperative."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from services.catalog.domain.values import Pledge, StandingOffer
from services.catalog.store import Reader
from services.chassis.ledger import Connection

_STANDING = """
select s.product_id, p.code as product_code, s.price_vnd, s.cut_off_time, s.cut_off_days_before, s.arrive_by_time,
       s.collection_point_id, g.household_ids, g.household_codes, g.quantities_steps
from standing_offer s join product p using (product_id) cross join lateral (
    select coalesce(array_agg(household_id order by household_id), '{}') as household_ids,
           coalesce(array_agg(h.code order by household_id), '{}') as household_codes,
           coalesce(array_agg(g.quantity_steps order by household_id), '{}') as quantities_steps
    from standing_pledge g join household h using (household_id) where g.product_id = s.product_id
) g
"""


@dataclass(frozen=True, slots=True)
class ListedStanding:
    """A standing offer with the codes that staff know it by."""

    standing: StandingOffer
    product_code: str
    household_codes: Mapping[UUID, str]


def _listed(row: asyncpg.Record) -> ListedStanding:
    pledges = zip(row["household_ids"], row["quantities_steps"], strict=True)
    standing = StandingOffer(
        row["product_id"],
        row["price_vnd"],
        row["cut_off_time"],
        row["cut_off_days_before"],
        row["arrive_by_time"],
        row["collection_point_id"],
        tuple(Pledge(household_id, quantity_steps) for household_id, quantity_steps in pledges),
    )
    codes = dict(zip(row["household_ids"], row["household_codes"], strict=True))
    return ListedStanding(standing, row["product_code"], codes)


async def get_standing_offer(reader: Reader, product_id: UUID) -> ListedStanding | None:
    """The standing offer of a product."""
    row = await reader.fetchrow(f"{_STANDING} where s.product_id = $1", product_id)
    return _listed(row) if row else None


async def list_standing_offers(
    reader: Reader, cooperative_id: UUID, after: str = "", limit: int | None = None
) -> list[ListedStanding]:
    """At most `limit` standing offers of a cooperative by product code, from the first one behind `after` on."""
    rows = await reader.fetch(
        f"{_STANDING} where s.cooperative_id = $1 and p.code > $2 order by p.code limit $3",
        cooperative_id,
        after,
        limit,
    )
    return [_listed(row) for row in rows]


async def save_standing_offers(conn: Connection, cooperative_id: UUID, offers: Sequence[StandingOffer]) -> None:
    """Stores standing offers, each in place of the one that its product had."""
    await conn.execute(
        "insert into standing_offer (product_id, cooperative_id, price_vnd, cut_off_time, cut_off_days_before, "
        "arrive_by_time, collection_point_id) select s.product_id, $1, s.price_vnd, s.cut_off, s.days, s.arrive_by, "
        "s.point from unnest($2::uuid[], $3::bigint[], $4::time[], $5::smallint[], $6::time[], $7::uuid[]) "
        "as s (product_id, price_vnd, cut_off, days, arrive_by, point) on conflict (product_id) do update "
        "set price_vnd = excluded.price_vnd, cut_off_time = excluded.cut_off_time, "
        "cut_off_days_before = excluded.cut_off_days_before, arrive_by_time = excluded.arrive_by_time, "
        "collection_point_id = excluded.collection_point_id",
        cooperative_id,
        [offer.product_id for offer in offers],
        [offer.price_vnd for offer in offers],
        [offer.cut_off_time for offer in offers],
        [offer.cut_off_days_before for offer in offers],
        [offer.arrive_by_time for offer in offers],
        [offer.collection_point_id for offer in offers],
    )
    products = [offer.product_id for offer in offers]
    await conn.execute("delete from standing_pledge where product_id = any($1)", products)
    pledges = [(offer.product_id, pledge) for offer in offers for pledge in offer.pledges]
    await conn.execute(
        "insert into standing_pledge (product_id, household_id, quantity_steps) "
        "select * from unnest($1::uuid[], $2::uuid[], $3::int[])",
        [product_id for product_id, _ in pledges],
        [pledge.household_id for _, pledge in pledges],
        [pledge.quantity_steps for _, pledge in pledges],
    )


async def delete_standing_offer(conn: Connection, product_id: UUID) -> None:
    """The product is offered by itself no more; offers that were published stay."""
    await conn.execute("delete from standing_offer where product_id = $1", product_id)
