"""Shops whose orders are asked for now and then: the key of their API, and how far they were read.

A claim moves `due_at` to the end of its lease, and only who finds it there may write: a process that was thought dead
cannot set the cursor back.
"""

from datetime import datetime
from uuid import UUID

import asyncpg
from msgspec import Struct

from services.chassis.ledger import Connection

_CLAIM = """
with due as (select partner_id from reconciliation where due_at <= $1 order by due_at limit 1 for update skip locked)
update reconciliation r set due_at = $2, attempts = attempts + 1 from due where r.partner_id = due.partner_id
returning r.partner_id, r.consumer_key, r.consumer_secret, r.since, r.seen_until, r.trash_seen_until, r.attempts
"""


class Claim(Struct, frozen=True):
    """A shop that is one process's to read until `until`; `attempts` counts this one."""

    partner_id: UUID
    consumer_key: str
    consumer_secret: str
    since: datetime
    seen_until: datetime
    trash_seen_until: datetime
    attempts: int
    until: datetime

    def __repr__(self) -> str:  # no log may repeat the secret
        return f"Claim({self.partner_id}, until {self.until})"


async def save_key(conn: Connection, partner_id: UUID, key: str, secret: str, now: datetime) -> None:
    """The key from now on. A shop that was not read before is read from now on; another one goes on where it was."""
    await conn.execute(
        "insert into reconciliation (partner_id, consumer_key, consumer_secret, since, seen_until, trash_seen_until, "
        "due_at, done_at) values ($1, $2, $3, $4, $4, $4, $4, $4) on conflict (partner_id) do update set "
        "consumer_key = excluded.consumer_key, consumer_secret = excluded.consumer_secret, "
        "due_at = excluded.due_at, attempts = 0",
        partner_id,
        key,
        secret,
        now,
    )


async def has_key(conn: "Connection | asyncpg.Pool[asyncpg.Record]", partner_id: UUID) -> bool:
    """Whether the partner's shop is read."""
    found: bool = await conn.fetchval(
        "select exists (select from reconciliation where partner_id = $1 and consumer_key <> '')", partner_id
    )
    return found


async def delete_key(conn: Connection, partner_id: UUID) -> None:
    """The partner's shop is not read any more."""
    await conn.execute("delete from reconciliation where partner_id = $1", partner_id)


async def void_key(conn: Connection, partner_id: UUID) -> None:
    """The key opens nothing any more; with another one the shop is read on from where it was."""
    await conn.execute(
        "update reconciliation set consumer_key = '', consumer_secret = '', due_at = 'infinity', last_error = 'no_key' "
        "where partner_id = $1",
        partner_id,
    )


async def claim_due(conn: Connection, now: datetime, until: datetime) -> Claim | None:
    """The shop that is due longest, if one is."""
    row = await conn.fetchrow(_CLAIM, now, until)
    return Claim(**row, until=until) if row else None


async def save_seen(conn: Connection, claim: Claim, seen: datetime, *, in_trash: bool) -> None:
    """How far the shop, or its trash, was read; never back."""
    column = "trash_seen_until" if in_trash else "seen_until"
    await conn.execute(
        f"update reconciliation set {column} = greatest({column}, $3) where partner_id = $1 and due_at = $2",  # noqa: S608
        claim.partner_id,
        claim.until,
        seen,
    )


async def settle(conn: Connection, claim: Claim, due_at: datetime, error: str | None, done_at: datetime | None) -> None:
    """When to read the shop again; `done_at` where it was read to its end."""
    await conn.execute(
        "update reconciliation set due_at = $3, last_error = $4, done_at = coalesce($5, done_at), "
        "attempts = case when $5::timestamptz is null then attempts else 0 end where partner_id = $1 and due_at = $2",
        claim.partner_id,
        claim.until,
        due_at,
        error,
        done_at,
    )


async def find_oldest(conn: Connection) -> datetime | None:
    """Since when the shop that was not read for the longest has not been read to its end."""
    found: datetime | None = await conn.fetchval("select min(done_at) from reconciliation")
    return found
