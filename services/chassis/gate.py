"""The gate: which events of a message may be applied now. Pure; everything that keeps order is decided here.

An event passes when it is the next of its stream and everything it came *after* has been applied here too
(its producer had applied that much of the other streams when it wrote the event). So effects never overtake
their causes, although each producer's stream travels by itself.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar
from uuid import UUID

from msgspec import Struct

from services.chassis.cloudevents import Arrival

Place = tuple[UUID, str]
"""One stream of one producer."""

K = TypeVar("K")

_Key = tuple[str, int]
"""Producer and sequence number, within a stream."""


class Parked(Struct, frozen=True):
    """An event that came before it could be applied. `blocked`: it failed and waits for a retry or an operator."""

    arrival: Arrival
    blocked: bool


@dataclass(slots=True)
class Verdict:
    """What to do with the events: apply `ready` in this order, park `early`, forget the duplicates."""

    ready: list[Arrival] = field(default_factory=list)
    early: list[Arrival] = field(default_factory=list)
    duplicates: int = 0
    cursors: dict[Place, int] = field(default_factory=dict)
    """Where each stream that moved stands after `ready`."""
    heads: dict[Place, int] = field(default_factory=dict)
    """How far each stream is known to reach, where that is beyond its cursor."""


class _Stream:
    """One cooperative while a message is sorted. What waits is kept in the order in which it came."""

    __slots__ = ("at", "held", "stored", "stream", "waiting")

    def __init__(self, stream: UUID) -> None:
        self.stream = stream
        self.at: dict[str, int] = {}
        """How far each producer's events are applied."""
        self.waiting: dict[_Key, Arrival] = {}
        self.stored: set[_Key] = set()
        """What is parked."""
        self.held: set[_Key] = set()
        """What of it is blocked."""


def decide(
    arrivals: Sequence[Arrival],
    parked: Iterable[Parked],
    cursors: Mapping[Place, int],
    at_most: int | None = None,
) -> Verdict:
    """Sorts what arrived and what was parked. `cursors` holds the streams in question for every producer read.

    Of what is parked, any number of the next events of each place will do: what is ready is ready with all the rest as
    well, and a caller that applied it can come back for more.
    Streams keep their order; across streams the order of arrival is kept as far as their gates allow.
    With `at_most`, no more than that many events are ready, and the rest are early.
    """
    verdict = Verdict()
    streams: dict[UUID, _Stream] = {}
    for (stream, producer), sequence in cursors.items():
        found = streams.get(stream)
        if found is None:
            found = streams[stream] = _Stream(stream)
        found.at[producer] = sequence
    touched: dict[int, _Stream] = {}
    for item in parked:
        found, key = streams[item.arrival.stream], (item.arrival.producer, item.arrival.sequence)
        touched[id(found)] = found
        found.stored.add(key)
        if item.blocked:
            found.held.add(key)
        else:
            found.waiting[key] = item.arrival
    for event in arrivals:
        found = streams[event.stream]
        if not found.waiting and not found.stored and _passes(event, found.at, verdict, at_most):  # as nearly always
            continue
        key = (event.producer, event.sequence)
        touched[id(found)] = found
        if event.sequence <= found.at[event.producer] or key in found.waiting or key in found.stored:
            verdict.duplicates += 1
        else:
            found.waiting[key] = event
    for found in touched.values():
        _pass_stream(found, verdict, at_most)
        _note_heads(found, verdict)
    return verdict


def runs(ready: Sequence[Arrival], kind_of: Callable[[Arrival], K]) -> Iterator[tuple[K, list[Arrival]]]:
    """The events in runs of one kind each, in an order that keeps that of each stream.

    Streams do not know each other: what comes next in any of them goes along with a run, so that batches stay batches
    although a message brings many streams with events of several kinds.
    """
    left = ready
    while left:
        kind = kind_of(left[0])
        run, later, held = list[Arrival](), list[Arrival](), set[UUID]()
        for event in left:
            if event.stream not in held and kind_of(event) == kind:
                run.append(event)
            else:
                held.add(event.stream)
                later.append(event)
        yield kind, run
        left = later


def _pass_stream(found: _Stream, verdict: Verdict, at_most: int | None) -> None:
    """Lets through what may pass of one stream: of each producer's next event, always the first that came."""
    at, waiting = found.at, found.waiting
    came = {key: index for index, key in enumerate(waiting)}
    producers, moved = {producer for producer, _ in waiting}, set[str]()
    while at_most is None or len(verdict.ready) < at_most:
        first = None
        for producer in producers:
            key = (producer, at[producer] + 1)
            event = waiting.get(key)
            if event and _causes_applied(event, at) and (first is None or came[key] < came[first]):
                first = key
        if first is None:
            break
        verdict.ready.append(waiting.pop(first))
        at[first[0]] = first[1]
        moved.add(first[0])
    for producer in moved:
        verdict.cursors[found.stream, producer] = at[producer]
    verdict.early += [event for key, event in waiting.items() if key not in found.stored]


def _passes(event: Arrival, at: dict[str, int], verdict: Verdict, at_most: int | None) -> bool:
    """Lets an event through for which nothing of its stream waits, if it may pass."""
    if event.sequence != at[event.producer] + 1 or not _causes_applied(event, at):
        return False
    if at_most is not None and len(verdict.ready) >= at_most:
        return False
    verdict.ready.append(event)
    at[event.producer] = verdict.cursors[event.stream, event.producer] = event.sequence
    return True


def _causes_applied(event: Arrival, at: Mapping[str, int]) -> bool:
    """Causes from producers that this service does not read do not hold the event."""
    for cause, needed in event.after.items():  # noqa: SIM110 - a generator takes three times as long
        if at.get(cause, needed) < needed:
            return False
    return True


def _note_heads(found: _Stream, verdict: Verdict) -> None:
    """What is still waiting proves how far the streams reach, also those of its causes."""
    heads: dict[str, int] = {}
    seen = [*found.held, *found.waiting, *(cause for event in found.waiting.values() for cause in event.after.items())]
    for producer, sequence in seen:
        if producer in found.at and sequence > max(found.at[producer], heads.get(producer, 0)):
            heads[producer] = sequence
    for producer, sequence in heads.items():
        verdict.heads[found.stream, producer] = sequence
