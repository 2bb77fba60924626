"""The call list: whom a person has to tell, because no channel could, or may not in time."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import asyncpg

from services.chassis.ledger import Connection
from services.notify.domain.notices import CALLED_KINDS, Notice
from services.notify.store.notices import NEWER, NOTICE, notice_of

_LISTED = f"""
    n.state in ('queued', 'undeliverable', 'unknown') and n.kind = any($1)
    and (n.state <> 'queued' or n.alarm_at <= $2) and (n.expires_at is null or n.expires_at > $2)
    and n.happened_at > $2 - interval '3 days' and not exists ({NEWER})
"""
"""What stands on the call list now ($2); $1 are the kinds that are called."""

_LIST = f"""
select {NOTICE}, n.state, n.reason, n.alarm_at, n.expires_at, n.calls, n.called_at, h.code,
    array(select distinct row(c.rank, c.display_name, a.address)
        from contact c join contact_address a using (contact_id)
        where c.recipient_id = n.recipient_id and a.channel in ('sms', 'zalo')) as people
from notice n left join household h using (household_id)
where {_LISTED} and n.cooperative_id = $3
order by n.expires_at, n.notice_id limit $4
"""  # noqa: S608 - only fixed text

_COUNT = f"""
select n.cooperative_id, count(distinct n.household_id), min(n.expires_at) as first_at,
    count(*) filter (where n.staff_told_at is null) as new
from notice n where {_LISTED} group by n.cooperative_id
"""  # noqa: S608 - only fixed text

_TELL_STAFF = f"""
update notice set staff_told_at = $2 where notice_id = any(array(
    select n.notice_id from notice n where {_LISTED} and n.cooperative_id = any($3) and n.staff_told_at is null
    order by n.notice_id for update))
"""  # noqa: S608 - only fixed text


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody of the household, and under which number."""

    name: str = field(repr=False)
    phone: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Call:
    """One notice that a person has to tell. `state`: `undeliverable`, `unknown` (may have arrived), or still `queued`.

    `call_by_at` is after when it is of no use any more.
    """

    notice: Notice
    state: str
    reason: str | None
    call_by_at: datetime | None
    calls: int
    called_at: datetime | None
    household_code: str | None
    people: tuple[Person, ...]


@dataclass(frozen=True, slots=True)
class Pressing:
    """How many households of a cooperative are to be called, and by when the first; `new`: staff do not know yet."""

    cooperative_id: UUID
    count: int
    first_at: datetime | None
    new: int


async def list_calls(
    conn: "Connection | asyncpg.Pool[asyncpg.Record]", cooperative_id: UUID, now: datetime, limit: int
) -> list[Call]:
    """The most pressing first."""
    rows = await conn.fetch(_LIST, CALLED_KINDS, now, cooperative_id, limit)
    return [
        Call(
            notice_of(r), r["state"], r["reason"], r["expires_at"], r["calls"], r["called_at"], r["code"],
            tuple(Person(name, phone) for _, name, phone in sorted(map(tuple, r["people"]))),
        )
        for r in rows
    ]  # fmt: skip


async def count_calls(conn: Connection, now: datetime) -> list[Pressing]:
    """Of every cooperative that has any."""
    rows = await conn.fetch(_COUNT, CALLED_KINDS, now)
    return [Pressing(r["cooperative_id"], r["count"], r["first_at"], r["new"]) for r in rows]


async def tell_staff(conn: Connection, cooperative_ids: Collection[UUID], now: datetime) -> None:
    """From now on the staff of these know whom to call."""
    await conn.execute(_TELL_STAFF, CALLED_KINDS, now, list(cooperative_ids))


async def note_call(conn: Connection, cooperative_id: UUID, notice_ids: Collection[UUID], now: datetime) -> set[UUID]:
    """Somebody called about these; returns those that are the cooperative's and not told yet."""
    rows = await conn.fetch(
        "update notice set calls = calls + 1, called_at = $3 where cooperative_id = $1 and notice_id = any($2) "
        "and kind = any($4) and state in ('queued', 'undeliverable', 'unknown') returning notice_id",
        cooperative_id,
        list(notice_ids),
        now,
        CALLED_KINDS,
    )
    return {r["notice_id"] for r in rows}
