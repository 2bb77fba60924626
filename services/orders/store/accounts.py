"""Which partners have AMQP access, with the broker's hash of their passwords."""

from datetime import datetime
from uuid import UUID

import asyncpg

from services.chassis.ledger import Connection


async def save_account(conn: Connection, partner_id: UUID, password_hash: str, now: datetime) -> None:
    """The partner has access with this password and no other."""
    await conn.execute(
        "insert into amqp_account (partner_id, password_hash, renewed_at) values ($1, $2, $3) "
        "on conflict (partner_id) do update set password_hash = excluded.password_hash, "
        "renewed_at = excluded.renewed_at",
        partner_id,
        password_hash,
        now,
    )


async def delete_account(conn: Connection, partner_id: UUID) -> None:
    """The partner has no access any more."""
    await conn.execute("delete from amqp_account where partner_id = $1", partner_id)


async def has_account(conn: "Connection | asyncpg.Pool[asyncpg.Record]", partner_id: UUID) -> bool:
    """Whether the partner has access."""
    found: bool = await conn.fetchval("select exists (select from amqp_account where partner_id = $1)", partner_id)
    return found


async def list_account_ids(conn: "Connection | asyncpg.Pool[asyncpg.Record]") -> list[UUID]:
    """The partners that have access."""
    return [row["partner_id"] for row in await conn.fetch("select partner_id from amqp_account")]


async def list_password_hashes(conn: "Connection | asyncpg.Pool[asyncpg.Record]") -> dict[UUID, str]:
    """The partners that have access, each with the hash of its password."""
    rows = await conn.fetch("select partner_id, password_hash from amqp_account")
    return {row["partner_id"]: row["password_hash"] for row in rows}
