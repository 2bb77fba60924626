"""Consent: what each person agreed to by which channel, with its history; at most one is open for each purpose."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from services.chassis.ids import uuid7
from services.chassis.ledger import Connection
from services.notify.domain.contacts import Consent

_GIVE = """
insert into consent (consent_id, contact_id, channel, purpose, given_at, source, recorded_at, recorded_by)
select consent_id, $1, channel, purpose, given_at, source, recorded_at, recorded_by
from unnest($2::uuid[], $3::text[], $4::text[], $5::timestamptz[], $6::text[], $7::timestamptz[], $8::uuid[])
    as x (consent_id, channel, purpose, given_at, source, recorded_at, recorded_by)
on conflict (contact_id, channel, purpose) where withdrawn_at is null do nothing
returning channel, purpose
"""

Pair = tuple[str, str]
"""A channel and a purpose."""


async def insert_consents(conn: Connection, contact_id: UUID, consents: Iterable[Consent]) -> set[Pair]:
    """Writes consents down; returns those that are new: one that is open already stays as it is."""
    rows = list(consents)
    made = await conn.fetch(
        _GIVE,
        contact_id,
        [uuid7() for _ in rows],
        [one.channel for one in rows],
        [one.purpose for one in rows],
        [one.given_at for one in rows],
        [one.source for one in rows],
        [one.recorded_at for one in rows],
        [one.recorded_by for one in rows],
    )
    return {(r["channel"], r["purpose"]) for r in made}


async def revive_addresses(conn: Connection, contact_id: UUID, consents: Sequence[Consent]) -> set[str]:
    """Who agrees anew to a channel may be reached by it anew. Returns the channels that had been given up."""
    rows = await conn.fetch(
        "update contact_address a set gone_at = null "
        "from unnest($2::text[], $3::timestamptz[]) as x (channel, given_at) "
        "where a.contact_id = $1 and a.channel = x.channel and a.gone_at < x.given_at "
        "returning a.channel",
        contact_id,
        [one.channel for one in consents],
        [one.given_at for one in consents],
    )
    return {r["channel"] for r in rows}


async def withdraw_consents(
    conn: Connection,
    contact_id: UUID,
    channels: Collection[str] | None,
    purposes: Collection[str] | None,
    at: datetime,
    source: str,
    by: UUID | None,
) -> set[Pair]:
    """Ends the open consents for these channels and purposes, None: for all of them; returns those that it ended.

    `by` is the key that says so; None: the person did it itself.
    """
    rows = await conn.fetch(
        "update consent set withdrawn_at = greatest($4, given_at), withdrawn_source = $5, withdrawn_by = $6 "
        "where contact_id = $1 and withdrawn_at is null and ($2::text[] is null or channel = any($2)) "
        "and ($3::text[] is null or purpose = any($3)) returning channel, purpose",
        contact_id,
        None if channels is None else list(channels),
        None if purposes is None else list(purposes),
        at,
        source,
        by,
    )
    return {(r["channel"], r["purpose"]) for r in rows}


async def list_agreed(
    conn: "Connection | asyncpg.Pool[asyncpg.Record]", contact_ids: Collection[UUID]
) -> dict[UUID, set[Pair]]:
    """What each of these persons agrees to now; without those that agree to nothing."""
    agreed: defaultdict[UUID, set[Pair]] = defaultdict(set)
    for r in await conn.fetch(
        "select contact_id, channel, purpose from consent where contact_id = any($1) and withdrawn_at is null",
        list(contact_ids),
    ):
        agreed[r["contact_id"]].add((r["channel"], r["purpose"]))
    return dict(agreed)


async def list_consents(conn: "Connection | asyncpg.Pool[asyncpg.Record]", contact_id: UUID) -> list[Consent]:
    """All that the person ever agreed to, in the order in which it did."""
    rows = await conn.fetch(
        "select channel, purpose, given_at, source, recorded_at, recorded_by, withdrawn_at, withdrawn_source, "
        "withdrawn_by from consent where contact_id = $1 order by given_at, channel, purpose",
        contact_id,
    )
    return [Consent(**dict(r)) for r in rows]
