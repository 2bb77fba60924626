"""The inbox: a transaction for one message, or for several that waited together.

Lock cursors, let the gate decide, apply, advance, commit.

A failure is narrowed down to the one event that causes it: that one is parked for a retry and its stream waits
behind it, while the other streams of the message go on. Weather (database away) is raised to the caller.
"""

import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from msgspec import Struct

from services.chassis import cursors, faultpoints, gate, parking, trace, turns
from services.chassis.cloudevents import Arrival
from services.chassis.cursors import Cursor
from services.chassis.faults import describe, is_weather
from services.chassis.gate import Place
from services.chassis.ids import uuid7
from services.chassis.ledger import Connection, Ledger, Transaction
from services.chassis.metrics import Metrics
from services.chassis.parking import Begun
from services.contracts.base import Event

log = logging.getLogger(__name__)

MOST_AT_ONCE = 200
"""Of the events parked of a stream, so many are applied by one transaction."""

E = TypeVar("E", bound=Event, covariant=True)


class Received(Struct, Generic[E], frozen=True):
    """An event to be applied, with the stream it belongs to and when its producer wrote it."""

    stream: UUID
    sequence: int
    id: UUID
    time: datetime
    traceparent: str | None
    event: E


Handler = Callable[[Transaction, Sequence[Received[Any]]], Awaitable[None]]
"""Applies events in their order: load what they need, decide, save, append. It must not commit."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How failing events are retried."""

    max_attempts: int
    retry_first_s: int
    retry_most_s: int


class Inbox:
    """Applies the events of the producers in `reads` through `handlers`; event types without one are passed over."""

    def __init__(
        self,
        ledger: Ledger,
        reads: tuple[str, ...],
        handlers: Mapping[type[Event], Handler],
        patience: Patience,
        metrics: Metrics,
        holder: UUID | None = None,
        own: str = "",
    ) -> None:
        """`own`: the service's name, where it has commands of its own that take turns with the events."""
        self._ledger = ledger
        self.reads = reads
        self._producers = (*reads, own) if own else reads
        self._handlers = {kind.type: (kind, handler) for kind, handler in handlers.items()}
        self._patience = patience
        self._metrics = metrics
        self._holder = holder or uuid7()
        """Names this process where it marks events as begun."""

    async def take_in(self, arrivals: Sequence[Arrival], again: bool = False) -> None:
        """Applies what may be applied of the arrivals and of what was parked in their streams.

        `again`: the broker hands out the message another time, perhaps because a process died over it; then each
        stream is marked before it is applied, so that an event that kills the process is found. After weather
        nothing has changed and the call can be repeated.
        """
        streams = sorted({a.stream for a in arrivals})
        if not again:
            try:
                await self._apply(streams, arrivals)
                return
            except Exception as error:
                if is_weather(error):
                    raise
        for stream in streams:
            own = [a for a in arrivals if a.stream == stream]
            if again:
                await self._carefully(stream, own)
            else:
                await self._one_stream(stream, own)

    async def take_up(self, stream: UUID) -> None:
        """Applies what is parked of a stream: its failed events, if they are due, and what follows them."""
        await self._carefully(stream, [])

    async def _carefully(self, stream: UUID, arrivals: Sequence[Arrival]) -> None:
        """Marks the stream's next event before the stream is applied; where a process died over it, event by event."""
        retried = [(stream, producer) for producer in self.reads]
        first = await self._begin_next(stream, arrivals, retried, deaths=0)
        if first is not None and first.again:
            await self._one_by_one(stream, arrivals, retried, max(first.deaths, 1))
        else:
            await self._one_stream(stream, arrivals, retried)

    async def _one_stream(self, stream: UUID, arrivals: Sequence[Arrival], retried: Sequence[Place] = ()) -> None:
        try:
            await self._apply([stream], arrivals, retried)
        except Exception as error:
            if is_weather(error):
                raise
            await self._one_by_one(stream, arrivals, retried)

    async def _one_by_one(
        self, stream: UUID, arrivals: Sequence[Arrival], retried: Sequence[Place], deaths: int = 0
    ) -> None:
        """Applies one stream event by event; stops at the first that fails, which is parked for a retry.

        With `deaths` each event is marked before it is applied.
        """
        attempt: list[Arrival] = []
        while True:
            attempt.clear()
            if deaths:
                await self._begin_next(stream, arrivals, retried, deaths)
            try:
                await self._apply([stream], arrivals, retried, at_most=1, attempt=attempt)
            except Exception as error:
                if is_weather(error) or not attempt:
                    raise
                await self._fail(attempt[0], error)
                retried = [place for place in retried if place != (stream, attempt[0].producer)]
                continue
            if not attempt:
                return
            arrivals = ()  # the rest is parked by now

    async def _begin_next(
        self, stream: UUID, arrivals: Sequence[Arrival], retried: Sequence[Place], deaths: int
    ) -> Begun | None:
        """Marks the event that would be applied next; None where none may pass."""

        async def work(tx: Transaction) -> Begun | None:
            before = await cursors.lock_cursors(tx.conn, self._producers, [stream])
            ready = (await self._judge(tx.conn, arrivals, before, retried, at_most=1)).ready
            if not ready:
                return None
            event = ready[0]
            await cursors.advance(tx.conn, before, {}, {(stream, event.producer): event.sequence})
            return await parking.begin(tx.conn, event, self._holder, deaths)

        begun = await self._ledger.transact(work)
        if begun is not None and begun.quarantined:
            log.error(
                "event kills the process and is quarantined", extra={"stream": str(stream), "deaths": begun.deaths}
            )
        return begun

    async def _fail(self, event: Arrival, error: Exception) -> None:
        p = self._patience

        async def record(tx: Transaction) -> tuple[int, bool] | None:
            place = (event.stream, event.producer)
            before = await cursors.lock_cursors(tx.conn, self._producers, [event.stream])
            if before[place].sequence >= event.sequence:
                return None  # another process has applied it meanwhile
            await cursors.advance(tx.conn, before, {}, {place: event.sequence})
            return await parking.park_failed(
                tx.conn, event, describe(error), p.max_attempts, p.retry_first_s, p.retry_most_s
            )

        recorded = await self._ledger.transact(record)
        if recorded is None:
            return
        attempts, quarantined = recorded
        self._metrics.failures.labels(event.producer, event.type).inc()
        log.error(
            "event failed%s",
            " too often and is quarantined" if quarantined else "",
            exc_info=error,
            extra={
                "producer": event.producer,
                "type": event.type,
                "stream": str(event.stream),
                "sequence": event.sequence,
                "attempts": attempts,
            },
        )

    async def _apply(
        self,
        streams: Sequence[UUID],
        arrivals: Sequence[Arrival],
        retried: Sequence[Place] = (),
        at_most: int | None = None,
        attempt: list[Arrival] | None = None,
    ) -> None:
        async def work(tx: Transaction) -> tuple[gate.Verdict, int, bool]:
            before = await cursors.lock_cursors(tx.conn, self._producers, streams)
            behind = _is_behind(before)
            verdict = await self._judge(tx.conn, arrivals, before, retried, at_most)
            if attempt is not None:
                attempt[:] = verdict.ready
            await self._run_handlers(tx, verdict.ready)
            if behind and verdict.cursors:
                await parking.unpark(tx.conn, verdict.cursors)
            parked = await parking.park(tx.conn, verdict.early) if verdict.early else 0
            begun = turns.changes(verdict.ready, {place: cursor.turn for place, cursor in before.items()})
            await cursors.advance(tx.conn, before, verdict.cursors, verdict.heads, begun)
            more = behind and any(at >= before[place].sequence + MOST_AT_ONCE for place, at in verdict.cursors.items())
            return verdict, parked, more and at_most is None

        verdict, parked, more = await self._ledger.transact(work)
        for producer, count in Counter(event.producer for event in verdict.ready).items():
            self._metrics.applied.labels(producer).inc(count)
        self._metrics.duplicates.inc(verdict.duplicates)
        self._metrics.parked.inc(parked)
        if more:
            await self._apply(streams, [], retried)

    async def _run_handlers(self, tx: Transaction, ready: Sequence[Arrival]) -> None:
        """Calls each handler with as many of its events at once as the order of each stream allows."""
        known = [arrival for arrival in ready if arrival.type in self._handlers]
        for handler, run in gate.runs(known, lambda arrival: self._handlers[arrival.type][1]):
            events = [self._received(arrival) for arrival in run]
            for received in events:
                faultpoints.reach("handling", received.id)
            token = trace.current.set(trace.continue_from(events[0].traceparent))
            try:
                await handler(tx, events)
            finally:
                trace.current.reset(token)
            tx.applied += len(events)
            faultpoints.reach("mid_batch")

    async def _judge(
        self,
        conn: Connection,
        arrivals: Sequence[Arrival],
        before: Mapping[Place, Cursor],
        retried: Sequence[Place],
        at_most: int | None,
    ) -> gate.Verdict:
        """The gate's verdict on what arrived and what is parked.

        Only of streams in which something passes are more of the parked ones read, so that a message costs the same
        however much waits behind a gap. What comes after the service's own events never waits for them.
        """
        known = {place: cursor for place, cursor in before.items() if place[1] in self.reads}
        at = {place: cursor.sequence for place, cursor in known.items()}
        if not _is_behind(known):
            return gate.decide(arrivals, [], at, at_most)
        streams = sorted({stream for stream, _ in known})
        nearest = await parking.list_parked(conn, streams, retried, 1)
        verdict = gate.decide(arrivals, nearest, at, at_most)
        moving = {stream for stream, _ in verdict.cursors}
        if not moving or at_most is not None:
            return verdict
        parked = await parking.list_parked(conn, sorted(moving), retried, MOST_AT_ONCE)
        return gate.decide(arrivals, [*(one for one in nearest if one.arrival.stream not in moving), *parked], at)

    def _received(self, arrival: Arrival) -> Received[Event]:
        kind = self._handlers[arrival.type][0]
        event = kind.decode(arrival.body)
        return Received(arrival.stream, arrival.sequence, arrival.id, arrival.time, arrival.traceparent, event)


def _is_behind(known: Mapping[Place, Cursor]) -> bool:
    """Whether anything can be parked."""
    return any(cursor.head > cursor.sequence for cursor in known.values())


__all__ = ["Handler", "Inbox", "Patience", "Received"]
