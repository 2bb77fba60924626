"""The consumer: one FastStream subscriber per lane queue, and one for resend requests.

Messages of a lane are taken in in their order, by one transaction after the other; those that came while one was
under way share the next, of whatever lane they are, as far as there was room to unpack them. A message is acknowledged
after its transaction has committed; while the database is away it is held.
A guard declares the topology again and again and replaces the broker's consumers wherever a queue has none, so
that deleted queues, lost bindings and a wiped broker heal without help.
"""

import asyncio
import contextlib
import logging
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from itertools import groupby
from typing import Any, TypeVar
from uuid import UUID

from faststream import AckPolicy
from faststream.rabbit import Channel, RabbitBroker, RabbitMessage, RabbitQueue
from msgspec import Struct

from services.chassis import cloudevents, compression, cursors, faultpoints, parking, rejected_messages, topology
from services.chassis.broker import Broker, Link, answered, within
from services.chassis.cloudevents import Arrival, Content, Unreadable
from services.chassis.faults import BROKER_WEATHER, Backoff, Unsettled, describe, is_weather
from services.chassis.group import Group
from services.chassis.inbox import Inbox
from services.chassis.incarnation import Incarnation
from services.chassis.lanes import Served
from services.chassis.ledger import Ledger, Transaction
from services.chassis.metrics import Metrics
from services.chassis.relay import Relay
from services.chassis.room import Room
from services.chassis.topology import Wiring

log = logging.getLogger(__name__)

GUARD_EVERY_S = 10.0
MISSING_EVERY_S = 2.0
"""While a producer's exchange is not there yet."""

MOST_TOGETHER = 500
"""Of the events of waiting messages, about so many share a transaction."""
ROOM_BYTES = 4_194_304
"""Of event data, shared by the lanes of a process: so much waits unpacked, and one message more of each lane."""

T = TypeVar("T")


class Delivery(Struct, frozen=True):
    """One message as it came, with the broker's word for who sent it."""

    body: bytes
    encoding: str | None
    sender: str | None
    redelivered: bool


class Message(Struct, frozen=True):
    """What a message says. `again`: the broker hands it out another time."""

    content: Content
    again: bool


def _goes_alone(message: Message) -> bool:
    """What the broker hands out again may kill the process; what is no event has its place among the events."""
    return message.again or message.content.is_control


def _events(message: Message) -> int:
    return max(1, len(message.content.arrivals))


def _read(delivery: Delivery, senders: Sequence[str]) -> Content | str:
    """What a message says, or why that cannot be known."""
    try:
        return cloudevents.read_from(delivery.sender, senders, compression.decompress(delivery.body, delivery.encoding))
    except Unreadable as error:
        return str(error)


def _data_bytes(content: Content | str) -> int:
    return 0 if isinstance(content, str) else sum(len(arrival.body) for arrival in content.arrivals)


def _readable_body(delivery: Delivery) -> bytes:
    """As people can read it, if it can be unpacked."""
    try:
        return compression.decompress(delivery.body, delivery.encoding)
    except Unreadable:
        return delivery.body


async def _decode(message: RabbitMessage) -> Delivery:
    raw = message.raw_message
    return Delivery(message.body, raw.content_encoding, raw.user_id, bool(raw.redelivered))


class Consumer:
    """Takes in what the lanes of this process bring, until `stop`."""

    def __init__(
        self, addresses: Broker, wiring: Wiring, inbox: Inbox, ledger: Ledger, relay: Relay,
        incarnation: Incarnation, metrics: Metrics, shared_lanes: int, prefetch: int, gathers_s: float,
        gap_patience_s: int, drain_s: int,
    ) -> None:  # fmt: skip
        """`gathers_s`: from the beginning of one transaction to that of the next, at least."""
        self._addresses, self._wiring, self._incarnation = addresses, wiring, incarnation
        self._inbox, self._ledger, self._relay, self._metrics = inbox, ledger, relay, metrics
        self._served = Served(wiring.lanes, shared_lanes)
        self._prefetch, self._drain_s = prefetch, drain_s
        self._gap_patience = timedelta(seconds=gap_patience_s)
        self._broker: RabbitBroker | None = None
        self._stopping = asyncio.Event()
        self._events = self._group(self._take_in_together, gathers_s)
        self._requests = self._group(self._serve)
        """What was read and waits, whatever connection it came over: work goes on while a connection is replaced."""
        self._rejecting = asyncio.Lock()
        self.waits_for: list[str] = ["the consumer has not started"]
        """What keeps this process from consuming, in words; empty while all its queues are consumed."""

    async def run(self) -> None:
        """Keeps topology and consumers alive until `stop`; then finishes the messages in hand."""
        backoff = Backoff(first_s=0.2)
        while not self._stopping.is_set():
            try:
                async with self._addresses.connected(f"{self._wiring.service} topology") as link:
                    while not self._stopping.is_set():
                        await self._guard(link)
                        backoff.reset()
                        every_s = MISSING_EVERY_S if self.waits_for else GUARD_EVERY_S
                        with contextlib.suppress(TimeoutError):
                            await asyncio.wait_for(self._stopping.wait(), every_s)
            except BROKER_WEATHER as error:
                self.waits_for = ["the broker is away"]
                log.warning("the broker is away: %s", describe(error))
                await backoff.wait()
        await self._stop_broker()

    def stop(self) -> None:
        """Ends `run` after what was begun is finished."""
        self._stopping.set()

    async def _guard(self, link: Link) -> None:
        async with asyncio.timeout(30):
            declared = await answered(topology.declare(link.connection, self._wiring))
        if self._broker is None or declared.idle:
            await self._stop_broker()
            await self._forget_requests()
            broker = self._broker = self._make_broker(link.address)
            try:
                await within(30, broker.start())
            except BaseException:
                await self._stop_broker()
                raise
        self.waits_for = [f"the exchange of {producer} is not there" for producer in declared.missing]

    async def _stop_broker(self) -> None:
        broker, self._broker = self._broker, None
        if broker is None:
            return
        with contextlib.suppress(*BROKER_WEATHER):
            await within(5, asyncio.gather(*map(_cancel, broker.subscribers), return_exceptions=True))
        with contextlib.suppress(*BROKER_WEATHER):
            await within(self._drain_s + 5, broker.stop())

    def _make_broker(self, address: str) -> RabbitBroker:
        broker = RabbitBroker(
            address,
            fail_fast=False,
            reconnect_interval=1.0,
            apply_types=False,
            ack_policy=AckPolicy.NACK_ON_ERROR,
            default_channel=Channel(prefetch_count=self._prefetch),
            client_properties={"connection_name": f"{self._wiring.service} consumer"},  # type: ignore[arg-type]  # any
            graceful_timeout=float(self._drain_s),
            logger=None,  # it writes plain text; what there is to say is said here
        )
        for lane in self._wiring.lanes:
            name = topology.lane_queue(self._wiring.service, lane)
            handler = self._in_turn(name, self._wiring.reads, self._events)
            broker.subscriber(RabbitQueue(name, declare=False), decoder=_decode)(handler)
        name = topology.control_queue(self._wiring.service)
        handler = self._in_turn(name, self._wiring.readers, self._requests)
        broker.subscriber(RabbitQueue(name, declare=False), decoder=_decode)(handler)
        return broker

    def _group(self, take: Callable[[Sequence[Message]], Awaitable[None]], every_s: float = 0) -> Group[Message, None]:
        async def work(messages: Sequence[Message]) -> Sequence[None]:
            await self._patiently(lambda: take(messages))
            return [None] * len(messages)

        most = sys.maxsize  # prefetch limits what waits, and room how much of it is unpacked
        return Group(
            work, most=MOST_TOGETHER, most_waiting=most, most_of_one=most, side_by_side=1, weigh=_events,
            every_s=every_s,
        )  # fmt: skip

    def _in_turn(
        self, queue: str, senders: Sequence[str], group: Group[Message, None]
    ) -> Callable[[Delivery], Awaitable[None]]:
        """A subscriber that reads messages of one queue, from these senders, in their order."""
        room = Room(ROOM_BYTES // len(self._wiring.lanes), _data_bytes)

        async def on_message(delivery: Delivery) -> None:
            if delivery.redelivered:
                self._metrics.redelivered.inc()
            async with room.holding(lambda: _read(delivery, senders)) as content:
                if isinstance(content, str):
                    await self._reject(queue, content, delivery)
                    return
                for failure in await group.submit(queue, [Message(content, delivery.redelivered)]):
                    if failure is not None:
                        raise failure
                if content.arrivals:
                    faultpoints.reach("before_ack", "events")

        return on_message

    async def _reject(self, queue: str, reason: str, delivery: Delivery) -> None:
        log.error("message rejected", extra={"queue": queue, "reason": reason})

        async def work(tx: Transaction) -> None:
            await rejected_messages.save(tx.conn, queue, reason, _readable_body(delivery))

        async def save() -> None:
            async with self._rejecting:
                await self._ledger.transact(work)

        await self._patiently(save)

    async def _take_in_together(self, messages: Sequence[Message]) -> None:
        """Events of messages that follow one another are applied together."""
        for alone, run in groupby(messages, key=_goes_alone):
            for some in ([one] for one in run) if alone else [list(run)]:
                arrivals = [arrival for message in some for arrival in message.content.arrivals]
                if arrivals:
                    await self._apply_or_park(arrivals, some[0].again)
                for message in some:
                    await self._heed(message.content)

    async def _heed(self, content: Content) -> None:
        for producer, heads in content.heads:
            await self._note_heads(producer, heads)
        for producer, resent in content.resent:
            await self._note_resent(producer, resent.stream)
        for producer, asked in content.reach_asked:
            with contextlib.suppress(*BROKER_WEATHER):  # it asks again, and consuming must go on
                await self._incarnation.answer(producer, asked)

    async def _apply_or_park(self, arrivals: Sequence[Arrival], again: bool) -> None:
        try:
            await self._inbox.take_in(arrivals, again)
        except Unsettled:
            await self._incarnation.park(arrivals, self._inbox.reads)

    async def _note_heads(self, producer: str, heads: Mapping[UUID, int]) -> None:
        async def work(tx: Transaction) -> None:
            await cursors.note_heads(tx.conn, producer, heads)

        with contextlib.suppress(Unsettled):  # they are told again and again
            await self._ledger.transact(work)

    async def _note_resent(self, producer: str, stream: UUID) -> None:
        async def work(tx: Transaction) -> None:
            await cursors.note_resent(tx.conn, producer, [stream])

        with contextlib.suppress(Unsettled):
            await self._ledger.transact(work)

    async def _forget_requests(self) -> None:
        try:
            async with self._ledger.pool.acquire(timeout=5) as conn:
                await cursors.forget_requests(conn)
        except Exception as error:
            if not is_weather(error):
                raise
            log.warning("will ask for what is missing later: %s", describe(error))

    async def _serve(self, messages: Sequence[Message]) -> None:
        """Answers what readers ask for: a resend; and takes their answers to what this service asked them."""
        for content in (message.content for message in messages):
            for reader, told in content.reach_told:
                await self._incarnation.take_answer(reader, told)
            for reader, asked in content.resends:
                with contextlib.suppress(Unsettled, *BROKER_WEATHER):  # it asks again
                    await self._relay.resend(asked.stream, asked.sequence, reader, asked.to)

    async def _patiently(self, work: Callable[[], Awaitable[T]]) -> T:
        """Repeats `work` while the weather is bad. Raises, so that the message goes back, when stopping."""
        backoff = Backoff()
        while True:
            try:
                return await work()
            except Exception as error:
                if not is_weather(error):
                    log.exception("message not taken in; it comes back")
                    await backoff.wait()  # at once; do not spin
                    raise
                if self._stopping.is_set():
                    raise
                log.warning("the database is away: %s", describe(error))
                await backoff.wait()

    async def retry_due(self) -> bool:
        """Tries failed events of its lanes again whose time has come; returns whether there may be more."""
        async with self._ledger.pool.acquire(timeout=5) as conn:
            due = await parking.list_due(conn, self._served, limit=100)
        for stream in dict.fromkeys(stream for stream, _ in due):
            await self._inbox.take_up(stream)
        return len(due) == 100

    async def look_again(self) -> bool:
        """Looks whether events that wait for long may pass by now; never more to do at once, as most may not."""
        async with self._ledger.pool.acquire(timeout=5) as conn:
            held = await parking.list_held(conn, self._served, limit=20)
        for stream in dict.fromkeys(stream for stream, _ in held):
            await self._inbox.take_up(stream)
        return False

    async def is_any_behind(self) -> bool:
        """Whether some stream is behind what its producer says."""
        async with self._ledger.pool.acquire(timeout=5) as conn:
            return await cursors.is_any_behind(conn)

    async def ask_for_gaps(self) -> bool:
        """Requests a resend of what has been missing for too long; returns whether there may be more."""
        if not self._relay.connected:
            return False

        async def claim(tx: Transaction) -> list[tuple[str, UUID, int]]:
            return await cursors.claim_gaps(tx.conn, self._gap_patience, limit=200)

        gaps = await self._ledger.transact(claim)
        away: set[str] = set()
        for producer, stream, sequence in gaps:
            if producer in away:
                continue
            wanted = {"stream": str(stream), "sequence": sequence}
            try:
                await self._relay.publish_control(cloudevents.RESEND, topology.control_key(producer), wanted)
            except BROKER_WEATHER as error:
                log.warning("could not ask %s for a resend, will ask again: %s", producer, describe(error))
                away.add(producer)
                continue
            self._metrics.resends_requested.labels(producer).inc()
            log.warning("asked for a resend", extra={"producer": producer, **wanted})
        return len(gaps) == 200 and not away


async def _cancel(subscriber: Any) -> None:
    """Stops deliveries first: FastStream 0.7.8 drains, and stops them afterwards."""
    queue, tag = getattr(subscriber, "_queue_obj", None), getattr(subscriber, "_consumer_tag", None)
    if queue is not None and tag is not None:
        subscriber._consumer_tag = None
        with contextlib.suppress(*BROKER_WEATHER):
            await queue.cancel(tag)
