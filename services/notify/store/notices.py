"""Notices and their deliveries: made once, claimed by one process, settled once.

A claim commits `sending` before anything leaves; its time is the token without which no result is saved, so a
process that was thought dead cannot overwrite what was decided meanwhile.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from services.chassis.ledger import Connection
from services.notify.domain.contacts import ALERTS, WORK, Step
from services.notify.domain.delivery import Verdict
from services.notify.domain.endpoints import HANGING
from services.notify.domain.notices import ENDPOINT_DISABLED, FACTS, WHOLE, Claim, Notice
from services.notify.store.endpoints import endpoint_of

_FACTS: Mapping[str, "msgspec.json.Decoder[Any]"] = {kind: msgspec.json.Decoder(facts) for kind, facts in FACTS.items()}

_PARTNER_NOTICE = (
    "notice_id", "cooperative_id", "kind", "partner_id", "order_id", "event_id", "sequence", "facts", "happened_at",
    "traceparent", "state", "reason",
)  # fmt: skip
_DELIVERY = ("notice_id", "channel", "state", "queued_at", "next_at")
_PARTNER_DELIVERY = (*_DELIVERY, "reason")

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

OVERTAKEN_BY = f"""
    select newer.notice_id from notice newer where newer.order_id = n.order_id and newer.sequence >= n.sequence
    and (newer.sequence, newer.kind = 'order_cancelled') > (n.sequence, n.kind = 'order_cancelled')
    and newer.kind in ({", ".join(f"'{kind}'" for kind in WHOLE)}) order by newer.sequence desc limit 1
"""  # noqa: S608 - only fixed text
"""The newest message about the order of `n` that says all that `n` says. A cancellation follows what has its place."""

_DUE = """
    delivery d join notice n using (notice_id)
    where d.channel = $1 and d.state = 'queued' and d.next_at <= $2 and (n.partner_id <> all($4::uuid[])) is not false
    and not exists (
        select from partner_endpoint t where t.cooperative_id = n.cooperative_id and t.partner_id = n.partner_id
        and t.throttled_until > $2)
    and not exists (
        select from notice newer where newer.household_id = n.household_id
        and newer.delivery_day = n.delivery_day and newer.version > n.version)
    and not exists (
        select from notice e join delivery f using (notice_id) where e.household_id = n.household_id
        and e.delivery_day = n.delivery_day and e.version < n.version and f.state = 'sending')
    and not exists (
        select from notice e join delivery f using (notice_id) where e.order_id = n.order_id
        and (e.sequence, e.kind = 'order_cancelled') < (n.sequence, n.kind = 'order_cancelled')
        and (f.state = 'sending' or f.state = 'queued' and f.attempts = 0))
"""

_CLAIM = f"""
with due as (
    select d.notice_id, d.channel, d.next_at, n.cooperative_id, n.partner_id from {_DUE}
    and n.partner_id is not distinct from (select n.partner_id from {_DUE} order by d.next_at limit 1)
    order by d.next_at limit $3 for update of d skip locked
), in_turn as (
    select *, row_number() over (partition by cooperative_id, partner_id order by next_at) as place from due
)
update delivery d set state = 'sending', attempts = d.attempts + 1, claimed_at = $2
from in_turn left join partner_endpoint t using (cooperative_id, partner_id)
where (d.notice_id, d.channel) = (in_turn.notice_id, in_turn.channel)
    and (place = 1 or (t.timeouts >= {HANGING} and t.disabled_at is null) is not true)
returning d.notice_id
"""  # noqa: S608 - only fixed text

_CLAIMED = f"""
select n.notice_id, n.cooperative_id, n.kind, n.facts, n.happened_at, n.traceparent, n.household_id, n.delivery_day,
    n.version, n.partner_id, n.order_id, n.event_id, n.sequence, d.channel, d.attempts, d.queued_at, d.claimed_at,
    c.contact_id, c.display_name, c.language, c.address, e.url, e.secret, e.old_secret, e.old_secret_until,
    e.failing_since, e.failures, e.last_failure, e.throttled_until, e.disabled_at, e.disabled_reason, e.timeouts,
    exists ({OVERTAKEN_BY}) as overtaken,
    exists (select from notice o where o.household_id = n.household_id and o.delivery_day = n.delivery_day
        and o.version < n.version and o.state in ('told', 'unknown', 'undeliverable')) as replaces
from delivery d join notice n using (notice_id)
left join lateral (
    select c.contact_id, c.display_name, c.language, a.address
    from contact c join contact_address a using (contact_id) join consent k using (contact_id, channel)
    where c.recipient_id = coalesce(n.household_id, n.cooperative_id) and n.partner_id is null
    and channel = d.channel and a.gone_at is null and k.withdrawn_at is null
    and k.purpose = case n.kind when '{ENDPOINT_DISABLED}' then '{ALERTS}' else '{WORK}' end
    order by c.rank, c.contact_id limit 1) c on true
left join partner_endpoint e on e.cooperative_id = n.cooperative_id and e.partner_id = n.partner_id
where d.channel = $1 and d.state = 'sending'
"""  # noqa: S608 - only fixed text

_SAVE_DELIVERIES = """
update delivery d set state = x.state, attempts = x.attempts, next_at = x.next_at,
    reason = coalesce(x.detail, d.reason), receipt = x.receipt, contact_id = coalesce(x.contact_id, d.contact_id)
from unnest($2::uuid[], $3::timestamptz[], $4::text[], $5::int[], $6::timestamptz[], $7::text[], $8::text[],
    $9::uuid[]) as x (notice_id, claimed_at, state, attempts, next_at, detail, receipt, contact_id)
where d.notice_id = x.notice_id and d.channel = $1 and d.claimed_at = x.claimed_at
    and (d.state = 'sending' or d.state = 'unknown' and x.state = 'told')
returning d.notice_id
"""

_MOVE_WAITING = """
update delivery d set next_at = case when $4 then greatest(d.next_at, $5) else least(d.next_at, $5) end
from notice n where d.channel = $1 and d.state = 'queued' and n.notice_id = d.notice_id
    and n.cooperative_id = $2 and n.partner_id = $3
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


async def insert_partner_notices(
    conn: Connection, notices: Sequence[Notice], channel: str, now: datetime, refused: Mapping[UUID, str]
) -> None:
    """Makes notices that wait for the channel, or that are `refused` at once: from their ids to the reason.

    They have the ids of their events, and are as new as these. What is refused can be sent again like any other.
    """
    if not notices:
        return
    rows = [
        (
            n.notice_id, n.cooperative_id, n.kind, n.partner_id, n.order_id, n.event_id, n.sequence,
            msgspec.json.encode(n.facts).decode(), n.happened_at, n.traceparent,
            "undeliverable" if n.notice_id in refused else "queued", refused.get(n.notice_id),
        )
        for n in notices
    ]  # fmt: skip
    await conn.copy_records_to_table("notice", records=rows, columns=_PARTNER_NOTICE)
    deliveries = [
        (n.notice_id, channel, "refused" if n.notice_id in refused else "queued", now, now, refused.get(n.notice_id))
        for n in notices
    ]
    await conn.copy_records_to_table("delivery", records=deliveries, columns=_PARTNER_DELIVERY)


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


async def last_sequences(conn: Connection, order_ids: Collection[UUID]) -> dict[UUID, int]:
    """The place of the last notice about each of these orders that has any."""
    rows = await conn.fetch(
        "select o.order_id, (select n.sequence from notice n where n.order_id = o.order_id "
        "order by n.sequence desc limit 1) as sequence from unnest($1::uuid[]) as o (order_id)",
        list(order_ids),
    )
    return {r["order_id"]: r["sequence"] for r in rows if r["sequence"] is not None}


async def hold_back(conn: Connection, channel: str, cooperative_id: UUID, partner_id: UUID, until: datetime) -> None:
    """What waits for an endpoint waits at least so long. What comes later waits where it is claimed."""
    await conn.execute(_MOVE_WAITING, channel, cooperative_id, partner_id, True, until)


async def hurry(conn: Connection, channel: str, cooperative_id: UUID, partner_id: UUID, now: datetime) -> None:
    """What waits for an endpoint is due now."""
    await conn.execute(_MOVE_WAITING, channel, cooperative_id, partner_id, False, now)


async def supersede_baskets(conn: Connection, channel: str) -> int:
    """Lets go of waiting baskets that are not the latest and never will be sent; returns how many."""
    return len(await conn.fetch(_SUPERSEDE, channel))


async def claim_due(
    conn: Connection, channel: str, now: datetime, limit: int, busy: Collection[UUID] = ()
) -> list[Claim]:
    """Takes due deliveries in hand for this process: of one partner that is not `busy`, or of households and staff.

    Of a basket only the latest version is taken, and it waits while an older one is being sent. A newer message
    about an order waits until the older one has been tried once. An endpoint that wants a pause has it,
    and one that hangs gets one message to show whether it answers again.
    """
    rows = await conn.fetch(_CLAIM, channel, now, limit, list(busy))
    if not rows:
        return []
    found = await conn.fetch(_CLAIMED + " and d.notice_id = any($2)", channel, [r["notice_id"] for r in rows])
    return [_claim(r) for r in found]


async def list_interrupted(conn: Connection, channel: str, before: datetime, limit: int) -> list[Claim]:
    """Deliveries taken in hand before that time by a process that never said what came of them."""
    rows = await conn.fetch(_CLAIMED + " and d.claimed_at < $2 order by d.claimed_at limit $3", channel, before, limit)
    return [_claim(r) for r in rows]


async def save_results(conn: Connection, channel: str, results: Sequence[tuple[Claim, Verdict]]) -> set[UUID]:
    """Saves what came of claims; returns those of them that were still in this process's hand.

    A late receipt still turns `unknown` into `told`.
    """
    rows = await conn.fetch(
        _SAVE_DELIVERIES,
        channel,
        [claim.notice.notice_id for claim, _ in results],
        [claim.claimed_at for claim, _ in results],
        [verdict.delivery_state for _, verdict in results],
        [verdict.attempts for _, verdict in results],
        [verdict.next_at for _, verdict in results],
        [verdict.detail for _, verdict in results],
        [verdict.receipt for _, verdict in results],
        [claim.contact.contact_id if claim.contact else None for claim, _ in results],
    )
    saved = {r["notice_id"] for r in rows}
    settled = [(c, v) for c, v in results if c.notice.notice_id in saved and v.notice_state != "queued"]
    await conn.execute(
        "update notice n set state = x.state, reason = x.reason, told_at = x.told_at "
        "from unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[]) as x (notice_id, state, reason, told_at) "
        "where n.notice_id = x.notice_id",
        [claim.notice.notice_id for claim, _ in settled],
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
        r["happened_at"], r["traceparent"], r["household_id"], r["delivery_day"], r["version"], r["partner_id"],
        r["order_id"], r["event_id"], r["sequence"],
    )  # fmt: skip
    contact = endpoint = None
    if r["contact_id"] is not None:
        contact = Step(r["contact_id"], r["display_name"], r["language"], None, r["channel"], r["address"])
    if r["url"] is not None:
        endpoint = endpoint_of(r)
    return Claim(
        notice, r["attempts"], r["queued_at"], r["claimed_at"], r["replaces"], contact, endpoint, r["overtaken"]
    )
