"""Settlements by month: which months are to be told, what they hold, and what households were told of them."""

from collections import defaultdict
from collections.abc import Collection
from datetime import date, datetime
from uuid import UUID

import msgspec

from services.chassis.ledger import Connection
from services.notify.domain.facts import MonthSettlementFacts, SettledDay

Month = tuple[UUID, date]
"""A cooperative, and the first day of a month."""

_FACTS = msgspec.json.Decoder(MonthSettlementFacts)

_TAKE = """
with due as (
    select m.cooperative_id, m.month from month_to_tell m join cooperative c using (cooperative_id)
    where (m.month + interval '1 month 8 hours') at time zone c.timezone <= $1
    order by m.month, m.cooperative_id limit $2 for update of m skip locked
)
delete from month_to_tell m using due where (m.cooperative_id, m.month) = (due.cooperative_id, due.month)
returning m.cooperative_id, m.month
"""

_SETTLED = """
with wanted as (
    select cooperative_id, month, (month + interval '1 month')::date as ends
    from unnest($1::uuid[], $2::date[]) as x (cooperative_id, month)
)
select w.month, w.cooperative_id, s.household_id, s.delivery_day, s.gross_vnd, s.fee_vnd, s.net_vnd,
    null::uuid as correction_id
from wanted w join settled_day s
    on s.cooperative_id = w.cooperative_id and s.delivery_day >= w.month and s.delivery_day < w.ends
union all
select w.month, w.cooperative_id, s.household_id, s.delivery_day, s.amount_vnd, 0, s.amount_vnd, s.correction_id
from wanted w join settlement_correction s
    on s.cooperative_id = w.cooperative_id and s.delivery_day >= w.month and s.delivery_day < w.ends
order by household_id, delivery_day, correction_id nulls first
"""


async def note_changes(conn: Connection, months: Collection[Month], now: datetime) -> None:
    """Something of these months was settled; they are told when they are over, again if they were told before.

    Whoever takes them passes over those that a transaction under way has noted, so that it sees what that changes.
    """
    in_order = sorted(months)  # one order everywhere, so that two transactions cannot lock crosswise
    await conn.execute(
        "insert into month_to_tell (cooperative_id, month, changed_at) "
        "select cooperative_id, month, $3 from unnest($1::uuid[], $2::date[]) as x (cooperative_id, month) "
        "on conflict (cooperative_id, month) do update set changed_at = excluded.changed_at",
        [cooperative_id for cooperative_id, _ in in_order],
        [month for _, month in in_order],
        now,
    )


async def take_due(conn: Connection, now: datetime, limit: int) -> list[Month]:
    """Takes months off the list that ended before 8 in the morning of today in the cooperative's zone."""
    rows = await conn.fetch(_TAKE, now, limit)
    return sorted((r["cooperative_id"], r["month"]) for r in rows)


async def list_settled(conn: Connection, months: Collection[Month]) -> dict[Month, dict[UUID, tuple[SettledDay, ...]]]:
    """By month and household its days; what was corrected counts as a day of its own, without a fee."""
    rows = await conn.fetch(_SETTLED, [cooperative_id for cooperative_id, _ in months], [month for _, month in months])
    found: defaultdict[Month, dict[UUID, tuple[SettledDay, ...]]] = defaultdict(dict)
    for r in rows:
        day = SettledDay(r["delivery_day"], r["gross_vnd"], r["fee_vnd"], r["net_vnd"])
        own = found[r["cooperative_id"], r["month"]]
        own[r["household_id"]] = (*own.get(r["household_id"], ()), day)
    return dict(found)


async def list_last_words(
    conn: Connection, households: Collection[tuple[UUID, date]]
) -> dict[tuple[UUID, date], tuple[int, tuple[SettledDay, ...]]]:
    """By (household, month) the newest notice of it: its version, and the days that it names."""
    rows = await conn.fetch(
        "select distinct on (n.recipient_id, n.delivery_day) n.recipient_id, n.delivery_day, n.version, n.facts "
        "from notice n join unnest($1::uuid[], $2::date[]) as x (recipient_id, delivery_day) "
        "using (recipient_id, delivery_day) where n.kind = 'settlement_month' "
        "order by n.recipient_id, n.delivery_day, n.version desc",
        [household_id for household_id, _ in households],
        [month for _, month in households],
    )
    return {(r["recipient_id"], r["delivery_day"]): (r["version"], _FACTS.decode(r["facts"]).days) for r in rows}
