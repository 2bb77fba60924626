"""Laws of the streams: no hole, no cause behind its effect, every cooperative's order kept, nothing left over."""

import json
from collections import defaultdict

from infra.demo.law import Databases, Invariant
from services.contracts.flow import READS, SERVICES
from tests.chaos import template
from tests.chaos.arena import Arena
from tests.chaos.once import vector
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


async def orders_keep_their_turn(databases: Databases) -> Invariant:
    """For each offer, orders got their places in the order of the events that brought them."""
    found = Invariant("orders keep their turn")
    brought: dict[str, list[str]] = defaultdict(list)
    events = await databases["orders"].fetch(
        "select data from event_log where type in ('orders.order_placed.v1', 'orders.order_changed.v1')"
        " order by stream, sequence"
    )
    for event in events:
        said = json.loads(event["data"])
        for line in said["lines"]:
            if said["order_id"] not in brought[line["offer_id"]]:
                brought[line["offer_id"]].append(said["order_id"])
    placed: dict[str, list[str]] = defaultdict(list)
    for row in await databases["allocation"].fetch(
        "select offer_id::text, order_id::text from order_line group by 1, 2 order by offer_id, min(position)"
    ):
        placed[row["offer_id"]].append(row["order_id"])
    for offer in sorted({*brought, *placed}):
        found.must_equal(f"turns at offer {offer}", placed[offer], brought[offer])
    found.compared = {"offers": len(brought), "places": sum(map(len, placed.values()))}
    return found


async def no_message_is_left(arena: Arena) -> Invariant:
    """Each reader's queue of each lane is there, consumed and empty, and quarantine holds exactly what was injected."""
    found = Invariant("nothing is left over")
    wanted = {f"{reader}.{lane}" for reader in READS for lane in range(template.SHARED_LANES)}
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
