"""Delivery days: baskets by version, their items, who has been told, and the entries of the households' memory."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import asyncpg

from services.allocation.domain.asked import Raise, WhyRaised
from services.allocation.domain.baskets import ShareLevel, Why
from services.allocation.domain.cut_off import BasketKey, EntryKey
from services.allocation.domain.explain import Goods
from services.allocation.domain.sharing import FairnessEntry
from services.allocation.domain.told import BasketVersion, ToldItem
from services.allocation.store import Day, Reader
from services.chassis.ledger import Connection

_BASKETS = """
select v.household_id, v.delivery_day, h.code as household_code, v.version, v.told_at, v.untold_reason, b.answer,
       b.reason
from (select distinct on (v.cooperative_id, v.delivery_day, v.household_id) v.*
      from unnest($1::uuid[], $2::date[]) as d (cooperative_id, delivery_day)
      join basket_version v using (cooperative_id, delivery_day)
      order by v.cooperative_id, v.delivery_day, v.household_id, v.version desc) v
join household h using (household_id)
join basket b on (b.cooperative_id, b.delivery_day, b.household_id) = (v.cooperative_id, v.delivery_day, v.household_id)
order by v.delivery_day, h.code collate "C", v.household_id
"""

_ITEMS = """
select i.household_id, o.delivery_day, i.offer_id, o.product_id, p.code as product_code, i.quantity_steps,
       i.pledged_steps, o.collection_point_id, o.arrive_by_at, i.why, o.step_grams, i.confirmed_steps, i.raises,
       i.most_steps, p.name, p.unit, p.step_milliunits
from unnest($1::uuid[], $2::date[]) as d (cooperative_id, delivery_day)
join offer o using (cooperative_id, delivery_day) join basket_item i using (offer_id) join product p using (product_id)
where i.quantity_steps > 0 and ($3 or not o.settled) order by i.since_version, p.code collate "C", i.offer_id
"""


@dataclass(frozen=True, slots=True)
class ListedBasket:
    """A household's basket as it stands, with the codes that staff know things by, and whether it has been told."""

    household_id: UUID
    household_code: str
    version: int
    told_at: datetime | None
    untold_reason: str | None
    answer: str | None
    reason: str | None  # why it cannot bring anything
    items: tuple[tuple[str, Goods, ToldItem], ...]  # (product code, what it is called and counted in, item)


@dataclass(frozen=True, slots=True)
class Told:
    """What became of the notice of one basket version: told at, or a reason why it could not be, and since when."""

    cooperative_id: UUID
    delivery_day: date
    household_id: UUID
    version: int
    told_at: datetime | None
    untold_reason: str | None = None
    untold_at: datetime | None = None


def _item(row: asyncpg.Record) -> ToldItem:
    return ToldItem(
        row["offer_id"],
        row["product_id"],
        row["quantity_steps"],
        row["pledged_steps"],
        row["collection_point_id"],
        row["arrive_by_at"],
        _why(row["why"]) if row["why"] else None,
        row["step_grams"],
        row["confirmed_steps"],
        tuple(_raise(row["offer_id"], **one) for one in json.loads(row["raises"])),
        row["most_steps"] < row["pledged_steps"],
    )


def _why(text: str) -> Why:
    why = json.loads(text)
    return Why(**why | {"level": ShareLevel(why["level"])})


def _raise(offer_id: UUID, steps: int, **why: Any) -> Raise:
    return Raise(offer_id, steps, WhyRaised(**why))


async def list_baskets(reader: Reader, day: Day) -> list[ListedBasket]:
    """The baskets of one delivery day by household code."""
    items: dict[UUID, list[tuple[str, Goods, ToldItem]]] = {}
    for row in await reader.fetch(_ITEMS, [day[0]], [day[1]], True):
        goods = Goods(row["name"] or row["product_code"], row["unit"], row["step_milliunits"])
        items.setdefault(row["household_id"], []).append((row["product_code"], goods, _item(row)))
    return [
        ListedBasket(
            row["household_id"],
            row["household_code"],
            row["version"],
            row["told_at"],
            row["untold_reason"],
            row["answer"],
            row["reason"],
            tuple(items.get(row["household_id"], ())),
        )
        for row in await reader.fetch(_BASKETS, [day[0]], [day[1]])
    ]


async def list_told_items(conn: Connection, days: Collection[Day]) -> dict[BasketKey, tuple[ToldItem, ...]]:
    """What each household that was told of these days is asked for, but for what trucks have left with."""
    where = [cooperative_id for cooperative_id, _ in days], [delivery_day for _, delivery_day in days]
    versions = await conn.fetch(_BASKETS, *where)
    items: dict[BasketKey, list[ToldItem]] = {}
    for row in await conn.fetch(_ITEMS, *where, False) if versions else ():
        items.setdefault((row["household_id"], row["delivery_day"]), []).append(_item(row))
    keys = [(row["household_id"], row["delivery_day"]) for row in versions]
    return {key: tuple(items.get(key, ())) for key in keys}


async def save_baskets(conn: Connection, versions: Sequence[tuple[UUID, BasketVersion]]) -> None:
    """Stores new versions, each with its cooperative, and the items that they add."""
    await conn.execute(
        "insert into basket_version (cooperative_id, delivery_day, household_id, version) "
        "select * from unnest($1::uuid[], $2::date[], $3::uuid[], $4::bigint[])",
        [cooperative_id for cooperative_id, _ in versions],
        [basket.delivery_day for _, basket in versions],
        [basket.household_id for _, basket in versions],
        [basket.version for _, basket in versions],
    )
    items = [(basket, item) for _, basket in versions for item in basket.added]
    await conn.execute(
        "insert into basket_item (offer_id, household_id, since_version, quantity_steps, pledged_steps, most_steps, "
        "why) select offer_id, household_id, version, quantity_steps, pledged_steps, pledged_steps, why "
        "from unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bigint[], $5::bigint[], $6::jsonb[]) "
        "as x (offer_id, household_id, version, quantity_steps, pledged_steps, why)",
        [item.offer_id for _, item in items],
        [basket.household_id for basket, _ in items],
        [basket.version for basket, _ in items],
        [item.quantity_steps for _, item in items],
        [item.pledged_steps for _, item in items],
        [json.dumps(asdict(item.why)) for _, item in items],
    )


async def save_told(conn: Connection, told: Sequence[Told]) -> None:
    """Notes what became of notices. A receipt stands above a failure, and the first receipt above later ones."""
    await conn.execute(
        "update basket_version v set told_at = t.told_at, untold_reason = t.untold_reason, untold_at = t.untold_at "
        "from (select distinct on (cooperative_id, delivery_day, household_id, version) * "
        "from unnest($1::uuid[], $2::date[], $3::uuid[], $4::bigint[], $5::timestamptz[], $6::text[], "
        "$7::timestamptz[]) with ordinality "
        "as t (cooperative_id, delivery_day, household_id, version, told_at, untold_reason, untold_at, n) "
        "order by cooperative_id, delivery_day, household_id, version, told_at is null, n) t "
        "where (v.cooperative_id, v.delivery_day, v.household_id, v.version) "
        "= (t.cooperative_id, t.delivery_day, t.household_id, t.version) and v.told_at is null "
        "and (t.told_at is not null or v.untold_reason is null)",
        [one.cooperative_id for one in told],
        [one.delivery_day for one in told],
        [one.household_id for one in told],
        [one.version for one in told],
        [one.told_at for one in told],
        [one.untold_reason for one in told],
        [one.untold_at for one in told],
    )


async def list_entries(
    conn: Connection, cooperative_ids: Collection[UUID], first: date, last: date
) -> dict[UUID, dict[EntryKey, FairnessEntry]]:
    """The entries of these cooperatives from `first` to `last`."""
    rows = await conn.fetch(
        "select cooperative_id, delivery_day, household_id, assigned_vnd, fair_vnd from fairness_entry "
        "where cooperative_id = any($1::uuid[]) and delivery_day between $2 and $3",
        list(cooperative_ids),
        first,
        last,
    )
    entries: dict[UUID, dict[EntryKey, FairnessEntry]] = {}
    for row in rows:
        entry = FairnessEntry(row["household_id"], row["assigned_vnd"], row["fair_vnd"])
        entries.setdefault(row["cooperative_id"], {})[row["delivery_day"], row["household_id"]] = entry
    return entries


async def save_entries(conn: Connection, entries: Mapping[tuple[UUID, date, UUID], FairnessEntry]) -> None:
    """Stores entries by (cooperative, delivery day, household), each in place of what it was before."""
    await conn.execute(
        "insert into fairness_entry (cooperative_id, delivery_day, household_id, assigned_vnd, fair_vnd) "
        "select * from unnest($1::uuid[], $2::date[], $3::uuid[], $4::bigint[], $5::bigint[]) "
        "on conflict (cooperative_id, delivery_day, household_id) do update "
        "set assigned_vnd = excluded.assigned_vnd, fair_vnd = excluded.fair_vnd",
        [cooperative_id for cooperative_id, _, _ in entries],
        [delivery_day for _, delivery_day, _ in entries],
        [household_id for _, _, household_id in entries],
        [entry.assigned_vnd for entry in entries.values()],
        [entry.fair_vnd for entry in entries.values()],
    )
