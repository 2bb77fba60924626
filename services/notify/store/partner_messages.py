"""Messages to partners: written once, taken in hand in batches of one endpoint, settled once.

A batch commits `sending` and the endpoint's `taken_at` before anything leaves. That time is the token without which no
result is saved, so a process that was thought dead cannot overwrite what was decided meanwhile.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from services.chassis.ledger import Connection
from services.notify.domain.endpoints import HANGING, Endpoint
from services.notify.domain.partner_messages import (
    ENDPOINT_IS_DISABLED,
    FACTS,
    LASTING,
    WHOLE,
    MessageClaim,
    PartnerMessage,
    Verdict,
)
from services.notify.store.endpoints import COLUMNS, Key, endpoint_of

_FACTS: Mapping[str, "msgspec.json.Decoder[Any]"] = {kind: msgspec.json.Decoder(facts) for kind, facts in FACTS.items()}
_KINDS = list(FACTS)
"""Only these are taken in hand: in a rolling update there may be others already, which this process cannot word."""

_COLUMNS = (
    "message_id", "cooperative_id", "partner_id", "order_id", "kind", "sequence", "facts", "happened_at", "traceparent",
)  # fmt: skip
_WRITTEN = (*_COLUMNS, "queued_at", "state", "next_at", "reason", "receipt")
_MESSAGE = ", ".join(f"m.{column}" for column in _COLUMNS)

OVERTAKEN_BY = f"""
    select newer.message_id from partner_message newer where newer.order_id = m.order_id
    and newer.sequence >= m.sequence
    and (newer.sequence, newer.kind = 'order_cancelled') > (m.sequence, m.kind = 'order_cancelled')
    and newer.kind in ({", ".join(f"'{kind}'" for kind in WHOLE)}) and m.kind <> '{LASTING}'
    order by newer.sequence desc limit 1
"""  # noqa: S608 - only fixed text
"""The newest message about the order of `m` that says all that `m` says. A cancellation follows what has its place."""

_WAITING = """
with recursive waiting as (
    (select cooperative_id, partner_id from partner_message where next_at is not null
    order by cooperative_id, partner_id limit 1)
    union all
    select following.* from waiting w cross join lateral (
        select cooperative_id, partner_id from partner_message
        where next_at is not null and (cooperative_id, partner_id) > (w.cooperative_id, w.partner_id)
        order by cooperative_id, partner_id limit 1) following
)
"""
"""Whose messages wait: a leap through the index from one endpoint to the next, however many wait for each."""

_FREE = "m.kind = any($3::text[]) and (m.state = 'queued' or m.claimed_at <= $1::timestamptz - $2::interval)"
"""In nobody's hand: what a process had that is no more is free again when its time is over."""

_DUE = f"""
    m.next_at <= $1 and {_FREE} and not exists (
        select from partner_message e where e.order_id = m.order_id and e.next_at is not null
        and (e.sequence, e.kind = 'order_cancelled') < (m.sequence, m.kind = 'order_cancelled')
        and (e.state = 'sending' or e.attempts = 0))
"""

_TAKE_ENDPOINT = f"""
{_WAITING}, turn as (
    select e.cooperative_id, e.partner_id from waiting join partner_endpoint e using (cooperative_id, partner_id)
    where e.disabled_at is null and (e.throttled_until > $1) is not true and (e.taken_until > $1) is not true
    and exists (select from partner_message m
        where m.cooperative_id = e.cooperative_id and m.partner_id = e.partner_id and {_DUE})
    order by e.taken_at nulls first, e.cooperative_id, e.partner_id limit 1 for update of e skip locked
)
update partner_endpoint e set taken_at = $1, taken_until = $1 + $2::interval from turn
where e.cooperative_id = turn.cooperative_id and e.partner_id = turn.partner_id
returning {", ".join(f"e.{column}" for column in COLUMNS)}
"""  # noqa: S608 - only fixed text

_TAKE = f"""
with batch as (
    select m.message_id from partner_message m where m.cooperative_id = $4 and m.partner_id = $5 and {_DUE}
    order by m.next_at limit $6 for update skip locked
)
update partner_message m set state = 'sending', attempts = attempts + 1, claimed_at = $1 from batch
where m.message_id = batch.message_id
returning {_MESSAGE}, m.attempts, m.queued_at, m.claimed_at,
    exists ({OVERTAKEN_BY}) as overtaken
"""  # noqa: S608 - only fixed text

_RELEASE = """
update partner_endpoint set taken_until = null where cooperative_id = $1 and partner_id = $2 and taken_at = $3
"""

_LET_GO = f"""
{_WAITING}, nowhere as (
    select cooperative_id, partner_id,
        case when e.url is null then 'no_endpoint' else '{ENDPOINT_IS_DISABLED}' end as reason
    from waiting left join partner_endpoint e using (cooperative_id, partner_id)
    where e.url is null or e.disabled_at is not null
), idle as (
    select m.message_id, nowhere.reason, exists ({OVERTAKEN_BY}) as overtaken
    from nowhere join partner_message m using (cooperative_id, partner_id)
    where m.next_at is not null and {_FREE} limit $4 for update of m skip locked
)
update partner_message m set next_at = null, state = case when overtaken then 'superseded' else 'undeliverable' end,
    reason = case when not overtaken then idle.reason end,
    receipt = case when overtaken then receipt else idle.reason end
from idle where m.message_id = idle.message_id
returning {_MESSAGE}, m.state, m.reason
"""  # noqa: S608 - only fixed text

_SAVE = """
update partner_message m set state = x.state, attempts = x.attempts, next_at = x.next_at, told_at = x.told_at,
    reason = x.reason, receipt = coalesce(x.receipt, m.receipt)
from unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::int[], $5::timestamptz[], $6::timestamptz[], $7::text[],
    $8::text[]) as x (message_id, claimed_at, state, attempts, next_at, told_at, reason, receipt)
where m.message_id = x.message_id and m.claimed_at = x.claimed_at and m.state = 'sending'
returning m.message_id
"""

_LAST_SEQUENCES = """
select o.order_id, (select m.sequence from partner_message m where m.order_id = o.order_id
    order by m.sequence desc limit 1) as sequence from unnest($1::uuid[]) as o (order_id)
"""

_HURRY = """
update partner_message set next_at = $3
where cooperative_id = $1 and partner_id = $2 and next_at > $3 and state = 'queued'
"""


async def insert_messages(
    conn: Connection, messages: Sequence[PartnerMessage], now: datetime, refused: Mapping[UUID, str]
) -> None:
    """Makes messages that wait for their endpoint, or that are `refused` at once: from their ids to the reason.

    What is refused can be sent again like any other.
    """
    if not messages:
        return
    rows = [
        (
            m.message_id, m.cooperative_id, m.partner_id, m.order_id, m.kind, m.sequence,
            msgspec.json.encode(m.facts).decode(), m.happened_at, m.traceparent, now,
            "undeliverable" if m.message_id in refused else "queued", None if m.message_id in refused else now,
            refused.get(m.message_id), refused.get(m.message_id),
        )
        for m in messages
    ]  # fmt: skip
    await conn.copy_records_to_table("partner_message", records=rows, columns=_WRITTEN)


async def last_sequences(conn: Connection, order_ids: Collection[UUID]) -> dict[UUID, int]:
    """The place of the last message about each of these orders that has any."""
    rows = await conn.fetch(_LAST_SEQUENCES, list(order_ids))
    return {r["order_id"]: r["sequence"] for r in rows if r["sequence"] is not None}


async def take_batch(conn: Connection, now: datetime, lease: timedelta, limit: int) -> list[MessageClaim]:
    """Takes due messages of one endpoint in hand for this process; for so long nobody else takes any of it.

    It is the endpoint that waited longest for its turn, of those that take messages now. One that hangs gets one
    message to show whether it answers again. A newer message about an order waits until the older one has been tried.
    """
    row = await conn.fetchrow(_TAKE_ENDPOINT, now, lease, _KINDS)
    if row is None:
        return []
    endpoint = endpoint_of(row)
    key = (endpoint.cooperative_id, endpoint.partner_id)
    most = 1 if endpoint.health.timeouts >= HANGING else limit
    rows = await conn.fetch(_TAKE, now, lease, _KINDS, *key, most)
    if not rows:  # somebody sees to what was due at this moment
        await release_endpoint(conn, key, now)
    return [_claim(r, endpoint) for r in rows]


async def release_endpoint(conn: Connection, key: Key, token: datetime) -> None:
    """The batch with this token is settled, so that the next one may be taken."""
    await conn.execute(_RELEASE, *key, token)


async def let_go(
    conn: Connection, now: datetime, lease: timedelta, limit: int
) -> list[tuple[PartnerMessage, str, str | None]]:
    """Settles what waits for an endpoint that is disabled or gone: each message with its state and the reason."""
    rows = await conn.fetch(_LET_GO, now, lease, _KINDS, limit)
    return [(_message(r), r["state"], r["reason"]) for r in rows]


async def save_results(conn: Connection, results: Sequence[tuple[MessageClaim, Verdict]]) -> set[UUID]:
    """Saves what came of claims; returns those of them that were still in this process's hand."""
    rows = await conn.fetch(
        _SAVE,
        [claim.id for claim, _ in results],
        [claim.claimed_at for claim, _ in results],
        [verdict.state for _, verdict in results],
        [verdict.attempts for _, verdict in results],
        [verdict.next_at if verdict.state == "queued" else None for _, verdict in results],
        [verdict.told_at for _, verdict in results],
        [verdict.reason for _, verdict in results],
        [verdict.receipt or verdict.detail for _, verdict in results],
    )
    return {r["message_id"] for r in rows}


async def hurry(conn: Connection, cooperative_id: UUID, partner_id: UUID, now: datetime) -> None:
    """What waits for an endpoint is due now."""
    await conn.execute(_HURRY, cooperative_id, partner_id, now)


def _message(r: asyncpg.Record) -> PartnerMessage:
    return PartnerMessage(
        r["message_id"], r["cooperative_id"], r["partner_id"], r["order_id"], r["kind"], r["sequence"],
        _FACTS[r["kind"]].decode(r["facts"]), r["happened_at"], r["traceparent"],
    )  # fmt: skip


def _claim(r: asyncpg.Record, endpoint: Endpoint) -> MessageClaim:
    return MessageClaim(_message(r), endpoint, r["attempts"], r["queued_at"], r["claimed_at"], r["overtaken"])
