"""The broker's part of the floor: the messages that our services sent, carried again the same way without a database.

What `orders` says goes to its readers; as `allocation` receives it, what `allocation` says goes to its own. Quorum
queues as ours, everything is confirmed and acknowledged, and nothing is read. `allocation` is one process, and all
others together are another one.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiormq
import uvloop
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
READERS = sorted({reader for producer in PRODUCERS for reader in read_by(producer)})
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
    encoding: str | None


@asynccontextmanager
async def overheard(stack: Stack) -> AsyncIterator[list[Message]]:
    """All that `orders` and `allocation` say inside, heard by one more queue beside those of their readers."""
    found: list[Message] = []
    async with _connected(url(stack, "%2F")) as connection:
        channel = await connection.channel()
        for producer in PRODUCERS:

            async def hear(message: DeliveredMessage, producer: str = producer) -> None:
                encoding = message.header.properties.content_encoding
                found.append(Message(producer, message.routing_key or "", message.body, encoding))

            declared = await channel.queue_declare(exclusive=True)
            for lane in range(LANES):
                await channel.queue_bind(declared.queue or "", exchange_name(producer), str(lane))
            await channel.basic_consume(declared.queue or "", hear, no_ack=True)
        yield found


def url(stack: Stack, vhost: str) -> str:
    """Where the messages are carried."""
    return f"amqp://{ADMIN}:{stack.credentials.rabbit_admin}@127.0.0.1:{stack.rabbit.ports.amqp}/{vhost}"


async def declare(url: str) -> None:
    """The readers' queues, empty."""
    async with _connected(url) as connection:
        channel = await connection.channel()
        for reader in READERS:
            for lane in range(LANES):
                name = lane_queue(reader, lane)
                await channel.queue_declare(name, durable=True, arguments=dict(QUORUM))
                for producer in PRODUCERS:
                    if reader in read_by(producer):
                        await channel.queue_bind(name, exchange_name(producer), str(lane))


def carry(url: str, messages: Sequence[Message], allocates: bool, at: float) -> tuple[float, float]:
    """The part of `allocation`, or that of all others, from the moment `at`; returns when it began and ended.

    For a process of its own.
    """
    return uvloop.run(_carry(url, messages, allocates, at))


async def _carry(url: str, messages: Sequence[Message], allocates: bool, at: float) -> tuple[float, float]:
    async with _connected(url) as sending, _connected(url) as reading:
        carrier = _Carrier(await sending.channel(), messages, allocates)
        for reader in READERS:
            if (reader == "allocation") == allocates:
                await carrier.listen(await reading.channel(), reader)
        await asyncio.sleep(max(0.0, at - time.monotonic()))
        began = time.monotonic()
        await carrier.run()
        return began, time.monotonic()


class _Carrier:
    """Both ends of the way, as far as they are in one process."""

    def __init__(self, channel: AbstractChannel, messages: Sequence[Message], allocates: bool) -> None:
        self._channel = channel
        self._first, self._second = ([one for one in messages if one.producer == name] for name in PRODUCERS)
        self._allocates = allocates
        self._heard = 0
        self._left = sum(
            (reader == "allocation") == allocates for message in messages for reader in read_by(message.producer)
        )
        self._done = asyncio.Event()
        self._room = asyncio.Semaphore(UNCONFIRMED)
        self._sending: set[asyncio.Task[None]] = set()

    async def listen(self, channel: AbstractChannel, reader: str) -> None:
        """Takes what comes to the reader's queues."""
        await channel.basic_qos(prefetch_count=PREFETCH)
        for lane in range(LANES):
            await channel.basic_consume(lane_queue(reader, lane), self._answer if self._allocates else self._take)

    async def run(self) -> None:
        """Sends what `orders` says, or what is said to that; returns when all is sent and taken."""
        if not self._allocates:
            self._send(self._first)
        async with asyncio.timeout(PATIENCE_S):
            await self._done.wait()
            await asyncio.gather(*self._sending)

    def _send(self, messages: Sequence[Message]) -> None:
        self._sending |= {asyncio.create_task(self._publish(message)) for message in messages}

    async def _publish(self, message: Message) -> None:
        properties = commands.Basic.Properties(
            content_type=cloudevents.CONTENT_TYPE, content_encoding=message.encoding, delivery_mode=2
        )
        async with self._room:
            confirmed = await self._channel.basic_publish(
                message.body,
                exchange=exchange_name(message.producer),
                routing_key=message.lane,
                properties=properties,
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
async def _connected(url: str) -> AsyncIterator[AbstractConnection]:
    connection = await aiormq.connect(url)
    try:
        yield connection
    finally:
        await connection.close()
