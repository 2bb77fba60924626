"""The SQL of messages that could not be read or trusted: kept for an operator to look at, since they have no stream."""

from collections.abc import Sequence

from services.chassis.ledger import Connection

MOST_KEPT = 200
"""Of all queues together; a sender that is asked to send again may send the same for ever."""

MOST_BYTES = 65_536
"""Of a body; the rest is cut off."""


async def save(conn: Connection, queue: str, reason: str, body: bytes) -> None:
    """Keeps a message for an operator to look at, and lets the oldest go."""
    number = await conn.fetchval(
        "insert into rejected_message (queue, reason, body) values ($1, $2, $3) returning id",
        queue,
        reason,
        body[:MOST_BYTES],
    )
    await conn.execute("delete from rejected_message where id <= $1", number - MOST_KEPT)


async def list_bodies(conn: Connection, queues: Sequence[str]) -> list[tuple[int, bytes]]:
    """(id, body) of what is kept of these queues, MOST_KEPT at most."""
    rows = await conn.fetch("select id, body from rejected_message where queue = any($1) order by id", queues)
    return [(row["id"], row["body"]) for row in rows]


async def delete(conn: Connection, ids: Sequence[int]) -> None:
    """Deletes what was kept, as when a person is to be erased."""
    await conn.execute("delete from rejected_message where id = any($1)", ids)
