"""Laws of the streams: no hole, no cause behind its effect, every cooperative's order kept, nothing left over."""

import json
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from infra.demo.law import Databases, Invariant
from services.chassis.incarnation import lost_type
from services.contracts.flow import READS, SERVICES
from services.orders.amqp.topology import INTAKE
from tests.chaos import template
from tests.chaos.arena import Arena
from tests.chaos.once import CHANGED, PLACED, vector
from tests.chaos.settled import left_in_queues, until_consumed


async def logs_are_whole(databases: Databases) -> Invariant:
    """Every log runs from 1 to its head without a hole, and no id stands in two places."""
    found = Invariant("every event log is contiguous")
    for name in SERVICES:
        rows = await databases[name].fetch(
            "select stream, count(*) as events, min(sequence) as first, max(sequence) as last,"
            " count(distinct id) as ids from event_log group by stream"
        )
        for row in rows:
            whole = (row["events"], row["first"], row["ids"]) == (row["last"], 1, row["last"])
            if not whole:
                found.faults.append(f"{name} {row['stream']}: {dict(row)}")
        found.compared[name] = sum(row["events"] for row in rows)
    return found


async def causes_were_applied(databases: Databases) -> Invariant:
    """What an event says it came after has been applied by its service; else it would hold its readers for ever."""
    found = Invariant("each event's causes had been applied")
    found.compared["causes"] = 0
    for name in SERVICES:
        cursors = {
            (row["stream"], row["producer"]): row["sequence"]
            for row in await databases[name].fetch("select stream, producer, sequence from consumer_cursor")
        }
        for row in await databases[name].fetch("select stream, sequence, after from event_log"):
            for producer, sequence in vector(row["after"]).items():
                found.compared["causes"] += 1
                if sequence > cursors.get((row["stream"], producer), 0):
                    found.faults.append(f"{name} {row['stream']} {row['sequence']}: {producer} {sequence}")
    return found


async def effects_came_after_their_causes(databases: Databases) -> Invariant:
    """No reader applied an event before one that it came after: by the turns in which it took its producers."""
    found = Invariant("no reader applied an effect before its cause")
    found.compared["effects"] = 0
    query = "select stream, sequence, after from event_log where after <> '' order by stream, sequence"
    logs = {name: await databases[name].fetch(query) for name in SERVICES}
    for reader, producers in READS.items():
        turns = await _turns_of(databases, reader)
        for producer in producers:
            for row in logs[producer]:
                stream, sequence = row["stream"], row["sequence"]
                turn = turns.of_event(stream, producer, sequence)
                for cause, needed in vector(row["after"]).items():
                    if turn is None or cause not in producers:
                        continue
                    found.compared["effects"] += 1
                    if needed >= turns.first_after(stream, cause, turn):
                        found.faults.append(f"{reader} {stream}: {producer} {sequence} before {cause} {needed}")
    return found


@dataclass(frozen=True)
class _Turns:
    """When a reader turned to which producer: (turn, first sequence) by stream and producer, ascending in both."""

    by_place: Mapping[tuple[UUID, str], Sequence[tuple[int, int]]]

    def of_event(self, stream: UUID, producer: str, sequence: int) -> int | None:
        """The turn in which it was applied; None before the first that is written down."""
        begun = [turn for turn, first in self.by_place.get((stream, producer), ()) if first <= sequence]
        return begun[-1] if begun else None

    def first_after(self, stream: UUID, producer: str, turn: int) -> int:
        """The number of the producer's first event that was applied after that turn."""
        later = (first for at, first in self.by_place.get((stream, producer), ()) if at > turn)
        return next(later, sys.maxsize)


async def _turns_of(databases: Databases, reader: str) -> _Turns:
    by_place = defaultdict[tuple[UUID, str], list[tuple[int, int]]](list)
    for row in await databases[reader].fetch(
        "select stream, producer, turn, first_sequence from applied_turn order by turn"
    ):
        by_place[row["stream"], row["producer"]].append((row["turn"], row["first_sequence"]))
    return _Turns(by_place)


async def orders_keep_their_turn(databases: Databases) -> Invariant:
    """For each offer, orders got their places in the order of the events that brought them.

    Of an order that is in the log of a restored `orders`, an event may be lost in which it asked for another offer, as
    it asks again later; of these two nobody can say what its turn is.
    """
    found = Invariant("orders keep their turn")
    brought, unsure = await _brought(databases)
    placed: dict[str, list[str]] = defaultdict(list)
    for row in await databases["allocation"].fetch(
        "select offer_id::text, order_id::text from order_line group by 1, 2 order by offer_id, min(position)"
    ):
        if (row["offer_id"], row["order_id"]) not in unsure:
            placed[row["offer_id"]].append(row["order_id"])
    for offer in sorted({*brought, *placed}):
        found.must_equal(f"turns at offer {offer}", placed[offer], brought[offer])
    found.compared = {"offers": len(brought), "places": sum(map(len, placed.values()))}
    return found


async def _brought(databases: Databases) -> tuple[dict[str, list[str]], set[tuple[str, str]]]:
    """By offer the orders in their turn; and the (offer, order) of which a lost event may have told before."""
    brought: dict[str, list[str]] = defaultdict(list)
    unsure: set[tuple[str, str]] = set()
    before: dict[str, set[str]] = {}
    """By stream in which events are lost: the orders that were told of before."""
    told: defaultdict[str, set[str]] = defaultdict(set)
    events = await databases["orders"].fetch(
        "select stream::text, type, data from event_log where type = any($1) order by stream, sequence",
        [PLACED, CHANGED, lost_type("orders")],
    )
    for event in events:
        if event["type"] == lost_type("orders"):
            before.setdefault(event["stream"], set(told[event["stream"]]))
            continue
        said = json.loads(event["data"])
        order_id = said["order_id"]
        told[event["stream"]].add(order_id)
        for offer_id in (line["offer_id"] for line in said["lines"]):
            if order_id in brought[offer_id] or (offer_id, order_id) in unsure:
                continue
            if order_id in before.get(event["stream"], ()):
                unsure.add((offer_id, order_id))
            else:
                brought[offer_id].append(order_id)
    return brought, unsure


async def no_message_is_left(arena: Arena) -> Invariant:
    """Each reader's queue of each lane, and the partners' intake, are there and consumed. Nothing waits in any queue.

    What partners publish is never rejected here, so that nothing may be in their queues of rejects. Quarantine holds
    exactly what was injected.
    """
    found = Invariant("nothing is left over")
    wanted = {f"{reader}.{lane}" for reader in READS for lane in range(template.SHARED_LANES)}
    wanted.add(INTAKE)
    for name in SERVICES:
        lanes = await arena.books.fetch(name, "select distinct lane from stream_head where last_sequence > 0")
        wanted |= {f"{reader}.{row['lane']}" for reader in READS if name in READS[reader] for row in lanes}
    for queue, fault in (await until_consumed(arena, wanted)).items():
        found.faults.append(f"queue {queue} {fault}")
    for queue, depth in (await left_in_queues(arena)).items():
        found.must_equal(f"messages in {queue}", depth, 0)
    for name in SERVICES:
        count = await arena.books.value(name, "select count(*) from parked_event where status = 'quarantined'")
        found.must_equal(f"quarantine of {name}", count, arena.expected.quarantined[name])
    found.compared = {"queues": len(wanted)}
    return found
