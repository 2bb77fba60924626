"""Delivery days after their cut-off: what is asked of the households, what they have answered, and until when."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime
from uuid import UUID

import asyncpg

from services.allocation.domain.asked import (
    Answer,
    AskedBasket,
    AskedDay,
    AskedItem,
    AskedOffer,
    Changed,
    ReplyPolicy,
    Silence,
)
from services.allocation.domain.cut_off import Means
from services.allocation.domain.market_day import Footing, MarketDay
from services.allocation.domain.policies import DayPolicies
from services.allocation.domain.shortfall import SharingRule
from services.allocation.store import Day, Reader
from services.chassis.ledger import Connection

_DAYS = """
select m.* from unnest($1::uuid[], $2::date[]) as d (cooperative_id, delivery_day)
join market_day m using (cooperative_id, delivery_day)
"""

_OFFERS = """
select o.cooperative_id, o.delivery_day, o.offer_id, p.code, o.step_value_vnd, o.assigned_steps, o.missing_steps,
    o.step_grams, o.arrive_by_at
from unnest($1::uuid[], $2::date[]) as d (cooperative_id, delivery_day)
join offer o using (cooperative_id, delivery_day) join product p using (product_id)
where o.assigned and not o.settled order by p.code collate "C", o.offer_id
"""

_BASKETS = """
select b.* from unnest($1::uuid[], $2::date[]) as d (cooperative_id, delivery_day)
join basket b using (cooperative_id, delivery_day) order by b.household_id
"""

# A pledge of which nothing was ever asked has no item.
_ITEMS = """
select o.cooperative_id, o.delivery_day, g.household_id, g.offer_id, coalesce(i.quantity_steps, 0) as quantity_steps,
    coalesce(i.most_steps, g.quantity_steps) as most_steps, coalesce(i.confirmed_steps, 0) as confirmed_steps
from unnest($1::uuid[], $2::date[]) as d (cooperative_id, delivery_day)
join offer o using (cooperative_id, delivery_day) join pledge g using (offer_id)
left join basket_item i using (offer_id, household_id)
where o.assigned and not o.settled and g.quantity_steps > 0 order by g.offer_id
"""


_DUE = """
select m.cooperative_id, m.delivery_day, m.round_no from market_day m
where m.open and m.reply_by_at <= $1 and ($2::uuid[] is null or m.cooperative_id = any($2)) and (
    not exists (
        select from basket b join basket_version v using (cooperative_id, delivery_day, household_id, version)
        where (b.cooperative_id, b.delivery_day, b.round_no) = (m.cooperative_id, m.delivery_day, m.round_no)
        and b.answer is null and (
            coalesce(v.told_at, case when v.untold_reason is not null then coalesce(v.untold_at, '-infinity') end)
            <= $1 - make_interval(mins => m.reply_minutes)
        ) is not true)
    or (select min(o.arrive_by_at) from offer o
        where (o.cooperative_id, o.delivery_day) = (m.cooperative_id, m.delivery_day)
        and o.assigned and not o.settled) <= $1)
order by m.reply_by_at, m.cooperative_id limit $3
"""


async def list_market_days(conn: Connection, days: Collection[Day]) -> dict[Day, MarketDay]:
    """The days that have closed, each with the offers that are not settled, baskets and items. Four statements."""
    where = [cooperative_id for cooperative_id, _ in days], [delivery_day for _, delivery_day in days]
    rows = await conn.fetch(_DAYS, *where)
    if not rows:
        return {}
    offers: dict[Day, list[asyncpg.Record]] = {}
    for row in await conn.fetch(_OFFERS, *where):
        offers.setdefault(_day(row), []).append(row)
    items: dict[tuple[UUID, date, UUID], list[AskedItem]] = {}
    for row in await conn.fetch(_ITEMS, *where):
        item = AskedItem(row["offer_id"], row["quantity_steps"], row["most_steps"], row["confirmed_steps"])
        items.setdefault((*_day(row), row["household_id"]), []).append(item)
    baskets: dict[Day, list[asyncpg.Record]] = {}
    for row in await conn.fetch(_BASKETS, *where):
        baskets.setdefault(_day(row), []).append(row)
    return {_day(row): _market_day(row, offers.get(_day(row), ()), baskets.get(_day(row), ()), items) for row in rows}


def _day(row: asyncpg.Record) -> Day:
    return row["cooperative_id"], row["delivery_day"]


def _market_day(
    row: asyncpg.Record,
    offers: Collection[asyncpg.Record],
    baskets: Collection[asyncpg.Record],
    items: Mapping[tuple[UUID, date, UUID], Sequence[AskedItem]],
) -> MarketDay:
    asked = AskedDay(
        policy=ReplyPolicy(Silence(row["silence"]), row["rounds"]),
        round_no=row["round_no"],
        last_round_no=row["last_round_no"],
        open=row["open"],
        offers=tuple(map(_offer, offers)),
        baskets=tuple(
            AskedBasket(
                basket["household_id"],
                basket["version"],
                basket["round_no"],
                tuple(items.get((*_day(row), basket["household_id"]), ())),
                Answer(basket["answer"]) if basket["answer"] else None,
                basket["reason"],
            )
            for basket in baskets
        ),
    )
    return MarketDay(
        asked,
        DayPolicies(row["reply_minutes"], SharingRule(row["shortfall_rule"]), row["fee_permille"]),
        {b["household_id"]: Footing(Means(b["weight"], b["load_grams"]), b["memory_vnd"]) for b in baskets},
        min((offer["arrive_by_at"] for offer in offers), default=None),
        row["reply_by_at"],
    )


def _offer(row: asyncpg.Record) -> AskedOffer:
    return AskedOffer(
        row["offer_id"],
        row["code"],
        row["step_value_vnd"],
        row["assigned_steps"],
        row["missing_steps"],
        row["step_grams"],
    )


async def save_market_days(conn: Connection, before: Mapping[Day, MarketDay], after: Mapping[Day, MarketDay]) -> None:
    """Stores what has changed of the days since they were listed; a day that was not there is new."""
    changed = {day: books for day, books in after.items() if before.get(day) != books}
    if not changed:
        return
    await conn.execute(
        "insert into market_day as m (cooperative_id, delivery_day, silence, rounds, reply_minutes, shortfall_rule, "
        "fee_permille, round_no, last_round_no, open, reply_by_at) select * from unnest($1::uuid[], $2::date[], "
        "$3::text[], $4::int[], $5::int[], $6::text[], $7::int[], $8::int[], $9::int[], $10::bool[], "
        "$11::timestamptz[]) "
        "on conflict (cooperative_id, delivery_day) do update set round_no = excluded.round_no, "
        "last_round_no = excluded.last_round_no, open = excluded.open, reply_by_at = excluded.reply_by_at",
        [cooperative_id for cooperative_id, _ in changed],
        [delivery_day for _, delivery_day in changed],
        [books.asked.policy.silence for books in changed.values()],
        [books.asked.policy.rounds for books in changed.values()],
        [books.policies.reply_minutes for books in changed.values()],
        [books.policies.shortfall_rule for books in changed.values()],
        [books.policies.fee_permille for books in changed.values()],
        [books.asked.round_no for books in changed.values()],
        [books.asked.last_round_no for books in changed.values()],
        [books.asked.open for books in changed.values()],
        [books.reply_by_at for books in changed.values()],
    )
    known = {day: {b.household_id: b for b in before[day].asked.baskets} if day in before else {} for day in changed}
    baskets = [
        (day, basket)
        for day, books in changed.items()
        for basket in books.asked.baskets
        if known[day].get(basket.household_id) != basket
    ]
    await _save_baskets(conn, baskets, changed)
    await _save_items(conn, [basket for _, basket in baskets])
    await _save_missing(conn, before, changed)


async def _save_baskets(
    conn: Connection, baskets: Sequence[tuple[Day, AskedBasket]], days: Mapping[Day, MarketDay]
) -> None:
    footings = [days[day].footings[basket.household_id] for day, basket in baskets]
    await conn.execute(
        "insert into basket (cooperative_id, delivery_day, household_id, version, weight, memory_vnd, load_grams, "
        "round_no, answer, reason) select * from unnest($1::uuid[], $2::date[], $3::uuid[], $4::bigint[], "
        "$5::bigint[], $6::bigint[], $7::bigint[], $8::int[], $9::text[], $10::text[]) "
        "on conflict (cooperative_id, delivery_day, household_id) do update set version = excluded.version, "
        "round_no = excluded.round_no, answer = excluded.answer, reason = excluded.reason",
        [cooperative_id for (cooperative_id, _), _ in baskets],
        [delivery_day for (_, delivery_day), _ in baskets],
        [basket.household_id for _, basket in baskets],
        [basket.version for _, basket in baskets],
        [footing.means.weight for footing in footings],
        [footing.memory_vnd for footing in footings],
        [footing.means.load_grams for footing in footings],
        [basket.round_no for _, basket in baskets],
        [basket.answer for _, basket in baskets],
        [basket.reason for _, basket in baskets],
    )


async def _save_items(conn: Connection, baskets: Sequence[AskedBasket]) -> None:
    """A pledge of which nothing is asked, and of which all could be, has no item.

    Items that were first asked for when others could not bring theirs are of no version of the plan (0).
    """
    items = [(basket, item) for basket in baskets for item in basket.items]
    await conn.execute(
        "insert into basket_item as i (offer_id, household_id, since_version, quantity_steps, pledged_steps, "
        "most_steps, confirmed_steps) select x.offer_id, x.household_id, 0, x.quantity_steps, "
        "g.quantity_steps, x.most_steps, x.confirmed_steps from unnest($1::uuid[], $2::uuid[], $3::bigint[], "
        "$4::bigint[], $5::bigint[]) as x (offer_id, household_id, quantity_steps, most_steps, "
        "confirmed_steps) join pledge g using (offer_id, household_id) "
        "where x.quantity_steps > 0 or x.most_steps < g.quantity_steps "
        "on conflict (offer_id, household_id) do update set quantity_steps = excluded.quantity_steps, "
        "most_steps = excluded.most_steps, confirmed_steps = excluded.confirmed_steps "
        "where (i.quantity_steps, i.most_steps, i.confirmed_steps) "
        "<> (excluded.quantity_steps, excluded.most_steps, excluded.confirmed_steps)",
        [item.offer_id for _, item in items],
        [basket.household_id for basket, _ in items],
        [item.quantity_steps for _, item in items],
        [item.most_steps for _, item in items],
        [item.confirmed_steps for _, item in items],
    )


async def save_changes(conn: Connection, changes: Sequence[tuple[Day, Changed]]) -> None:
    """Stores new versions of baskets, and why items were raised."""
    await conn.execute(
        "insert into basket_version (cooperative_id, delivery_day, household_id, version) "
        "select * from unnest($1::uuid[], $2::date[], $3::uuid[], $4::bigint[])",
        [cooperative_id for (cooperative_id, _), _ in changes],
        [delivery_day for (_, delivery_day), _ in changes],
        [changed.basket.household_id for _, changed in changes],
        [changed.basket.version for _, changed in changes],
    )
    raises: dict[tuple[UUID, UUID], list[dict[str, object]]] = {}
    for _, changed in changes:
        for one in changed.raised:
            said = {"steps": one.more_steps} | asdict(one.why)
            raises.setdefault((one.offer_id, changed.basket.household_id), []).append(said)
    await conn.execute(
        "update basket_item i set raises = i.raises || x.raises from unnest($1::uuid[], $2::uuid[], $3::jsonb[]) "
        "as x (offer_id, household_id, raises) where (i.offer_id, i.household_id) = (x.offer_id, x.household_id)",
        [offer_id for offer_id, _ in raises],
        [household_id for _, household_id in raises],
        [json.dumps(said) for said in raises.values()],
    )


async def _save_missing(conn: Connection, before: Mapping[Day, MarketDay], after: Mapping[Day, MarketDay]) -> None:
    had = {offer.offer_id: offer.missing_steps for books in before.values() for offer in books.asked.offers}
    missing = {
        offer.offer_id: offer.missing_steps
        for books in after.values()
        for offer in books.asked.offers
        if offer.missing_steps != had.get(offer.offer_id, 0)
    }
    if missing:
        await conn.execute(
            "update offer o set missing_steps = x.steps from unnest($1::uuid[], $2::bigint[]) as x (offer_id, steps) "
            "where o.offer_id = x.offer_id",
            list(missing),
            list(missing.values()),
        )


async def list_due_days(
    reader: Reader, now: datetime, limit: int, cooperative_ids: Collection[UUID] | None = None
) -> list[tuple[UUID, date, int]]:
    """Days whose open round can be answered no more, the longest waiting first, with the number of the round.

    A round waits for whoever has not answered and was not told yet, or too late for its whole time to answer; it is
    over in any case when the goods must be there.
    """
    rows = await reader.fetch(
        _DUE,
        now,
        None if cooperative_ids is None else list(cooperative_ids),
        limit,
    )
    return [(row["cooperative_id"], row["delivery_day"], row["round_no"]) for row in rows]
