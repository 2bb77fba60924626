"""Orders to be pulled from their platforms: told of by pushes, claimed by one process, settled or put back.

A claim moves `due_at` to the end of its lease, and only who finds it there may settle: a push that came meanwhile has
moved it again. So nothing that was told of is lost, whoever dies on the way. Rows are locked in the order of their
keys.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
from msgspec import Struct

from services.chassis.ledger import Connection

ALONE_FROM = 4
"""Faults of an order after which it is not asked for together with others, lest it is the one at which they fail."""

_TELL = """
with told as (
    select partner_id, partner_ref, updated_at, max(status) as status, array_agg(distinct key) as keys from (
        select *, rank() over (partition by partner_id, partner_ref order by updated_at desc) as age
        from unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[], $5::text[])
            as x (partner_id, partner_ref, key, updated_at, status)
    ) x where age = 1 group by 1, 2, 3
)
insert into pull as p (partner_id, partner_ref, updated_at, status, keys, told_at, due_at)
select partner_id, partner_ref, updated_at, status, keys, $6, $6 from told order by partner_id, partner_ref
on conflict (partner_id, partner_ref) do update set updated_at = excluded.updated_at, status = excluded.status,
    keys = case when p.updated_at = excluded.updated_at then p.keys || excluded.keys else excluded.keys end,
    told_at = case when p.due_at is null then excluded.told_at else p.told_at end,
    due_at = excluded.due_at, gave_up_at = null, attempts = 0, faults = 0
where p.updated_at is null or excluded.updated_at > p.updated_at
    or (excluded.updated_at = p.updated_at and not excluded.keys <@ p.keys)
returning partner_id, partner_ref
"""

_TELL_UNTIMED = """
insert into pull as p (partner_id, partner_ref, status, keys, told_at, due_at)
select partner_id, partner_ref, max(status), array_agg(distinct key), $5, $5
from unnest($1::uuid[], $2::text[], $3::text[], $4::text[]) as x (partner_id, partner_ref, key, status)
group by partner_id, partner_ref order by partner_id, partner_ref
on conflict (partner_id, partner_ref) do update set keys = p.keys || excluded.keys,
    told_at = case when p.due_at is null then excluded.told_at else p.told_at end,
    due_at = excluded.due_at, gave_up_at = null, attempts = 0, faults = 0
where not excluded.keys <@ p.keys
returning partner_id, partner_ref
"""

_READY = """
select t.partner_id, p.adapter, t.at_once, t.failures from platform_token t join partner p using (partner_id)
cross join lateral (
    select due_at from pull where pull.partner_id = t.partner_id and due_at <= $1 order by due_at limit 1
) oldest
where t.next_call_at <= $1 and p.adapter = any($2) order by oldest.due_at limit 1 for no key update of t skip locked
"""

_CLAIM = """
with oldest as (
    select faults >= $5 as alone from pull where partner_id = $1 and due_at <= $2 order by due_at, partner_ref limit 1
), due as (
    select p.partner_ref from pull p, oldest
    where p.partner_id = $1 and p.due_at <= $2 and (oldest.alone or p.faults < $5) order by p.due_at, p.partner_ref
    limit (select case when alone then 1 else $3 end from oldest) for update of p skip locked
)
update pull p set due_at = $4, attempts = attempts + 1 from due
where p.partner_id = $1 and p.partner_ref = due.partner_ref
returning p.partner_ref, p.updated_at, p.told_at, p.attempts, p.faults
"""

_SETTLE = """
with mine as (
    select p.partner_ref, x.due_at, x.error, x.is_fault, x.gave_up_at
    from pull p
    join unnest($3::text[], $4::timestamptz[], $5::text[], $6::bool[], $7::timestamptz[])
        as x (ref, due_at, error, is_fault, gave_up_at) on x.ref = p.partner_ref
    where p.partner_id = $1 and p.due_at = $2 order by p.partner_ref for update of p
)
update pull p set due_at = mine.due_at, last_error = mine.error, gave_up_at = mine.gave_up_at,
    attempts = case when mine.due_at is null and mine.gave_up_at is null then 0 else p.attempts end,
    faults = case when mine.due_at is null then 0 else p.faults + mine.is_fault::int end
from mine where p.partner_id = $1 and p.partner_ref = mine.partner_ref
"""

_OLDEST = """
select p.adapter, count(q.due_at) as waiting,
    min(q.told_at) filter (where q.due_at is not null and q.last_error is distinct from $1) as told_at,
    count(*) filter (where q.gave_up_at is not null and q.last_error is distinct from $1) as given_up
from pull q join partner p using (partner_id) where q.due_at is not null or q.gave_up_at is not null group by p.adapter
"""

_LIST = """
select partner_ref, status, told_at, attempts, due_at, gave_up_at, last_error from pull
where partner_id = $1 and partner_ref > $2 and case when $3 then gave_up_at is not null else due_at is not null end
order by partner_ref limit $4
"""


class Told(Struct, frozen=True):
    """One push that names an order; see `adapters.base.Pull`."""

    partner_id: UUID
    partner_ref: str
    key: str
    updated_at: datetime | None
    status: str


class Claimed(Struct, frozen=True):
    """An order to be pulled now: as new as its newest push says, if one does; `attempts` counts this one.

    `faults`: how often it failed because of itself.
    """

    partner_ref: str
    updated_at: datetime | None
    told_at: datetime
    attempts: int
    faults: int


class Ready(Struct, frozen=True):
    """A partner whose platform may be asked: for how many orders at once, after how many failures in a row."""

    partner_id: UUID
    adapter: str
    at_once: int
    failures: int


class Claim(Struct, frozen=True):
    """Orders of one partner that are one process's to pull until `until`."""

    partner_id: UUID
    until: datetime
    orders: Sequence[Claimed]

    @property
    def is_last_resort(self) -> bool:
        """Whether it is of an order that has failed too often because of itself."""
        return len(self.orders) == 1 and self.orders[0].faults >= ALONE_FROM


class Settled(Struct, frozen=True):
    """What became of one order of a claim: `due_at` None where nothing more is asked, `gave_up_at` where in vain."""

    partner_ref: str
    due_at: datetime | None
    error: str | None
    is_fault: bool
    gave_up_at: datetime | None = None


class Waiting(Struct, frozen=True):
    """What waits at one platform; `told_at`: since when an order does of which it does not say that there is none.

    `given_up`: how many others, of which it does not say so, are not asked for any more.
    """

    orders: int
    told_at: datetime | None
    given_up: int


class Unpulled(Struct, frozen=True):
    """An order that was told of and is not here: it waits (`due_at`), or is not asked for any more (`gave_up_at`)."""

    partner_ref: str
    status: str
    told_at: datetime
    attempts: int
    due_at: datetime | None
    gave_up_at: datetime | None
    last_error: str | None


async def save_told(conn: Connection, told: Sequence[Told], now: datetime) -> set[tuple[UUID, str]]:
    """Makes due what is news; returns it as (partner, reference). The same push again, and an older one, is none."""
    timed = [one for one in told if one.updated_at is not None]
    untimed = [one for one in told if one.updated_at is None]
    rows = []
    if timed:
        columns = _columns(timed)
        rows += await conn.fetch(_TELL, *columns[:3], [one.updated_at for one in timed], columns[3], now)
    if untimed:
        rows += await conn.fetch(_TELL_UNTIMED, *_columns(untimed), now)
    return {(row["partner_id"], row["partner_ref"]) for row in rows}


def _columns(told: Sequence[Told]) -> tuple[list[UUID], list[str], list[str], list[str]]:
    return (
        [one.partner_id for one in told],
        [one.partner_ref for one in told],
        [one.key for one in told],
        [one.status for one in told],
    )


async def is_any_ready(conn: Connection, adapters: Sequence[str], now: datetime) -> bool:
    """Whether an order is due of a partner that may be asked now; locks nothing."""
    found: bool = await conn.fetchval(
        "select exists (select from platform_token t join partner p using (partner_id) "
        "where t.next_call_at <= $1 and p.adapter = any($2) "
        "and exists (select from pull where pull.partner_id = t.partner_id and due_at <= $1))",
        now,
        adapters,
    )
    return found


async def find_ready(conn: Connection, adapters: Sequence[str], now: datetime) -> Ready | None:
    """Of whose orders one has waited longest among those that may be asked now; its token is locked."""
    row = await conn.fetchrow(_READY, now, adapters)
    return Ready(**row) if row else None


async def claim_due(conn: Connection, partner_id: UUID, now: datetime, most: int, until: datetime) -> Claim:
    """The partner's orders that have waited longest; one that failed ALONE_FROM times fails by itself."""
    rows = await conn.fetch(_CLAIM, partner_id, now, most, until, ALONE_FROM)
    found = [Claimed(**row) for row in rows]
    return Claim(partner_id, until, found)


async def settle(conn: Connection, claim: Claim, settled: Sequence[Settled]) -> None:
    """Those of which another push came meanwhile stay due."""
    await conn.execute(
        _SETTLE,
        claim.partner_id,
        claim.until,
        [one.partner_ref for one in settled],
        [one.due_at for one in settled],
        [one.error for one in settled],
        [one.is_fault for one in settled],
        [one.gave_up_at for one in settled],
    )


async def make_due(conn: Connection, partner_id: UUID, now: datetime) -> None:
    """What waits is asked for now."""
    await conn.execute(
        "update pull set due_at = $2 where partner_id = $1 and due_at is not null and due_at > $2", partner_id, now
    )


async def retry(conn: Connection, partner_id: UUID, refs: Sequence[str] | None, now: datetime) -> int:
    """What was given up is asked for again, all of it or what is named; returns how many orders that are."""
    done = await conn.execute(
        "update pull set due_at = $3, told_at = $3, gave_up_at = null, attempts = 0, faults = 0 "
        "where partner_id = $1 and gave_up_at is not null and ($2::text[] is null or partner_ref = any($2))",
        partner_id,
        refs,
        now,
    )
    return int(done.split()[-1])


async def list_unpulled(
    conn: "Connection | asyncpg.Pool[asyncpg.Record]", partner_id: UUID, after: str, limit: int, *, given_up: bool
) -> list[Unpulled]:
    """The partner's orders that were given up, or that wait; in the order of their references, from `after` on."""
    return [Unpulled(**row) for row in await conn.fetch(_LIST, partner_id, after, given_up, limit)]


async def delete_pulls(conn: Connection, partner_id: UUID, refs: Sequence[str]) -> int:
    """The orders are asked for no more, unless another push tells of them; returns how many were known."""
    done = await conn.execute("delete from pull where partner_id = $1 and partner_ref = any($2)", partner_id, refs)
    return int(done.split()[-1])


async def list_waiting(conn: Connection, not_found: str) -> dict[str, Waiting]:
    """What waits, by adapter; `not_found` is the error of an order that its platform does not know."""
    rows = await conn.fetch(_OLDEST, not_found)
    return {row["adapter"]: Waiting(row["waiting"], row["told_at"], row["given_up"]) for row in rows}
