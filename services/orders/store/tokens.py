"""What opens the platforms' APIs. It is given to who makes the requests, and to nobody else."""

from datetime import datetime
from uuid import UUID

import asyncpg
from msgspec import Struct

from services.chassis.ledger import Connection
from services.orders.domain.token import Token

_COLUMNS = "app_secret, access_token, refresh_token, expires_at, refused_at"


class Stored(Struct, frozen=True):
    """A partner's token, and the app's secret where it is another than the partner's own."""

    app_secret: str | None
    token: Token
    refused_at: datetime | None = None

    def __repr__(self) -> str:  # no log may repeat it
        return f"Stored({self.token})"


class Pace(Struct, frozen=True):
    """Not before when, and for how many orders at the most, the platform is asked; `failures` in a row are behind."""

    next_call_at: datetime
    at_once: int
    failures: int


async def save_credentials(conn: Connection, partner_id: UUID, stored: Stored, now: datetime) -> None:
    """These and no others, from now on."""
    await conn.execute(
        "insert into platform_token (partner_id, app_secret, access_token, refresh_token, expires_at, next_call_at) "
        "values ($1, $2, $3, $4, $5, $6) on conflict (partner_id) do update set app_secret = excluded.app_secret, "
        "access_token = excluded.access_token, refresh_token = excluded.refresh_token, "
        "expires_at = excluded.expires_at, next_call_at = excluded.next_call_at, "
        "refreshing_until = null, refused_at = null, failures = 0",
        partner_id,
        stored.app_secret,
        stored.token.access,
        stored.token.refresh,
        stored.token.expires_at,
        now,
    )


async def get_credentials(conn: "Connection | asyncpg.Pool[asyncpg.Record]", partner_id: UUID) -> Stored | None:
    """The partner's, if it has any."""
    row = await conn.fetchrow(f"select {_COLUMNS} from platform_token where partner_id = $1", partner_id)  # noqa: S608
    return _stored(row) if row else None


async def lock_credentials(conn: Connection, partner_id: UUID) -> Stored | None:
    """As `get_credentials`; nobody else changes them before the transaction ends."""
    row = await conn.fetchrow(
        f"select {_COLUMNS} from platform_token where partner_id = $1 for no key update",  # noqa: S608
        partner_id,
    )
    return _stored(row) if row else None


def _stored(row: asyncpg.Record) -> Stored:
    token = Token(row["access_token"], row["refresh_token"], row["expires_at"])
    return Stored(row["app_secret"], token, row["refused_at"])


async def lease_refresh(conn: Connection, partner_id: UUID, now: datetime, until: datetime) -> bool:
    """Whether the next token is the caller's to get, and nobody else's before `until`."""
    done = await conn.execute(
        "update platform_token set refreshing_until = $3 "
        "where partner_id = $1 and (refreshing_until is null or refreshing_until <= $2)",
        partner_id,
        now,
        until,
    )
    return done == "UPDATE 1"


async def save_token(conn: Connection, partner_id: UUID, used: Token, token: Token) -> bool:
    """The next token takes the place of the one that was `used` for it; not that of any other."""
    done = await conn.execute(
        "update platform_token set access_token = $3, refresh_token = $4, expires_at = $5, refused_at = null, "
        "refreshing_until = null where partner_id = $1 and refresh_token = $2",
        partner_id,
        used.refresh,
        token.access,
        token.refresh,
        token.expires_at,
    )
    return done == "UPDATE 1"


async def end_refresh(conn: Connection, partner_id: UUID, used: Token) -> None:
    """No token was to be had with the `used` one: whoever needs one may try."""
    await conn.execute(
        "update platform_token set refreshing_until = null where partner_id = $1 and refresh_token = $2",
        partner_id,
        used.refresh,
    )


async def save_refusal(conn: Connection, partner_id: UUID, refused: Token, now: datetime) -> None:
    """The seller has to authorise the app again, unless there is another token meanwhile."""
    await conn.execute(
        "update platform_token set refused_at = coalesce(refused_at, $3), refreshing_until = null "
        "where partner_id = $1 and refresh_token = $2",
        partner_id,
        refused.refresh,
        now,
    )


async def lease_calls(conn: Connection, partner_id: UUID, until: datetime) -> None:
    """Nobody else asks the platform for this partner before then."""
    await conn.execute("update platform_token set next_call_at = $2 where partner_id = $1", partner_id, until)


async def settle_calls(conn: Connection, partner_id: UUID, until: datetime, pace: Pace) -> None:
    """How the platform is asked after the calls that were leased `until`; nothing where staff have set that anew."""
    await conn.execute(
        "update platform_token set next_call_at = $3, at_once = $4, failures = $5 "
        "where partner_id = $1 and next_call_at = $2",
        partner_id,
        until,
        pace.next_call_at,
        pace.at_once,
        pace.failures,
    )


async def delete_credentials(conn: Connection, partner_id: UUID) -> None:
    """Nothing is asked of the platform for this partner any more."""
    await conn.execute("delete from platform_token where partner_id = $1", partner_id)
