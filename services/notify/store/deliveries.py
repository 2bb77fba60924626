"""The ways by which notices go, each a delivery: made by the ladder, claimed by one process, settled once.

A claim commits `sending` before anything leaves; its time is the token without which no result is saved, so a
process that was thought dead cannot overwrite what was decided meanwhile.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import asyncpg

from services.chassis.ledger import Connection
from services.notify.domain.contacts import QuietHours
from services.notify.domain.ladder import LAPSED, Delivery, Go, Times, Verdict
from services.notify.domain.notices import KINDS, Notice
from services.notify.store.contacts import quiet_of
from services.notify.store.notices import NEWER, NOTICE, TIMES, notice_of, times_of

_INSERT = """
insert into delivery (delivery_id, notice_id, contact_id, channel, state, queued_at, next_at, step_by_at)
select delivery_id, notice_id, contact_id, channel, 'queued', $7, next_at, step_by_at
from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::timestamptz[], $6::timestamptz[])
    as x (delivery_id, notice_id, contact_id, channel, next_at, step_by_at)
on conflict (notice_id, contact_id, channel) do update set delivery_id = excluded.delivery_id, state = 'queued',
    attempts = 0, queued_at = $7, next_at = excluded.next_at, step_by_at = excluded.step_by_at, claimed_at = null,
    reason = null, provider_id = null, receipt = null
    where delivery.state = 'superseded'
"""

_CLAIM = f"""
with due as (
    select d.delivery_id from delivery d cross join lateral (
        select from (select * from notice where notice_id = d.notice_id offset 0) n
        where n.state = 'queued' and n.kind = any($4) and d.step_by_at > $2
        and not exists ({NEWER})
        and not exists (
            select from notice e join delivery f using (notice_id) where e.recipient_id = n.recipient_id
            and e.delivery_day = n.delivery_day and e.kind = n.kind and e.version < n.version and f.state = 'sending')
        offset 0
    ) sayable
    where d.channel = $1 and d.state = 'queued' and d.next_at <= $2
    order by d.next_at limit $3 for update of d skip locked
)
update delivery d set state = 'sending', attempts = d.attempts + 1, claimed_at = $2 from due
where d.delivery_id = due.delivery_id returning d.delivery_id
"""  # noqa: S608 - only fixed text
"""`offset 0` keeps the planner from joining all that waits where it believes that little does: a plan made on a quiet
morning took 15 s for the first 1,000 baskets of the day.
"""

_CLAIMED = f"""
select {NOTICE}, {TIMES}, n.recipient_id, d.delivery_id, d.contact_id, d.channel, d.attempts, d.claimed_at,
    d.step_by_at, c.display_name, c.language, c.quiet_from, c.quiet_until, v.timezone, a.address,
    exists (select from consent k where k.contact_id = d.contact_id and k.channel = d.channel
        and k.purpose = p.purpose and k.withdrawn_at is null) as agreed,
    exists (select from notice o where o.recipient_id = n.recipient_id and o.delivery_day = n.delivery_day
        and o.kind = n.kind and o.version < n.version
        and (o.state in ('told', 'unknown', 'undeliverable')
            or exists (select from delivery s
                where s.notice_id = o.notice_id and s.state in ('sent', 'lapsed', 'unknown', 'told')))
    ) as replaces
from delivery d join notice n using (notice_id)
join unnest($1::text[], $2::text[]) as p (kind, purpose) on p.kind = n.kind
left join cooperative v on v.cooperative_id = n.cooperative_id
left join contact c using (contact_id)
left join contact_address a on a.contact_id = d.contact_id and a.channel = d.channel and a.gone_at is null
"""  # noqa: S608 - only fixed text

_SAVE = """
update delivery d set attempts = x.attempts, next_at = x.next_at,
    state = case when x.state = 'queued' and not exists (
        select from notice n where n.notice_id = d.notice_id and n.state = 'queued') then 'superseded' else x.state end,
    reason = coalesce(x.reason, d.reason), provider_id = x.provider_id, receipt = x.receipt, step_by_at = x.step_by_at
from unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::int[], $5::timestamptz[], $6::timestamptz[], $7::text[],
        $8::text[], $9::text[])
    as x (delivery_id, claimed_at, state, attempts, next_at, step_by_at, reason, provider_id, receipt)
where d.delivery_id = x.delivery_id and d.claimed_at = x.claimed_at
    and (d.state = 'sending' or d.state in ('unknown', 'lapsed', 'queued') and x.state = 'told'
        or d.state = 'unknown' and x.state = 'sent')
returning d.delivery_id
"""

_DELIVERIES = """
select notice_id, delivery_id, contact_id, channel, state, step_by_at, reason from delivery
where notice_id = any($1) order by delivery_id
"""

_RENEW = """
update delivery d set state = 'superseded' from notice n
where d.contact_id = $1 and d.channel = any($2) and n.notice_id = d.notice_id
    and n.state in ('queued', 'undeliverable') and n.happened_at > $4
    and (d.state = 'refused' or d.state = 'lapsed' and (d.provider_id is null or d.channel = any($3)))
"""

_ABANDONED = """
select delivery_id, notice_id from delivery where state = 'sending' and claimed_at < $1 order by channel, claimed_at
limit $2
"""

_LATE = """
select distinct notice_id from (
    select d.notice_id from delivery d where d.step_by_at <= $1 and d.state in ('queued', 'sent', 'unknown')
    and (select n.state = 'queued' and n.kind = any($3) from notice n where n.notice_id = d.notice_id)
    order by d.step_by_at limit $2
) late
"""
"""Each notice is looked up by itself: a join reads all that is open, however little of it is late."""

_LAPSE_SETTLED = """
update delivery set state = 'lapsed' where delivery_id = any(array(
    select d.delivery_id from delivery d join notice n using (notice_id)
    where d.step_by_at <= $1 and d.state in ('queued', 'sent', 'unknown') and n.state <> 'queued'
    order by d.step_by_at limit $2 for update of d skip locked))
returning channel
"""


@dataclass(frozen=True, slots=True)
class Claim:
    """A way that this process alone may take now; `claimed_at` is its token when the result is saved.

    `address` is None where the contact is gone (and then so is its name), has no such address any more or has withdrawn
    its consent.
    `replaces` says that an earlier version may have reached the household. `quiet` is what the contact wants now.
    """

    notice: Notice
    times: Times
    timezone: str | None
    recipient_id: UUID
    delivery_id: UUID
    contact_id: UUID
    channel: str
    attempts: int
    claimed_at: datetime
    step_by_at: datetime
    replaces: bool
    address: str | None = field(repr=False)
    to_name: str | None = field(repr=False)
    language: str
    quiet: QuietHours | None

    @property
    def id(self) -> UUID:
        """Under which the channel reports on it."""
        return self.delivery_id


async def insert_deliveries(conn: Connection, made: Sequence[tuple[UUID, UUID, Go]], now: datetime) -> None:
    """(delivery, notice, what comes next). One that was let go before is taken up again, as another message."""
    if not made:
        return
    await conn.execute(
        _INSERT,
        [delivery_id for delivery_id, _, _ in made],
        [notice_id for _, notice_id, _ in made],
        [go.step.contact_id for _, _, go in made],
        [go.step.channel for _, _, go in made],
        [go.begin_at for _, _, go in made],
        [go.step_by_at for _, _, go in made],
        now,
    )


async def list_deliveries(conn: Connection, notice_ids: Collection[UUID]) -> dict[UUID, list[Delivery]]:
    """By notice, in the order in which they were made."""
    found: defaultdict[UUID, list[Delivery]] = defaultdict(list)
    for r in await conn.fetch(_DELIVERIES, list(notice_ids)):
        found[r["notice_id"]].append(
            Delivery(r["delivery_id"], r["contact_id"], r["channel"], r["state"], r["step_by_at"], r["reason"])
        )
    return dict(found)


async def save_states(conn: Connection, states: Sequence[tuple[UUID, str]]) -> list[str]:
    """Deliveries that have had their time or are let go; one that is just being sent stays as it is.

    Returns the channel of each that has lapsed now.
    """
    if not states:
        return []
    rows = await conn.fetch(
        "update delivery d set state = x.state from unnest($1::uuid[], $2::text[]) as x (delivery_id, state) "
        "where d.delivery_id = x.delivery_id and d.state in ('queued', 'sent', 'unknown') returning d.channel, d.state",
        [delivery_id for delivery_id, _ in states],
        [state for _, state in states],
    )
    return [r["channel"] for r in rows if r["state"] == LAPSED]


async def renew(
    conn: Connection, contact_id: UUID, channels: Collection[str], moved: Collection[str], since: datetime
) -> None:
    """What certainly did not arrive by these may be tried again: there is another address, or a new consent.

    What a provider has, and never reported, only where the address is another one now: by the channels that `moved`.
    """
    await conn.execute(_RENEW, contact_id, list(channels), list(moved), since)


async def claim_due(
    conn: Connection, channel: str, now: datetime, limit: int, kinds: Collection[str] = tuple(KINDS)
) -> list[Claim]:
    """Takes due deliveries in hand for this process.

    Of a basket only the latest version is taken, and it waits while an older one is being sent.
    """
    rows = await conn.fetch(_CLAIM, channel, now, limit, list(kinds))
    return await list_claims(conn, [r["delivery_id"] for r in rows]) if rows else []


async def list_claims(conn: Connection, delivery_ids: Sequence[UUID]) -> list[Claim]:
    """Those that are in hand, with all that is needed to send them."""
    rows = await conn.fetch(
        f"{_CLAIMED} where d.delivery_id = any($3) order by d.next_at, d.delivery_id", *_purposes(), list(delivery_ids)
    )
    return [_claim(r) for r in rows]


async def list_interrupted(conn: Connection, channel: str, before: datetime, limit: int) -> list[Claim]:
    """Deliveries taken in hand before that time by a process that never said what came of them."""
    rows = await conn.fetch(
        f"{_CLAIMED} where d.channel = $3 and d.state = 'sending' and d.claimed_at < $4 order by d.claimed_at limit $5",
        *_purposes(),
        channel,
        before,
        limit,
    )
    return [_claim(r) for r in rows]


async def save_results(conn: Connection, results: Sequence[tuple[Claim, Verdict]]) -> set[UUID]:
    """Saves what came of claims; returns those deliveries that were still in this process's hand.

    A late receipt still settles what counted as unknown.
    """
    rows = await conn.fetch(
        _SAVE,
        [claim.delivery_id for claim, _ in results],
        [claim.claimed_at for claim, _ in results],
        [verdict.state for _, verdict in results],
        [verdict.attempts for _, verdict in results],
        [verdict.next_at for _, verdict in results],
        [verdict.step_by_at for _, verdict in results],
        [verdict.reason for _, verdict in results],
        [verdict.provider_id for _, verdict in results],
        [verdict.receipt for _, verdict in results],
    )
    return {r["delivery_id"] for r in rows}


async def list_abandoned(conn: Connection, before: datetime, limit: int) -> dict[UUID, UUID]:
    """By delivery the notice of what was taken in hand before that time, by whatever channel."""
    rows = await conn.fetch(_ABANDONED, before, limit)
    return {r["delivery_id"]: r["notice_id"] for r in rows}


async def abandon(conn: Connection, delivery_ids: Collection[UUID], now: datetime) -> None:
    """Nobody will say any more what came of these."""
    await conn.execute(
        "update delivery set state = 'unknown', reason = 'outcome_unknown', step_by_at = least(step_by_at, $2) "
        "where delivery_id = any($1) and state = 'sending'",
        list(delivery_ids),
        now,
    )


async def list_late(conn: Connection, now: datetime, limit: int) -> list[UUID]:
    """Notices with a way that has had its time; the longest overdue first."""
    return [r["notice_id"] for r in await conn.fetch(_LATE, now, limit, list(KINDS))]


async def lapse_settled(conn: Connection, now: datetime, limit: int) -> list[str]:
    """Ways that had their time while the notice was settled otherwise; a receipt may still come. Returns the channel
    of each.
    """
    return [r["channel"] for r in await conn.fetch(_LAPSE_SETTLED, now, limit)]


def _purposes() -> tuple[list[str], list[str]]:
    return list(KINDS), [kind.purpose for kind in KINDS.values()]


def _claim(r: asyncpg.Record) -> Claim:
    return Claim(
        notice_of(r), times_of(r), r["timezone"], r["recipient_id"], r["delivery_id"], r["contact_id"], r["channel"],
        r["attempts"], r["claimed_at"], r["step_by_at"], r["replaces"], r["address"] if r["agreed"] else None,
        r["display_name"], r["language"] or "vi", quiet_of(r),
    )  # fmt: skip
