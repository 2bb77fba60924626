"""One channel that consumes the intake queue: what comes is given on by partner, and acknowledged when it is done.

Of each partner two takings are under way at most, and each takes all that has come meanwhile: one message at light
load, hundreds under load. A partner that has to wait does not hold up the others.

aiormq is used directly, since what libraries do for each message costs more than storing its order.
"""

import asyncio
import contextlib
import contextvars
import logging
from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

from aiormq.abc import AbstractChannel, DeliveredMessage
from pamqp import commands as spec

from services.chassis import faultpoints
from services.chassis.broker import answered
from services.chassis.faults import BROKER_WEATHER, is_weather
from services.orders.amqp import topology
from services.orders.amqp.acks import Acknowledgements
from services.orders.amqp.content import Delivery

log = logging.getLogger(__name__)

PREFETCH = 500
"""Messages in hand; with the broker's max_message_size it limits the memory that they take."""
TOGETHER, TOGETHER_BYTES = 250, 256 * 1024
"""Messages in one taking, and where their bodies have more bytes, the message with which they do is the last of it."""
MOST_BEHIND = 32
"""Finished messages that wait for an unfinished one before them: so much less is in hand while it is not."""
SIDE_BY_SIDE = 2
"""Takings of one partner: while one waits for the database, the next one is read."""

Take = Callable[[UUID | None, Sequence[Delivery]], Awaitable[None]]


class _Source:
    """What one partner has waiting, and how many takings of it are under way."""

    __slots__ = ("takings", "waiting")

    def __init__(self) -> None:
        self.waiting: list[Delivery] = []
        self.takings = 0


class Intake:
    """Consumes over `channel` until `close`. `take` returns when its messages need not come again."""

    def __init__(self, channel: AbstractChannel, take: Take) -> None:
        self._channel, self._take = channel, take
        self._sources: dict[UUID | None, _Source] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._acks, self._finished = Acknowledgements(MOST_BEHIND), asyncio.Event()
        self._acknowledging = asyncio.create_task(self._acknowledge())
        self._tag: str | None = None
        self._closing = False
        self._failure: Exception | None = None
        self.disturbed = asyncio.Event()
        """Set when somebody should look whether it still consumes."""
        channel.closing.add_done_callback(lambda _: self.disturbed.set())
        channel.on_consumer_cancel_callbacks.add(self._on_cancel)

    @property
    def consumes(self) -> bool:
        """False when the queue was deleted under it. Raises ConnectionError where the channel is of no use any more."""
        if self._channel.is_closed or self._failure is not None:
            raise ConnectionError("the channel of the intake was closed") from self._failure
        return self._tag is not None

    async def consume(self) -> None:
        """Begins to consume, or again where the broker says that nobody does."""
        tag, self._tag = self._tag, None
        if tag is not None:
            await answered(self._channel.basic_cancel(tag))
        await answered(self._channel.basic_qos(prefetch_count=PREFETCH))
        begun = await answered(self._channel.basic_consume(topology.INTAKE, self._on_message))
        self._tag = begun.consumer_tag

    async def close(self, drain_s: float) -> None:
        """Finishes what is under way, within `drain_s`; all else comes again."""
        self._closing = True
        if not self._channel.is_closed:
            if self._tag is not None:
                with contextlib.suppress(*BROKER_WEATHER):
                    async with asyncio.timeout(5):
                        await answered(self._channel.basic_cancel(self._tag))
            if self._tasks and self._failure is None:
                await asyncio.wait(self._tasks, timeout=drain_s)
            self._acknowledging.cancel()
            await asyncio.gather(self._acknowledging, return_exceptions=True)
            with contextlib.suppress(*BROKER_WEATHER):
                async with asyncio.timeout(5):
                    await self._tell()
        left = [*self._tasks, self._acknowledging]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    def _on_cancel(self, cancel: spec.Basic.Cancel | spec.Basic.CancelOk) -> None:
        if cancel.consumer_tag == self._tag:
            self._tag = None
            self.disturbed.set()

    async def _on_message(self, message: DeliveredMessage) -> None:
        delivery = _delivery(message)
        owner = topology.owner(delivery.exchange)
        source = self._sources.get(owner)
        if source is None:
            source = self._sources[owner] = _Source()
        source.waiting.append(delivery)
        if source.takings < SIDE_BY_SIDE:
            source.takings += 1
            task = asyncio.create_task(self._take_all(owner, source), context=contextvars.Context())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _take_all(self, owner: UUID | None, source: _Source) -> None:
        """Takes what waits of a partner until nothing is left."""
        try:
            while source.waiting and not self._closing:
                count = together(source.waiting)
                some, source.waiting = source.waiting[:count], source.waiting[count:]
                await self._take(owner, some)
                faultpoints.reach("before_ack", "intake")
                self._acks.finish(delivery.tag for delivery in some)
                self._finished.set()
        except Exception as error:
            if not is_weather(error) and not isinstance(error, BROKER_WEATHER):
                log.exception("messages not taken in; they come back")
            self._fail(error)
        finally:
            source.takings -= 1
            if not source.takings and not source.waiting:
                self._sources.pop(owner, None)

    async def _acknowledge(self) -> None:
        try:
            while await self._finished.wait():
                self._finished.clear()
                await self._tell()
        except BROKER_WEATHER as error:
            self._fail(error)

    async def _tell(self) -> None:
        for tag, with_those_before in self._acks.due():
            await self._channel.basic_ack(tag, multiple=with_those_before, wait=False)

    def _fail(self, error: Exception) -> None:
        self._failure = self._failure or error
        self.disturbed.set()


def together(waiting: Sequence[Delivery]) -> int:
    """How many of those that wait are in one taking."""
    size = 0
    for count, delivery in enumerate(waiting[:TOGETHER], 1):
        size += len(delivery.body)
        if size >= TOGETHER_BYTES:
            return count
    return min(len(waiting), TOGETHER)


def _delivery(message: DeliveredMessage) -> Delivery:
    properties = message.header.properties
    traceparent = (properties.headers or {}).get("traceparent")
    return Delivery(
        message.delivery_tag or 0,
        message.exchange or "",
        properties.user_id,
        properties.content_type or "",
        properties.message_id,
        traceparent if isinstance(traceparent, str) else None,
        message.body,
    )
