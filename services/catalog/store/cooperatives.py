"""Cooperatives and their collection points."""

from collections.abc import Sequence
from dataclasses import astuple, fields
from datetime import datetime
from uuid import UUID

import asyncpg

from services.catalog.domain.values import CollectionPoint, Cooperative, Policies
from services.catalog.store import Reader
from services.chassis.ledger import Connection

_COOPERATIVE = """
select c.cooperative_id, c.slug, c.name, c.timezone, c.lane, p.ids, p.names, c.promise_rule, c.buffer_permille,
       c.memory_days, c.minimum_delivery_vnd, c.reply_minutes, c.silence, c.reply_rounds, c.shortfall_rule,
       c.fee_permille
from cooperative c cross join lateral (
    select coalesce(array_agg(collection_point_id order by collection_point_id), '{}') as ids,
           coalesce(array_agg(name order by collection_point_id), '{}') as names
    from collection_point p where p.cooperative_id = c.cooperative_id
) p
"""


def _cooperative(row: asyncpg.Record) -> Cooperative:
    points = tuple(CollectionPoint(*pair) for pair in zip(row["ids"], row["names"], strict=True))
    policies = Policies(**{field.name: row[field.name] for field in fields(Policies)})
    return Cooperative(row["cooperative_id"], row["slug"], row["name"], row["timezone"], row["lane"], points, policies)


async def insert_cooperative(conn: Connection, cooperative: Cooperative) -> bool:
    """Stores a new cooperative, of the default policies, with its collection points; False if the slug is taken."""
    done = await conn.execute(
        "insert into cooperative (cooperative_id, slug, name, timezone, lane) values ($1, $2, $3, $4, $5) "
        "on conflict do nothing",
        cooperative.cooperative_id,
        cooperative.slug,
        cooperative.name,
        cooperative.timezone,
        cooperative.lane,
    )
    if done == "INSERT 0 0":
        return False
    await insert_collection_points(conn, cooperative.cooperative_id, cooperative.collection_points)
    return True


async def insert_collection_points(conn: Connection, cooperative_id: UUID, points: Sequence[CollectionPoint]) -> int:
    """Stores collection points whose name is new in the cooperative; returns how many."""
    rows = await conn.fetch(
        "insert into collection_point (collection_point_id, cooperative_id, name) "
        "select id, $1, name from unnest($2::uuid[], $3::text[]) as p (id, name) "
        "on conflict (cooperative_id, name) do nothing returning 1",
        cooperative_id,
        [point.collection_point_id for point in points],
        [point.name for point in points],
    )
    return len(rows)


async def get_cooperative(reader: Reader, slug: str) -> Cooperative | None:
    """The cooperative of this slug."""
    row = await reader.fetchrow(f"{_COOPERATIVE} where c.slug = $1", slug)
    return _cooperative(row) if row else None


async def list_cooperatives(reader: Reader, after: str, limit: int) -> list[Cooperative]:
    """At most `limit` cooperatives by slug, from the first one behind `after` on."""
    rows = await reader.fetch(f"{_COOPERATIVE} where c.slug > $1 order by c.slug limit $2", after, limit)
    return [_cooperative(row) for row in rows]


async def lock_cooperative(conn: Connection, cooperative_id: UUID) -> Cooperative:
    """The cooperative as it is now, until the transaction ends. Other rows can still refer to it."""
    await conn.execute("select from cooperative where cooperative_id = $1 for no key update", cooperative_id)
    # Read by a second statement, which sees what was committed while the first one waited.
    row = await conn.fetchrow(f"{_COOPERATIVE} where c.cooperative_id = $1", cooperative_id)
    assert row is not None, "cooperatives are never deleted"
    return _cooperative(row)


async def save_cooperative(conn: Connection, cooperative: Cooperative) -> None:
    """Stores the name and lane of a locked cooperative."""
    await conn.execute(
        "update cooperative set name = $2, lane = $3 where cooperative_id = $1",
        cooperative.cooperative_id,
        cooperative.name,
        cooperative.lane,
    )


async def save_policies(conn: Connection, cooperative_id: UUID, policies: Policies) -> None:
    """Stores the policies of a locked cooperative."""
    await conn.execute(
        "update cooperative set promise_rule = $2, buffer_permille = $3, memory_days = $4, minimum_delivery_vnd = $5, "
        "reply_minutes = $6, silence = $7, reply_rounds = $8, shortfall_rule = $9, fee_permille = $10 "
        "where cooperative_id = $1",
        cooperative_id,
        *astuple(policies),
    )


async def list_cooperatives_to_renew(reader: Reader, now: datetime, limit: int) -> list[UUID]:
    """Cooperatives whose standing offers are to be looked at, the longest waiting first."""
    rows = await reader.fetch(
        "select cooperative_id from cooperative where renew_at <= $1 order by renew_at limit $2", now, limit
    )
    return [row["cooperative_id"] for row in rows]


async def claim_cooperative_to_renew(conn: Connection, cooperative_id: UUID, now: datetime) -> Cooperative | None:
    """Locks the cooperative if it still is to be renewed; None where another process or staff have it in hand."""
    claimed = await conn.fetchval(
        "select true from cooperative where cooperative_id = $1 and renew_at <= $2 for no key update skip locked",
        cooperative_id,
        now,
    )
    return await lock_cooperative(conn, cooperative_id) if claimed else None


async def save_renew_at(conn: Connection, cooperative_id: UUID, renew_at: datetime | None) -> None:
    """Sets when the standing offers of a locked cooperative are looked at next; None: it has none."""
    await conn.execute("update cooperative set renew_at = $2 where cooperative_id = $1", cooperative_id, renew_at)
