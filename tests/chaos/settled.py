"""When everything is settled: nothing waits for a relay, a reader, a broker or a receiver any more."""

import asyncio
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

from services.contracts.flow import READS, SERVICES
from tests.chaos.arena import Arena

Heads = Mapping[str, Mapping[UUID, int]]
"""service → stream → its last event"""

_HEADS = "select stream, last_sequence from stream_head where last_sequence > 0"
_UNRELAYED = (
    "select coalesce(sum(last_sequence - coalesce(sequence, 0)), 0)::bigint"
    " from stream_head left join relay_cursor using (stream)"
)
_PARKED = "select status, count(*) from parked_event group by status"
_CURSORS = "select producer, stream, sequence from consumer_cursor"


@dataclass(frozen=True)
class Moment:
    """How far everything reached when the fault ended."""

    heads: Heads
    orders: frozenset[str]
    pushes: frozenset[int]


async def moment(arena: Arena) -> Moment:
    """What there is now and has to be settled."""
    heads = {name: await _heads(arena, name) for name in SERVICES}
    return Moment(heads, frozenset(arena.load.order_ids.values()), frozenset(arena.load.unanswered))


async def until_healed(arena: Arena, since: Moment) -> float:
    """Seconds until all that was pushed and published by that moment is answered, applied and promised."""
    began = time.monotonic()
    while reason := await _not_healed(arena, since):
        if time.monotonic() > began + arena.scenario.heal_s:
            raise TimeoutError(f"not healed {arena.scenario.heal_s:.0f} s after the fault: {reason}")
        await asyncio.sleep(0.1)
    return time.monotonic() - began


async def until_settled(arena: Arena) -> None:
    """Waits until nothing is on its way. Raises TimeoutError with all that still is."""
    began, calm = time.monotonic(), 0
    while calm < 2:  # twice, since what is looked at is not of one moment
        reasons = await unsettled(arena)
        calm = 0 if reasons else calm + 1
        if reasons and time.monotonic() > began + arena.scenario.heal_s:
            raise TimeoutError(f"not settled after {arena.scenario.heal_s:.0f} s: {'; '.join(reasons)}")
        await asyncio.sleep(0.2)


async def until_closed(arena: Arena) -> None:
    """Waits until every offer's intake is closed in the books of orders and allocation."""
    async with asyncio.timeout(arena.scenario.heal_s):
        for service, query in (
            ("orders", "select count(*) from offer where state = 'open'"),
            ("allocation", "select count(*) from offer_book where open"),
        ):
            while await arena.books.value(service, query):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.1)


async def unsettled(arena: Arena) -> list[str]:
    """All that is still on its way, in words."""
    reasons = [reason for found in await asyncio.gather(*(_of(arena, name) for name in SERVICES)) for reason in found]
    reasons += await _behind(arena, {name: await _heads(arena, name) for name in SERVICES})
    if await arena.books.value("orders", "select count(*) from customer_order where state = 'placed' and announced"):
        reasons.append("orders wait for their promise")
    for what, query in (
        ("notices", "select count(*) from notice where state = 'queued' and not_before <= now()"),
        ("messages to partners", "select count(*) from partner_message where next_at is not null"),
    ):
        if waiting := await arena.books.value("notify", query):
            reasons.append(f"{waiting} {what} are queued or being sent")
    return reasons or await _of_processes(arena)


async def _of(arena: Arena, name: str) -> list[str]:
    reasons = []
    if unrelayed := await arena.books.value(name, _UNRELAYED):
        reasons.append(f"{unrelayed} events of {name} are not relayed")
    parked = {row["status"]: row["count"] for row in await arena.books.fetch(name, _PARKED)}
    if quarantined := parked.pop("quarantined", 0) - arena.expected.quarantined[name]:
        reasons.append(f"{name} has {quarantined} events in quarantine that nobody injected")
    if parked and not arena.expected.quarantined[name]:
        reasons.append(f"{name} has parked {parked}")
    return reasons


async def _of_processes(arena: Arena) -> list[str]:
    reasons = [f"{name} is not ready: {said}" for name in arena.services if (said := await _not_ready(arena, name))]
    try:
        return reasons or [f"{depth} messages in {queue}" for queue, depth in (await left_in_queues(arena)).items()]
    except OSError as error:
        return [f"the broker does not answer: {error}"]


async def left_in_queues(arena: Arena, patience_s: float = 20) -> dict[str, int]:
    """The queues that are never seen empty; one look is not enough, since heads of streams come all the time."""
    began, left = time.monotonic(), await arena.queue_depths()
    while left := {queue: depth for queue, depth in left.items() if depth}:
        if time.monotonic() > began + patience_s:
            break
        await asyncio.sleep(0.3)
        now = await arena.queue_depths()
        left = {queue: now.get(queue, 0) for queue in left}
    return left


async def until_consumed(arena: Arena, wanted: Collection[str], patience_s: float = 20) -> dict[str, str]:
    """Those of the wanted queues that are never seen with a consumer, and what is wrong with them."""
    began = time.monotonic()
    while True:
        queues = await arena.queues()
        missing = {queue: "is not there" for queue in wanted if queue not in queues}
        idle = {queue: "has no consumer" for queue in wanted if queue in queues and not queues[queue].consumers}
        if not (missing or idle) or time.monotonic() > began + patience_s:
            return missing | idle
        await asyncio.sleep(0.3)


async def _not_ready(arena: Arena, name: str) -> str:
    return await arena.waits_for(name) if arena.is_wanted(name) else ""


async def _heads(arena: Arena, name: str) -> dict[UUID, int]:
    return {row["stream"]: row["last_sequence"] for row in await arena.books.fetch(name, _HEADS)}


async def _behind(arena: Arena, heads: Heads) -> list[str]:
    """Which readers have not applied these heads; streams behind an expected quarantine may wait."""
    reasons = []
    for reader, producers in READS.items():
        rows = await arena.books.fetch(reader, _CURSORS)
        cursors = {(row["producer"], row["stream"]): row["sequence"] for row in rows}
        missing = {
            producer: sum(max(0, head - cursors.get((producer, stream), 0)) for stream, head in heads[producer].items())
            for producer in producers
        }
        if not arena.expected.quarantined[reader]:
            reasons += [f"{reader} lacks {n} events of {producer}" for producer, n in missing.items() if n]
    return reasons


async def _not_healed(arena: Arena, since: Moment) -> str:
    if waiting := since.pushes & arena.load.unanswered:
        return f"{len(waiting)} pushes have no certain answer"
    if behind := await _behind(arena, since.heads):
        return "; ".join(behind)
    undecided = await arena.books.value(
        "orders",
        "select count(*) from customer_order where state = 'placed' and announced and order_id = any($1::uuid[])",
        list(since.orders),
    )
    return f"{undecided} orders wait for their promise" if undecided else ""
