"""Notices to people: written down once, climbed by one process at a time, settled once.

Whoever decides on notices locks their recipients' contacts first (`contacts.share_recipients`), then the notices, and
their deliveries last.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from services.chassis.ledger import Connection
from services.notify.domain.ladder import Policy, Times
from services.notify.domain.notices import KINDS, Notice
from services.notify.store.policies import policy_of

_FACTS: Mapping[str, "msgspec.json.Decoder[Any]"] = {
    name: msgspec.json.Decoder(kind.facts) for name, kind in KINDS.items()
}

NOTICE = (
    "n.notice_id, n.cooperative_id, n.kind, n.facts, n.happened_at, n.traceparent, n.household_id, n.delivery_day, "
    "n.version"
)
"""The columns that `notice_of` reads."""

TIMES = "n.not_before, n.alarm_at, n.expires_at"
"""The columns that `times_of` reads."""

_OF_BASKET = ", ".join(f"'{name}'" for name, kind in KINDS.items() if kind.of_basket)

NEWER = f"""
    select from notice newer where newer.recipient_id = n.recipient_id and newer.delivery_day = n.delivery_day
    and newer.kind = case when n.kind in ({_OF_BASKET}) then 'basket' else n.kind end and newer.version > n.version
"""
"""Whether the books no longer know what `n` says."""

_INSERT = """
insert into notice (notice_id, cooperative_id, recipient_id, kind, household_id, delivery_day, version, facts,
    happened_at, traceparent, not_before, alarm_at, expires_at, state)
select *, 'queued' from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::uuid[], $6::date[], $7::int[],
    $8::jsonb[], $9::timestamptz[], $10::text[], $11::timestamptz[], $12::timestamptz[], $13::timestamptz[])
on conflict do nothing
returning notice_id
"""

_LOCK = f"""
select {NOTICE}, n.recipient_id, {TIMES}, c.timezone,
    p.step_s, p.call_before_s, p.gather_s, p.remind_before_s, exists ({NEWER}) as overtaken
from notice n left join cooperative c using (cooperative_id) left join notice_policy p using (cooperative_id)
where n.notice_id = any($1) and n.state = 'queued' order by n.notice_id for update of n
"""  # noqa: S608 - only fixed text

_OVERTAKEN = f"""
select n.notice_id from notice made join notice n
    on (n.recipient_id, n.delivery_day) = (made.recipient_id, made.delivery_day)
where made.notice_id = any($1) and n.state = 'queued' and exists ({NEWER})
"""  # noqa: S608 - only fixed text

_SETTLE = """
update notice n set state = x.state, reason = x.reason
from unnest($1::uuid[], $2::text[], $3::text[]) as x (notice_id, state, reason)
where n.notice_id = x.notice_id and n.state = 'queued'
"""

_TELL = f"""
with told as (
    update notice n set state = 'told', reason = null, told_at = x.told_at, told_by = x.channel
    from unnest($1::uuid[], $2::timestamptz[], $3::text[]) as x (notice_id, told_at, channel)
    where n.notice_id = x.notice_id and n.state <> 'told'
    returning {NOTICE}, n.told_at, n.told_by
), let_go as (
    update delivery d set state = 'superseded' from told where d.notice_id = told.notice_id and d.state = 'queued'
)
select * from told
"""  # noqa: S608 - only fixed text

_REOPEN = f"""
update notice n set state = 'queued', reason = null
where n.recipient_id = $1 and n.state = 'undeliverable' and (n.expires_at is null or n.expires_at > $2)
    and n.happened_at > $3 and not exists ({NEWER}) and (n.kind not in ({_OF_BASKET}) or n.delivery_day >= (
        select ($2 at time zone c.timezone)::date from cooperative c where c.cooperative_id = n.cooperative_id))
returning n.notice_id
"""  # noqa: S608 - only fixed text


@dataclass(frozen=True, slots=True)
class Open:
    """A notice that has not been told, with all that decides on how it goes on.

    `overtaken`: a newer basket stands in its place.
    """

    notice: Notice
    recipient_id: UUID
    times: Times
    timezone: str | None
    policy: Policy | None
    overtaken: bool


async def insert_notices(conn: Connection, notices: Sequence[tuple[Notice, Times]]) -> set[UUID]:
    """Writes them down; returns those that are new: one whose business key exists already is passed over."""
    if not notices:
        return set()
    rows = await conn.fetch(
        _INSERT,
        [n.notice_id for n, _ in notices],
        [n.cooperative_id for n, _ in notices],
        [n.recipient_id for n, _ in notices],
        [n.kind for n, _ in notices],
        [n.household_id for n, _ in notices],
        [n.delivery_day for n, _ in notices],
        [n.version for n, _ in notices],
        [msgspec.json.encode(n.facts).decode() for n, _ in notices],
        [n.happened_at for n, _ in notices],
        [n.traceparent for n, _ in notices],
        [times.not_before for _, times in notices],
        [times.alarm_at for _, times in notices],
        [times.expires_at for _, times in notices],
    )
    return {r["notice_id"] for r in rows}


async def hold(conn: Connection, ids: Collection[UUID]) -> None:
    """Holds these until the transaction ends. To be done before their deliveries are touched, so that none waits
    crosswise.
    """
    await conn.execute("select from notice where notice_id = any($1) order by notice_id for update", list(ids))


async def lock_open(conn: Connection, ids: Collection[UUID]) -> list[Open]:
    """Those of them that have not been told, held until the transaction ends; of kinds that this process knows."""
    rows = await conn.fetch(_LOCK, sorted(ids))
    return [_open(r) for r in rows if r["kind"] in KINDS]


async def list_recipients(conn: Connection, ids: Collection[UUID]) -> set[UUID]:
    """Whom these notices are for."""
    rows = await conn.fetch("select distinct recipient_id from notice where notice_id = any($1)", list(ids))
    return {r["recipient_id"] for r in rows}


async def list_overtaken(conn: Connection, ids: Collection[UUID]) -> set[UUID]:
    """What has not been told and these say anew."""
    rows = await conn.fetch(_OVERTAKEN, list(ids)) if ids else []
    return {r["notice_id"] for r in rows}


async def settle(conn: Connection, settled: Mapping[UUID, tuple[str, str | None]]) -> None:
    """From notice to its state (undeliverable, unknown, superseded) and reason."""
    if not settled:
        return
    await conn.execute(
        _SETTLE, list(settled), [state for state, _ in settled.values()], [reason for _, reason in settled.values()]
    )


async def tell(conn: Connection, told: Mapping[UUID, tuple[datetime, str]]) -> list[tuple[Notice, datetime, str]]:
    """From notice to when and by which channel it was told; what else waits for it is let go. Returns the new ones."""
    if not told:
        return []
    ids = sorted(told)
    rows = await conn.fetch(_TELL, ids, [told[id][0] for id in ids], [told[id][1] for id in ids])
    return [(notice_of(r), r["told_at"], r["told_by"]) for r in rows]


async def reopen(conn: Connection, recipient_id: UUID, now: datetime, since: datetime) -> set[UUID]:
    """What has certainly not reached the recipient and still is of use is to be told after all; returns what."""
    return {r["notice_id"] for r in await conn.fetch(_REOPEN, recipient_id, now, since)}


def notice_of(r: asyncpg.Record) -> Notice:
    """Of a row with the columns `NOTICE`."""
    return Notice(
        r["notice_id"], r["cooperative_id"], r["kind"], _FACTS[r["kind"]].decode(r["facts"]),
        r["happened_at"], r["traceparent"], r["household_id"], r["delivery_day"], r["version"],
    )  # fmt: skip


def times_of(r: asyncpg.Record) -> Times:
    """Of a row with the columns `TIMES`."""
    return Times(r["not_before"], r["alarm_at"], r["expires_at"])


def _open(r: asyncpg.Record) -> Open:
    policy = None if r["step_s"] is None else policy_of(r)
    return Open(notice_of(r), r["recipient_id"], times_of(r), r["timezone"], policy, r["overtaken"])
