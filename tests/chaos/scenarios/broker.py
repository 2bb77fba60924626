"""A broker that stops, dies, forgets everything, loses a queue or a binding, or takes no more."""

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import quote
from uuid import UUID

from services.contracts.flow import READS, SERVICES, read_by
from tests.chaos.arena import Arena
from tests.chaos.scenario import scenario

SHARES = (0.2, 0.35, 0.5)
"""Of the load: when the queues and the bindings are deleted."""
FEW = 5
"""Events that a wiped broker takes with it, at the least."""
_APPLIED = "select stream, sequence from consumer_cursor where producer = 'orders'"
_RELAYED = "select stream, sequence from relay_cursor"
_ASKED, _SERVED = "consumer_resends_requested", "relay_resends"


@scenario("broker restarted")
async def restarted(arena: Arena) -> None:
    """As for an upgrade: it shuts down in good order."""
    await arena.load.until(0.3)
    restarting = asyncio.create_task(asyncio.to_thread(arena.stack.rabbit.restart))
    await _all_miss_the_broker(arena)
    await restarting


@scenario("broker killed")
async def killed(arena: Arena) -> None:
    """kill -9, and it comes back with its data."""
    await arena.load.until(0.3)
    await _kill(arena)
    await _all_miss_the_broker(arena)
    await asyncio.to_thread(arena.stack.rabbit.start)


async def _all_miss_the_broker(arena: Arena) -> None:
    """Returns when every service has said so, each at any moment."""
    missing = set(SERVICES)

    async def missed() -> bool:
        missing.difference_update([name for name in missing if "broker" in await arena.waits_for(name)])
        return not missing

    await arena.until("every service has lost its connections to the broker", missed)


@scenario("broker wiped", short=True)
async def wiped(arena: Arena) -> None:
    """kill -9, and its data directory is gone: no queue, no binding, and none of the messages for a stopped reader.

    The relay has had their confirms and does not send them again by itself: the reader has to ask.
    """
    reader = arena.random.choice([it for it in read_by("orders") if it != "orders"])
    await arena.load.until(0.2)
    await arena.kill(reader)
    await arena.until("messages wait for the stopped reader", partial(_wait_in_queues, arena, reader))
    await _kill(arena)
    lost = await _relayed_and_not_applied(arena, reader)
    assert sum(lost.values()) >= FEW, f"the broker took only {lost} with it"
    relayed = await _sequences(arena, "orders", _RELAYED)
    served, asked = arena.counts.of("orders", _SERVED), arena.counts.of(reader, _ASKED)
    await asyncio.to_thread(arena.stack.rabbit.start, fresh=True)
    await arena.start_service(reader, ready=False)
    arena.fault_ends()
    await arena.until(f"{reader} has what was lost", partial(_has, arena, reader, relayed))
    await arena.until(f"{reader} has asked for it", partial(_is_more, arena, reader, _ASKED, asked))
    await arena.until("orders has sent it again", partial(_is_more, arena, "orders", _SERVED, served))


async def _wait_in_queues(arena: Arena, reader: str) -> bool:
    """Whether there are messages for it, and among them enough events of `orders`."""
    depths = await arena.queue_depths()
    waiting = sum(depth for queue, depth in depths.items() if queue.startswith(f"{reader}."))
    return waiting > 0 and sum((await _relayed_and_not_applied(arena, reader)).values()) >= FEW


async def _relayed_and_not_applied(arena: Arena, reader: str) -> dict[UUID, int]:
    """How many events of each stream of `orders` only the broker has on their way to a reader that does not run."""
    applied, relayed = await _sequences(arena, reader, _APPLIED), await _sequences(arena, "orders", _RELAYED)
    return {stream: n for stream, last in relayed.items() if (n := last - applied.get(stream, 0)) > 0}


async def _sequences(arena: Arena, service: str, query: str) -> dict[UUID, int]:
    return {row["stream"]: row["sequence"] for row in await arena.sql(service, query)}


async def _has(arena: Arena, reader: str, relayed: Mapping[UUID, int]) -> bool:
    """Whether the reader has applied each of the streams up to there."""
    applied = await _sequences(arena, reader, _APPLIED)
    return all(applied.get(stream, 0) >= last for stream, last in relayed.items())


async def _is_more(arena: Arena, name: str, counter: str, before: int) -> bool:
    """Counters are sampled every second."""
    return arena.counts.of(name, counter) > before


async def _kill(arena: Arena) -> None:
    await asyncio.to_thread(arena.stack.rabbit.kill)
    arena.counts.kills += 1


@scenario("queues deleted")
async def queues_deleted(arena: Arena) -> None:
    """Three lane queues vanish with what is in them, one after the other."""
    for share in SHARES:
        await arena.load.until(share)
        queue = await _a_lane_queue(arena)
        await arena.management("DELETE", f"/queues/%2F/{queue}")
        if share == SHARES[-1]:
            arena.fault_ends()
        await arena.until(f"{queue} is consumed again", partial(_has_consumer, arena, queue))


@scenario("bindings deleted")
async def bindings_deleted(arena: Arena) -> None:
    """All bindings of three lane queues: events reach other readers and not this one."""
    for share in SHARES:
        await arena.load.until(share)
        queue = await _a_lane_queue(arena)
        for binding in await _bindings(arena, queue):
            place = f"/bindings/%2F/e/{quote(binding['source'])}/q/{queue}/{quote(binding['properties_key'], safe='')}"
            await arena.management("DELETE", place)
        if share == SHARES[-1]:
            arena.fault_ends()
        await arena.until(f"{queue} is bound again", partial(_bindings, arena, queue))


async def _a_lane_queue(arena: Arena) -> str:
    """A queue of a lane on which some cooperative lives."""
    rows = await arena.sql("catalog", "select distinct lane from stream_head order by lane")
    return f"{arena.random.choice(SERVICES)}.{arena.random.choice(rows)['lane']}"


async def _bindings(arena: Arena, queue: str) -> list[dict[str, Any]]:
    found = await arena.management("GET", f"/queues/%2F/{queue}/bindings")
    return [binding for binding in found if binding["source"]]


async def _has_consumer(arena: Arena, queue: str) -> bool:
    queues = await arena.queues()
    return queue in queues and queues[queue].consumers > 0


@scenario("memory alarm")
async def memory_alarm(arena: Arena) -> None:
    """The broker blocks whoever publishes, for some seconds."""
    await _alarm(
        arena,
        "vm_memory_monitor:set_vm_memory_high_watermark(0.0000001).",
        "vm_memory_monitor:set_vm_memory_high_watermark({absolute, 1073741824}).",
    )


@scenario("disk alarm")
async def disk_alarm(arena: Arena) -> None:
    """The broker says that its disk is full."""
    await _alarm(
        arena,
        "rabbit_disk_monitor:set_disk_free_limit(1000000000000000).",
        "rabbit_disk_monitor:set_disk_free_limit(67108864).",
    )


async def _alarm(arena: Arena, raised: str, cleared: str) -> None:
    await arena.load.until(0.25)
    await asyncio.to_thread(arena.stack.rabbit.evaluate, raised)
    try:
        await arena.until("events wait for the broker", partial(_unrelayed, arena))
        await asyncio.sleep(5)  # longer than heartbeats and leases
    finally:
        await asyncio.to_thread(arena.stack.rabbit.evaluate, cleared)


async def _unrelayed(arena: Arena) -> bool:
    """Whether a good number of events waits for the broker."""
    query = "select sum(last_sequence - coalesce(sequence, 0)) from stream_head left join relay_cursor using (stream)"
    return bool((await arena.books.value("orders", query) or 0) > 20)


@scenario("queues at their limit, publishers refused")
async def queues_refuse(arena: Arena) -> None:
    """Queues of a stopped reader are full and refuse: whoever publishes must keep it until there is room."""
    await _limit(arena, "reject-publish")


@scenario("queues at their limit, oldest dropped")
async def queues_drop(arena: Arena) -> None:
    """Queues of a stopped reader are full and forget what came first."""
    await _limit(arena, "drop-head")


async def _limit(arena: Arena, overflow: str) -> None:
    reader = arena.random.choice([it for it in READS if it != "orders"])  # without orders there would be no load
    await arena.load.until(0.1)
    policy = {"pattern": rf"^{reader}\.[0-9]+$", "apply-to": "queues", "priority": 1}
    definition = {"max-length": 5, "overflow": overflow}
    await arena.management("PUT", "/policies/%2F/full", policy | {"definition": definition})
    await arena.kill(reader)
    await arena.until("queues are full", partial(_is_full, arena, reader))
    await asyncio.sleep(2)
    await arena.start_service(reader)
    await arena.management("DELETE", "/policies/%2F/full")


async def _is_full(arena: Arena, reader: str) -> bool:
    depths = await arena.queue_depths()
    return sum(depth >= 5 for queue, depth in depths.items() if queue.startswith(f"{reader}.")) >= 2
