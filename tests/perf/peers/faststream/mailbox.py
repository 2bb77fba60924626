"""Inbox and outbox of a service, in its own database and so in the transaction of its handler."""

import asyncio
from collections.abc import Iterable
from uuid import UUID

import asyncpg
from aio_pika.exceptions import CONNECTION_EXCEPTIONS
from faststream.rabbit import RabbitBroker, RabbitExchange

from tests.perf.peers.database import Connection, Database
from tests.perf.peers.models import Event
from tests.perf.peers.serving import log

AT_ONCE = 100
POLL_S = 0.1
CONFIRM_S = 10


async def is_new(conn: Connection, event_id: UUID) -> bool:
    """Takes the event in; False where an earlier delivery has done so."""
    return await conn.fetchval(
        "insert into inbox (event_id) values ($1) on conflict do nothing returning true", event_id
    ) or False  # fmt: skip


async def send_later(conn: Connection, event_type: str, events: Iterable[Event]) -> None:
    """Writes the events down; the relay sends them once they are committed."""
    await conn.executemany(
        "insert into outbox (event_id, type, payload) values ($1, $2, $3)",
        [(event.event_id, event_type, event.model_dump_json()) for event in events],
    )


class PollingRelay:
    """Looks for events in the outbox, and deletes those that the broker has confirmed."""

    def __init__(self, database: Database, broker: RabbitBroker, exchange: RabbitExchange) -> None:
        self._database, self._broker, self._exchange = database, broker, exchange

    async def run(self) -> None:
        """For ever; a fault is tried again."""
        while True:
            try:
                sent = await self._send()
            except (*CONNECTION_EXCEPTIONS, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError) as error:
                log.warning("the relay tries again: %r", error)
                sent = 0
            if sent < AT_ONCE:
                await asyncio.sleep(POLL_S)

    async def _send(self) -> int:
        async with self._database.transaction() as conn:
            rows = await conn.fetch(
                "select id, event_id, type, payload from outbox order by id limit $1 for update skip locked", AT_ONCE
            )
            for row in rows:
                async with asyncio.timeout(CONFIRM_S):
                    await self._broker.publish(
                        row["payload"].encode(),
                        exchange=self._exchange,
                        routing_key=row["type"],
                        message_id=str(row["event_id"]),
                        content_type="application/json",
                        persist=True,
                    )
            if rows:
                await conn.execute("delete from outbox where id = any($1)", [row["id"] for row in rows])
        return len(rows)
