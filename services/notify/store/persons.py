"""All that is kept about one person, to be handed to it, and its erasure."""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from services.chassis.ledger import Connection

_NOTICES = """
select n.notice_id, n.kind, n.delivery_day, n.happened_at, n.state, n.told_at, n.facts,
    d.channel, d.state as way_state, d.attempts, d.queued_at, d.claimed_at, d.reason
from delivery d join notice n using (notice_id)
where d.contact_id = $1
order by n.notice_id, d.queued_at
"""


@dataclass(frozen=True, slots=True)
class Way:
    """One way by which a notice went to the person; `tried_at` is when it was last taken in hand."""

    channel: str
    state: str
    attempts: int
    queued_at: datetime
    tried_at: datetime | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Told:
    """A notice that was for the person; `facts` are what it said."""

    notice_id: UUID
    kind: str
    delivery_day: date | None
    happened_at: datetime
    state: str
    told_at: datetime | None
    facts: Any
    ways: list[Way] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Replied:
    """What was answered to a basket of the person's household."""

    delivery_day: date
    version: int
    answer: str
    reason: str | None
    lines: Any
    channel: str
    replied_at: datetime


async def list_told(conn: Connection, contact_id: UUID) -> list[Told]:
    """Every notice that went to the person or was to, oldest first, with its ways."""
    found: dict[UUID, Told] = {}
    for r in await conn.fetch(_NOTICES, contact_id):
        told = found.setdefault(
            r["notice_id"],
            Told(
                r["notice_id"], r["kind"], r["delivery_day"], r["happened_at"], r["state"], r["told_at"],
                msgspec.json.decode(r["facts"]),
            ),
        )  # fmt: skip
        told.ways.append(Way(r["channel"], r["way_state"], r["attempts"], r["queued_at"], r["claimed_at"], r["reason"]))
    return list(found.values())


async def list_replied(conn: Connection, household_id: UUID) -> list[Replied]:
    """The household's last answer for each day, oldest first."""
    rows = await conn.fetch(
        "select delivery_day, version, answer, reason, lines, channel, replied_at from basket_reply "
        "where household_id = $1 order by delivery_day",
        household_id,
    )
    return [_replied(r) for r in rows]


async def delete_contact(conn: Connection, contact_id: UUID) -> None:
    """With its addresses and consents."""
    await conn.execute("delete from contact where contact_id = $1", contact_id)


async def insert_erasure(
    conn: Connection, contact_id: UUID, cooperative_id: UUID | None, reason: str, key_id: UUID, now: datetime
) -> None:
    """That the person was erased: by whom, when and why."""
    await conn.execute(
        "insert into contact_erasure (contact_id, cooperative_id, reason, key_id, erased_at) "
        "values ($1, $2, $3, $4, $5)",
        contact_id,
        cooperative_id,
        reason,
        key_id,
        now,
    )


def _replied(r: asyncpg.Record) -> Replied:
    lines = msgspec.json.decode(r["lines"])
    return Replied(r["delivery_day"], r["version"], r["answer"], r["reason"], lines, r["channel"], r["replied_at"])
