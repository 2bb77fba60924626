"""What became of notices, for staff to look at; and what waits, for whoever watches the numbers."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import asyncpg

from services.chassis.ledger import Connection
from services.notify.domain.contacts import WEBHOOK
from services.notify.store.notices import NEWER

_OPEN = """
select channel, case when attempts = 0 and next_at > $2 then 'postponed' else state end as state, count(*),
    min(queued_at) as oldest
from delivery where state = 'queued' group by 1, 2
union all
select channel, state, count(*), min(queued_at) from delivery where state = 'sending' group by 1, 2
union all
select channel, state, count(*), min(queued_at) from delivery where state = 'sent' group by 1, 2
union all
select $1, state, count(*), min(queued_at) from partner_message where next_at is not null group by 2
"""

_PRESSING = f"""
select (select count(*) from notice n
        where n.state = 'queued' and n.alarm_at <= $1 and not exists ({NEWER})) as notices,
    (select min(received_at) from words where read_at is null and became in ('not_understood', 'not_asked', 'stranger')
        and (became = 'stranger') = (cooperative_id is null) and received_at > $1 - interval '7 days') as oldest_words
"""  # noqa: S608 - only fixed text

_STRAYS = (
    "select channel, count(*) from stray_receipt "
    "where kept_at <= $1::timestamptz - interval '10 minutes' group by channel"
)


@dataclass(frozen=True, slots=True)
class Open:
    """What one channel has to tell and is not settled: how much, and since when the oldest of it waits."""

    channel: str
    state: str
    count: int
    oldest: datetime


async def count_open(conn: Connection, now: datetime) -> list[Open]:
    """By channel and state: `postponed` until its time has come, `queued`, `sending`, or `sent`: awaiting a receipt."""
    rows = await conn.fetch(_OPEN, WEBHOOK, now)
    return [Open(r["channel"], r["state"], r["count"], r["oldest"]) for r in rows]


@dataclass(frozen=True, slots=True)
class Pressing:
    """What people must see to before it is too late.

    `notices`: not told, and so late that nobody may have read them in time. `oldest_words`: since when something waits
    to be read, of the last week. `strays`: by channel the receipts that belong to no message of ours.
    """

    notices: int
    oldest_words: datetime | None
    strays: Mapping[str, int]


async def count_pressing(conn: Connection, now: datetime) -> Pressing:
    """Of all cooperatives. A receipt that was only faster than our own commit is no stray one."""
    found = await conn.fetchrow(_PRESSING, now)
    strays = {r["channel"]: r["count"] for r in await conn.fetch(_STRAYS, now)}
    assert found is not None
    return Pressing(found["notices"], found["oldest_words"], strays)


@dataclass(frozen=True, slots=True)
class Listed:
    """A notice for staff to look at; never with contact details."""

    notice_id: UUID
    kind: str
    household_id: UUID | None
    delivery_day: date | None
    version: int | None
    state: str
    channel: str | None
    attempts: int
    happened_at: datetime
    told_at: datetime | None
    reason: str | None


async def list_notices(
    pool: "asyncpg.Pool[asyncpg.Record]",
    cooperative_id: UUID,
    delivery_day: date | None,
    state: str | None,
    before: UUID | None,
    limit: int,
) -> list[Listed]:
    """A cooperative's notices to its households and staff, newest first, those made before `before`."""
    wanted: list[tuple[str, object]] = [("n.cooperative_id = ", cooperative_id)]
    wanted += [("n.delivery_day = ", delivery_day)] if delivery_day else []
    wanted += [("n.state = ", state)] if state else []
    wanted += [("n.notice_id < ", before)] if before else []
    conditions = " and ".join(f"{condition}${place}" for place, (condition, _) in enumerate(wanted, 2))
    rows = await pool.fetch(
        "select n.notice_id, n.kind, n.household_id, n.delivery_day, n.version, n.state, "  # noqa: S608 - only fixed text and placeholders
        "coalesce(n.told_by, d.channel) as channel, coalesce(d.attempts, 0) as attempts, n.happened_at, n.told_at, "
        "coalesce(n.reason, case when n.state = 'queued' then d.reason end) as reason "
        "from notice n left join lateral (select channel, attempts, reason from delivery "
        "  where notice_id = n.notice_id order by queued_at desc, delivery_id desc limit 1) d on true "
        f"where {conditions} order by n.notice_id desc limit $1",
        limit,
        *(value for _, value in wanted),
    )
    return [Listed(**dict(r)) for r in rows]
