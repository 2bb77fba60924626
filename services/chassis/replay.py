"""Replay: another service's streams from any number on, sent to this process alone, while everybody else goes on.

It asks as a reader asks for what it misses (`resend_requested`), but names a queue of its own, which ends with the
connection. Parts are asked for one after the other, so that nothing piles up.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from types import TracebackType
from typing import Self
from uuid import UUID

from aio_pika import Message
from aio_pika.abc import AbstractExchange, AbstractIncomingMessage

from services.chassis import cloudevents, topology
from services.chassis.broker import Broker
from services.chassis.cloudevents import Arrival, Unreadable
from services.chassis.ids import uuid7
from services.chassis.relay import MOST_RESENT

log = logging.getLogger(__name__)

QUEUE = "rebuild"


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

    async def take(self, stream: UUID, producer: str, first: int, last: int) -> AsyncIterator[list[Arrival]]:
        """The producer's events `first` to `last` of the stream, in order and in parts. Waits as long as it takes."""
        while first <= last:
            await self._ask(stream, producer, first)
            part = await self._collect(stream, producer, first, min(last, first + MOST_RESENT - 1))
            if part:
                yield part
                first = part[-1].sequence + 1
            else:
                log.warning("%s sends nothing yet of %s from %s on", producer, stream, first)

    async def _collect(self, stream: UUID, producer: str, first: int, last: int) -> list[Arrival]:
        """What follows without a gap and is wanted, until the answer has ended or nothing more comes."""
        part: list[Arrival] = []
        while True:
            try:
                async with asyncio.timeout(self._patience_s):
                    event = await self._came.get()
            except TimeoutError:
                return part
            if event is None:
                return part
            wanted = first + len(part)
            if wanted <= last and (event.stream, event.producer, event.sequence) == (stream, producer, wanted):
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
            content = cloudevents.read_from(message.user_id, self._producers, message.body)
        except Unreadable as error:
            log.error("message rejected: %s", error)
        else:
            for come in (*content.arrivals, *[None] * len(content.resent)):
                self._came.put_nowait(come)
        await message.ack()
