"""The gate: which events of a message may be applied now. Pure; everything that keeps order is decided here.

An event passes when it is the next of its stream and everything it came *after* has been applied here too
(its producer had applied that much of the other streams when it wrote the event). So effects never overtake
their causes, although each producer's stream travels by itself.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from msgspec import Struct

from services.chassis.cloudevents import Arrival

Place = tuple[UUID, str]
"""One stream of one producer."""


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
    at = dict(cursors)
    waiting: dict[UUID, dict[tuple[str, int], Arrival]] = {}
    held: set[tuple[UUID, str, int]] = set()
    stored: set[tuple[UUID, str, int]] = set()
    for item in parked:
        event = item.arrival
        stored.add((event.stream, event.producer, event.sequence))
        if item.blocked:
            held.add((event.stream, event.producer, event.sequence))
        else:
            waiting.setdefault(event.stream, {})[event.producer, event.sequence] = event
    for event in arrivals:
        key = (event.producer, event.sequence)
        known = waiting.setdefault(event.stream, {})
        if event.sequence <= at[event.stream, event.producer] or key in known or (event.stream, *key) in stored:
            verdict.duplicates += 1
        else:
            known[key] = event
    for stream, events in waiting.items():
        _pass_stream(stream, events, at, stored, verdict, at_most)
    _note_heads(waiting, held, at, verdict)
    return verdict


def _pass_stream(
    stream: UUID,
    events: dict[tuple[str, int], Arrival],
    at: dict[Place, int],
    stored: set[tuple[UUID, str, int]],
    verdict: Verdict,
    at_most: int | None,
) -> None:
    """Lets through what may pass of one stream: of each producer's next event, always the first that came."""
    came = {key: index for index, key in enumerate(events)}
    producers = {producer for producer, _ in events}
    while at_most is None or len(verdict.ready) < at_most:
        next_keys = [key for p in producers if (key := (p, at[stream, p] + 1)) in events]
        passing = [key for key in next_keys if _causes_applied(events[key], at)]
        if not passing:
            break
        key = min(passing, key=came.__getitem__)
        event = events.pop(key)
        verdict.ready.append(event)
        at[stream, event.producer] = verdict.cursors[stream, event.producer] = event.sequence
    verdict.early += [event for key, event in events.items() if (stream, *key) not in stored]


def _causes_applied(event: Arrival, at: Mapping[Place, int]) -> bool:
    """Causes from producers that this service does not read do not hold the event."""
    return all(at.get((event.stream, cause), needed) >= needed for cause, needed in event.after.items())


def _note_heads(
    waiting: Mapping[UUID, Mapping[tuple[str, int], Arrival]],
    held: set[tuple[UUID, str, int]],
    at: Mapping[Place, int],
    verdict: Verdict,
) -> None:
    """What is still waiting proves how far the streams reach, also those of its causes."""

    def note(place: Place, sequence: int) -> None:
        if place in at and sequence > max(at[place], verdict.heads.get(place, 0)):
            verdict.heads[place] = sequence

    for stream, producer, sequence in held:
        note((stream, producer), sequence)
    for stream, events in waiting.items():
        for event in events.values():
            note((stream, event.producer), event.sequence)
            for cause, needed in event.after.items():
                note((stream, cause), needed)
