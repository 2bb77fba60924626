"""What opens a provider's API. It is given to who makes the requests, and to nobody else."""

from dataclasses import dataclass, field
from datetime import datetime

import asyncpg

from services.chassis.ledger import Connection

_SPACE = 0x70746F6B
"""Of the advisory locks of this table, any constant of our own."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A provider's tokens. `access` is good until `expires_at`; `refresh` gets the next pair, once."""

    access: str = field(repr=False)
    expires_at: datetime
    refresh: str = field(repr=False)
    seed_sha256: str = field(repr=False)
    refused_at: datetime | None = None


async def get_tokens(conn: "Connection | asyncpg.Pool[asyncpg.Record]", provider: str) -> Stored | None:
    """The provider's, if it has any."""
    row = await conn.fetchrow(
        "select access_token, expires_at, refresh_token, seed_sha256, refused_at from provider_token "
        "where provider = $1",
        provider,
    )
    return Stored(*row.values()) if row else None


async def lock_tokens(conn: Connection, provider: str) -> Stored | None:
    """As `get_tokens`; whoever else comes for them, also where there are none yet, waits for this transaction."""
    await conn.execute("select pg_advisory_xact_lock($1, hashtext($2))", _SPACE, provider)
    return await get_tokens(conn, provider)


async def save_tokens(conn: Connection, provider: str, stored: Stored) -> None:
    """These and no others, from now on."""
    await conn.execute(
        "insert into provider_token (provider, access_token, expires_at, refresh_token, seed_sha256, refused_at) "
        "values ($1, $2, $3, $4, $5, $6) on conflict (provider) do update set access_token = excluded.access_token, "
        "expires_at = excluded.expires_at, refresh_token = excluded.refresh_token, "
        "seed_sha256 = excluded.seed_sha256, refused_at = excluded.refused_at",
        provider,
        stored.access,
        stored.expires_at,
        stored.refresh,
        stored.seed_sha256,
        stored.refused_at,
    )
