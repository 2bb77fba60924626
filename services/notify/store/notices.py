"""Notices to people and their deliveries: made once, claimed by one process, settled once.

A claim commits `sending` before anything leaves; its time is the token without which no result is saved, so a
process that was thought dead cannot overwrite what was decided meanwhile.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from services.chassis.ledger import Connection
from services.notify.domain.delivery import Verdict
from services.notify.domain.notices import ENDPOINT_DISABLED, FACTS, Claim, Contact, Notice, StaffContact

_FACTS: Mapping[str, "msgspec.json.Decoder[Any]"] = {kind: msgspec.json.Decoder(facts) for kind, facts in FACTS.items()}
_KINDS = list(FACTS)
"""Only these are claimed: in a rolling update there may be others already, which this process cannot word."""

_DELIVERY = ("notice_id", "channel", "state", "queued_at", "next_at")

_INSERT = """
with made as (
    insert into notice (notice_id, cooperative_id, kind, household_id, delivery_day, version, facts, happened_at,
        traceparent, state, reason)
    select *, case when $10::text is null then 'queued' else 'undeliverable' end, $10 from unnest($1::uuid[],
        $2::uuid[], $3::text[], $4::uuid[], $5::date[], $6::int[], $7::jsonb[], $8::timestamptz[], $9::text[])
    on conflict do nothing
    returning notice_id, state
), handed_over as (
    insert into delivery (notice_id, channel, state, queued_at, next_at)
    select notice_id, $11, 'queued', $12, $12 from made where state = 'queued'
)
select notice_id from made
"""

_SUPERSEDE = """
with old as (
    select d.notice_id, d.channel from delivery d join notice n using (notice_id)
    where d.channel = $1 and d.state = 'queued' and exists (
        select from notice newer where newer.household_id = n.household_id
        and newer.delivery_day = n.delivery_day and newer.version > n.version)
    for update of d skip locked
), let_go as (
    update delivery d set state = 'superseded' from old where (d.notice_id, d.channel) = (old.notice_id, old.channel)
)
update notice n set state = 'superseded' from old where n.notice_id = old.notice_id returning n.notice_id
"""

_CLAIM = """
with due as (
    select d.notice_id, d.channel from delivery d join notice n using (notice_id)
    where d.channel = $1 and d.state = 'queued' and d.next_at <= $2 and n.kind = any($4::text[])
    and not exists (
        select from notice newer where newer.household_id = n.household_id
        and newer.delivery_day = n.delivery_day and newer.version > n.version)
    and not exists (
        select from notice e join delivery f using (notice_id) where e.household_id = n.household_id
        and e.delivery_day = n.delivery_day and e.version < n.version and f.state = 'sending')
    order by d.next_at limit $3 for update of d skip locked
)
update delivery d set state = 'sending', attempts = d.attempts + 1, claimed_at = $2 from due
where (d.notice_id, d.channel) = (due.notice_id, due.channel)
returning d.notice_id
"""

_CLAIMED = f"""
select n.notice_id, n.cooperative_id, n.kind, n.facts, n.happened_at, n.traceparent, n.household_id, n.delivery_day,
    n.version, d.attempts, d.queued_at, d.claimed_at, c.email, c.display_name, c.language, s.email as staff_email,
    s.display_name as staff_name, s.language as staff_language,
    exists (select from notice o where o.household_id = n.household_id and o.delivery_day = n.delivery_day
        and o.version < n.version and o.state in ('told', 'unknown', 'undeliverable')) as replaces
from delivery d join notice n using (notice_id)
left join contact c on c.household_id = n.household_id
left join staff_contact s on s.cooperative_id = n.cooperative_id and n.kind = '{ENDPOINT_DISABLED}'
where d.channel = $1 and d.state = 'sending' and n.kind = any($2::text[])
"""  # noqa: S608 - only fixed text

_SAVE_DELIVERIES = """
update delivery d set state = x.state, attempts = x.attempts, next_at = x.next_at,
    reason = coalesce(x.detail, d.reason), receipt = x.receipt
from unnest($2::uuid[], $3::timestamptz[], $4::text[], $5::int[], $6::timestamptz[], $7::text[], $8::text[])
    as x (notice_id, claimed_at, state, attempts, next_at, detail, receipt)
where d.notice_id = x.notice_id and d.channel = $1 and d.claimed_at = x.claimed_at
    and (d.state = 'sending' or d.state = 'unknown' and x.state = 'told')
returning d.notice_id
"""

_REQUEUE = """
with due as (
    select n.notice_id from notice n join cooperative c using (cooperative_id)
    where n.household_id = $1 and n.state = 'undeliverable'
    and n.delivery_day >= ($3::timestamptz at time zone c.timezone)::date
    and not exists (select from notice newer where newer.household_id = n.household_id
        and newer.delivery_day = n.delivery_day and newer.version > n.version)
    for update of n
), again as (
    insert into delivery (notice_id, channel, state, queued_at, next_at)
    select notice_id, $2, 'queued', $3, $3 from due
    on conflict (notice_id, channel) do update set state = 'queued', attempts = 0, queued_at = $3, next_at = $3,
        claimed_at = null, reason = null, receipt = null
)
update notice n set state = 'queued', reason = null from due where n.notice_id = due.notice_id
"""


async def insert_basket_notices(
    conn: Connection, notices: Sequence[Notice], channel: str, now: datetime, undeliverable: str | None = None
) -> set[UUID]:
    """Makes notices that wait for the channel, or that are undeliverable at once for this reason.

    Returns those that were made: one whose business key exists already is passed over.
    """
    if not notices:
        return set()
    rows = await conn.fetch(
        _INSERT,
        [n.notice_id for n in notices],
        [n.cooperative_id for n in notices],
        [n.kind for n in notices],
        [n.household_id for n in notices],
        [n.delivery_day for n in notices],
        [n.version for n in notices],
        [msgspec.json.encode(n.facts).decode() for n in notices],
        [n.happened_at for n in notices],
        [n.traceparent for n in notices],
        undeliverable,
        channel,
        now,
    )
    return {r["notice_id"] for r in rows}


async def insert_staff_notice(conn: Connection, notice: Notice, channel: str, now: datetime, reach: bool) -> None:
    """Makes a notice to a cooperative's staff, which waits for the channel, or can reach nobody."""
    await conn.execute(
        "insert into notice (notice_id, cooperative_id, kind, facts, happened_at, traceparent, state, reason) "
        "values ($1, $2, $3, $4, $5, $6, $7, $8)",
        notice.notice_id,
        notice.cooperative_id,
        notice.kind,
        msgspec.json.encode(notice.facts).decode(),
        notice.happened_at,
        notice.traceparent,
        "queued" if reach else "undeliverable",
        None if reach else "no_contact",
    )
    if reach:
        waiting = [(notice.notice_id, channel, "queued", now, now)]
        await conn.copy_records_to_table("delivery", records=waiting, columns=_DELIVERY)


async def supersede_baskets(conn: Connection, channel: str) -> int:
    """Lets go of waiting baskets that are not the latest and never will be sent; returns how many."""
    return len(await conn.fetch(_SUPERSEDE, channel))


async def claim_due(conn: Connection, channel: str, now: datetime, limit: int) -> list[Claim]:
    """Takes due deliveries in hand for this process.

    Of a basket only the latest version is taken, and it waits while an older one is being sent.
    """
    rows = await conn.fetch(_CLAIM, channel, now, limit, _KINDS)
    if not rows:
        return []
    ids = [r["notice_id"] for r in rows]
    found = await conn.fetch(_CLAIMED + " and d.notice_id = any($3)", channel, _KINDS, ids)
    return [_claim(r) for r in found]


async def list_interrupted(conn: Connection, channel: str, before: datetime, limit: int) -> list[Claim]:
    """Deliveries taken in hand before that time by a process that never said what came of them."""
    rows = await conn.fetch(
        _CLAIMED + " and d.claimed_at < $3 order by d.claimed_at limit $4", channel, _KINDS, before, limit
    )
    return [_claim(r) for r in rows]


async def save_results(conn: Connection, channel: str, results: Sequence[tuple[Claim, Verdict]]) -> set[UUID]:
    """Saves what came of claims; returns those of them that were still in this process's hand.

    A late receipt still turns `unknown` into `told`.
    """
    rows = await conn.fetch(
        _SAVE_DELIVERIES,
        channel,
        [claim.id for claim, _ in results],
        [claim.claimed_at for claim, _ in results],
        [verdict.delivery_state for _, verdict in results],
        [verdict.attempts for _, verdict in results],
        [verdict.next_at for _, verdict in results],
        [verdict.detail for _, verdict in results],
        [verdict.receipt for _, verdict in results],
    )
    saved = {r["notice_id"] for r in rows}
    settled = [(c, v) for c, v in results if c.id in saved and v.notice_state != "queued"]
    await conn.execute(
        "update notice n set state = x.state, reason = x.reason, told_at = x.told_at "
        "from unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[]) as x (notice_id, state, reason, told_at) "
        "where n.notice_id = x.notice_id",
        [claim.id for claim, _ in settled],
        [verdict.notice_state for _, verdict in settled],
        [verdict.reason for _, verdict in settled],
        [verdict.told_at for _, verdict in settled],
    )
    return saved


async def requeue_baskets(conn: Connection, household_id: UUID, channel: str, now: datetime) -> None:
    """Queues the household's undelivered latest baskets again, except for days that are past where it lives.

    `undeliverable` means certainly not delivered; what may have been delivered is `unknown` and stays so.
    """
    await conn.execute(_REQUEUE, household_id, channel, now)


def _claim(r: asyncpg.Record) -> Claim:
    notice = Notice(
        r["notice_id"], r["cooperative_id"], r["kind"], _FACTS[r["kind"]].decode(r["facts"]),
        r["happened_at"], r["traceparent"], r["household_id"], r["delivery_day"], r["version"],
    )  # fmt: skip
    contact = staff = None
    if r["email"] is not None:
        contact = Contact(r["household_id"], r["email"], r["display_name"], r["language"])
    if r["staff_email"] is not None:
        staff = StaffContact(r["cooperative_id"], r["staff_email"], r["staff_name"], r["staff_language"])
    return Claim(notice, r["attempts"], r["queued_at"], r["claimed_at"], r["replaces"], contact, staff)
