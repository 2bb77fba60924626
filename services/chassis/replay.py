"""Replay: another service's streams from any number on, sent to this process alone, while everybody else goes on.

It asks as a reader asks for what it misses (`resend_requested`), but names a queue of its own, which ends with the
connection. Parts are asked for one after the other, so that nothing piles up.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from types import TracebackType
from typing import Self
from uuid import UUID

from aio_pika import Message
from aio_pika.abc import AbstractExchange, AbstractIncomingMessage

from services.chassis import cloudevents, compression, topology
from services.chassis.broker import Broker
from services.chassis.cloudevents import Arrival, Unreadable
from services.chassis.ids import uuid7

log = logging.getLogger(__name__)

QUEUE = "rebuild"


class Tape:
    """One producer's events of one stream, in order. What was sent too early is kept until it is asked for."""

    def __init__(self, replay: "Replay", stream: UUID, producer: str, first: int) -> None:
        self._replay, self._stream, self._producer, self._next = replay, stream, producer, first
        self._kept: deque[Arrival] = deque()

    async def up_to(self, last: int) -> AsyncIterator[Arrival]:
        """The events that follow those taken before, to the one numbered `last`. Waits as long as it takes."""
        while self._next <= last:
            if not self._kept:
                self._kept.extend(await self._replay.part(self._stream, self._producer, self._next))
            self._next += 1
            yield self._kept.popleft()


class Replay:
    """An open replay for one reader; one stream of one producer at a time."""

    def __init__(self, service: str, broker: Broker, producers: Sequence[str], patience_s: int) -> None:
        self._service, self._broker, self._producers, self._patience_s = service, broker, producers, patience_s
        self._came: asyncio.Queue[Arrival | None] = asyncio.Queue()
        """What came; None where an answer has ended."""
        self._exchange: AbstractExchange | None = None
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as opening:
            link = await opening.enter_async_context(self._broker.connected(f"{self._service} rebuild"))
            channel = await link.connection.channel(publisher_confirms=True, on_return_raises=True)
            await channel.set_qos(prefetch_count=16)
            key = topology.own_key(self._service, QUEUE)
            queue = await channel.declare_queue(key, exclusive=True)  # a second rebuild at once is refused here
            for producer in self._producers:
                await queue.bind(topology.exchange_name(producer), key)
            await queue.consume(self._on_message)
            self._exchange = await channel.get_exchange(topology.exchange_name(self._service), ensure=False)
            self._open = opening.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._open.aclose()

    async def part(self, stream: UUID, producer: str, first: int) -> list[Arrival]:
        """The producer's events of the stream from `first` on, as many as come at once; waits for the first."""
        while True:
            await self._ask(stream, producer, first)
            if part := await self._collect(stream, producer, first):
                return part
            log.warning("%s sends nothing yet of %s from %s on", producer, stream, first)

    async def _collect(self, stream: UUID, producer: str, first: int) -> list[Arrival]:
        """What follows without a gap, until the answer has ended or nothing more comes."""
        part: list[Arrival] = []
        while True:
            try:
                async with asyncio.timeout(self._patience_s):
                    event = await self._came.get()
            except TimeoutError:
                return part
            if event is None:
                return part
            if (event.stream, event.producer, event.sequence) == (stream, producer, first + len(part)):
                part.append(event)

    async def _ask(self, stream: UUID, producer: str, first: int) -> None:
        assert self._exchange is not None, "the replay is open"
        wanted = {"stream": str(stream), "sequence": first, "to": QUEUE}
        message = Message(
            cloudevents.control(self._service, cloudevents.RESEND, uuid7(), datetime.now(UTC), wanted),
            content_type=cloudevents.CONTENT_TYPE,
            user_id=self._service,
            app_id=self._service,
        )
        await self._exchange.publish(message, topology.control_key(producer), timeout=10)

    async def _on_message(self, message: AbstractIncomingMessage) -> None:
        try:
            body = compression.decompress(message.body, message.content_encoding)
            content = cloudevents.read_from(message.user_id, self._producers, body)
        except Unreadable as error:
            log.error("message rejected: %s", error)
        else:
            for come in (*content.arrivals, *[None] * len(content.resent)):
                self._came.put_nowait(come)
        await message.ack()
