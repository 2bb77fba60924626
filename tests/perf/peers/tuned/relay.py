"""The outbox of the tuned pipeline: its relay is woken by whoever has written, and waits for all confirms at once."""

import asyncio
import contextlib

import aio_pika
import asyncpg
from aio_pika.abc import AbstractExchange
from aio_pika.exceptions import CONNECTION_EXCEPTIONS

from tests.perf.peers.database import Database
from tests.perf.peers.serving import log

AT_ONCE = 500
POLL_S = 1.0
"""For what another process has written, or this one before it was started anew."""
CONFIRM_S = 10

_DELETE = """
with next as (select id from outbox order by id limit $1 for update skip locked)
delete from outbox o using next where o.id = next.id returning o.id, o.event_id, o.type, o.payload
"""


class WokenRelay:
    """Deletes events in the transaction that waits for their confirms, on a connection to the broker of its own."""

    def __init__(self, database: Database, amqp_url: str, exchange: str) -> None:
        self._database, self._amqp_url, self._exchange_name = database, amqp_url, exchange
        self._bell = asyncio.Event()

    def wake(self) -> None:
        """There is something new, and it is committed."""
        self._bell.set()

    async def run(self) -> None:
        """For ever; a fault is tried again."""
        async with await aio_pika.connect_robust(self._amqp_url) as connection:
            channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
            exchange = await channel.get_exchange(self._exchange_name)
            while True:
                self._bell.clear()
                try:
                    sent = await self._send(exchange)
                except (*CONNECTION_EXCEPTIONS, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError) as error:
                    log.warning("the relay tries again: %r", error)
                    await asyncio.sleep(POLL_S)
                    continue
                if sent < AT_ONCE:
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._bell.wait(), POLL_S)

    async def _send(self, exchange: AbstractExchange) -> int:
        async with self._database.transaction() as conn:
            rows = await conn.fetch(_DELETE, AT_ONCE)
            async with asyncio.timeout(CONFIRM_S):
                await asyncio.gather(*(self._publish(exchange, row) for row in sorted(rows, key=_id)))
        return len(rows)

    async def _publish(self, exchange: AbstractExchange, row: asyncpg.Record) -> None:
        message = aio_pika.Message(
            row["payload"].encode(),
            content_type="application/json",
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            message_id=str(row["event_id"]),
        )
        await exchange.publish(message, row["type"])


def _id(row: asyncpg.Record) -> int:
    return int(row["id"])
