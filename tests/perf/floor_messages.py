"""The broker's part of the floor: the messages that our services sent, carried again the same way without a database.

What `orders` says goes to its readers; as `allocation` receives it, what `allocation` says goes to its own. Quorum
queues as ours, everything is confirmed and acknowledged, and nothing is read.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiormq
from aiormq.abc import AbstractChannel, AbstractConnection, DeliveredMessage
from pamqp import commands

from infra.local.stack import Stack
from infra.rabbitmq.definitions import ADMIN
from services.chassis import cloudevents
from services.chassis.settings import ServiceSettings
from services.chassis.topology import QUORUM, exchange_name, lane_queue
from services.contracts.flow import read_by
from tests.perf.ours import LANES

PRODUCERS = ("orders", "allocation")
PREFETCH: int = ServiceSettings.model_fields["prefetch"].default
UNCONFIRMED = 64
"""Messages on their way to the broker at once."""
PATIENCE_S = 300


@dataclass(frozen=True)
class Message:
    """As it was sent."""

    producer: str
    lane: str
    body: bytes


@asynccontextmanager
async def overheard(stack: Stack) -> AsyncIterator[list[Message]]:
    """All that `orders` and `allocation` say inside, heard by one more queue beside those of their readers."""
    found: list[Message] = []
    async with _connected(stack, "%2F") as connection:
        channel = await connection.channel()
        for producer in PRODUCERS:

            async def hear(message: DeliveredMessage, producer: str = producer) -> None:
                found.append(Message(producer, message.routing_key or "", message.body))

            declared = await channel.queue_declare(exclusive=True)
            for lane in range(LANES):
                await channel.queue_bind(declared.queue or "", exchange_name(producer), str(lane))
            await channel.basic_consume(declared.queue or "", hear, no_ack=True)
        yield found


async def carry(stack: Stack, vhost: str, messages: Sequence[Message]) -> float:
    """Sends them through empty queues in this virtual host; returns the seconds until all are acknowledged."""
    async with _connected(stack, vhost) as sending, _connected(stack, vhost) as reading:
        carrier = _Carrier(await sending.channel(), messages)
        readers = {reader for producer in PRODUCERS for reader in read_by(producer)}
        for reader in sorted(readers):
            await carrier.listen(await reading.channel(), reader)
        return await carrier.run()


class _Carrier:
    """Both ends of the way."""

    def __init__(self, channel: AbstractChannel, messages: Sequence[Message]) -> None:
        self._channel = channel
        self._first, self._second = ([one for one in messages if one.producer == name] for name in PRODUCERS)
        self._heard = 0
        self._left = sum(len(read_by(message.producer)) for message in messages)
        self._done = asyncio.Event()
        self._room = asyncio.Semaphore(UNCONFIRMED)
        self._sending: set[asyncio.Task[None]] = set()

    async def listen(self, channel: AbstractChannel, reader: str) -> None:
        """Declares the reader's queues and takes what comes."""
        await channel.basic_qos(prefetch_count=PREFETCH)
        for lane in range(LANES):
            name = lane_queue(reader, lane)
            await channel.queue_declare(name, durable=True, arguments=dict(QUORUM))
            for producer in PRODUCERS:
                if reader in read_by(producer):
                    await channel.queue_bind(name, exchange_name(producer), str(lane))
            await channel.basic_consume(name, self._answer if reader == "allocation" else self._take)

    async def run(self) -> float:
        """Sends what `orders` says; all else follows."""
        began = time.monotonic()
        self._send(self._first)
        async with asyncio.timeout(PATIENCE_S):
            await self._done.wait()
            await asyncio.gather(*self._sending)
        return time.monotonic() - began

    def _send(self, messages: Sequence[Message]) -> None:
        self._sending |= {asyncio.create_task(self._publish(message)) for message in messages}

    async def _publish(self, message: Message) -> None:
        async with self._room:
            confirmed = await self._channel.basic_publish(
                message.body,
                exchange=exchange_name(message.producer),
                routing_key=message.lane,
                properties=commands.Basic.Properties(content_type=cloudevents.CONTENT_TYPE, delivery_mode=2),
                mandatory=True,
            )
            assert isinstance(confirmed, commands.Basic.Ack), confirmed

    async def _answer(self, message: DeliveredMessage) -> None:
        begin = len(self._second) * self._heard // len(self._first)
        self._heard += 1
        self._send(self._second[begin : len(self._second) * self._heard // len(self._first)])
        await self._take(message)

    async def _take(self, message: DeliveredMessage) -> None:
        await message.channel.basic_ack(message.delivery_tag or 0, wait=False)
        self._left -= 1
        if not self._left:
            self._done.set()


@asynccontextmanager
async def _connected(stack: Stack, vhost: str) -> AsyncIterator[AbstractConnection]:
    password, port = stack.credentials.rabbit_admin, stack.rabbit.ports.amqp
    connection = await aiormq.connect(f"amqp://{ADMIN}:{password}@127.0.0.1:{port}/{vhost}")
    try:
        yield connection
    finally:
        await connection.close()
