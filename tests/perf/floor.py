"""`floor`: the chain against what PostgreSQL and RabbitMQ could do at most on this machine.

The floor has no logic at all: the rows and the messages of a run of ours, written and carried again, one after the
other and both at once; the faster of the two counts. It writes all rows, also the customers of the last second, which
ours finds after its clock has stopped.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from statistics import median
from typing import Any

from tests.perf import floor_messages, floor_writer
from tests.perf.apart import Apart
from tests.perf.chain import SHOPS, WARES
from tests.perf.cpu import MachineUse
from tests.perf.figures import Figure
from tests.perf.floor_messages import Message, overheard
from tests.perf.floor_rows import Plan, make_plans
from tests.perf.market import make_market
from tests.perf.measuring import PATIENCE_S, measure, warm_up
from tests.perf.ours import Ours
from tests.perf.subject import Servers, running

ORDERS = 20_000
PROCESSES = 2
"""Of writers; they alone would fill both cores."""
WRITERS = (2, 4)
"""Each with a connection to each database; the faster way counts."""
START_S = 6
"""What the processes need to take their parts in hand."""
GOAL = ">= 0.5"

Job = tuple[Callable[..., tuple[float, float]], tuple[Any, ...]]
"""What a process does, and with what; the moment to begin comes last. Returns when it began and ended."""


@dataclass
class Way:
    """Orders per second of one way to do it, and how busy the machine was (1.0 = all cores), round by round."""

    per_s: list[float] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)

    def add(self, per_s: float, share: float) -> None:
        """One more round."""
        self.per_s.append(per_s)
        self.shares.append(share)

    @property
    def rate(self) -> float:
        """The median."""
        return median(self.per_s)


async def run(servers: Servers, rounds: int) -> AsyncIterator[Figure]:
    """One run of ours is the model; then ours and the ways of the floor in turn."""
    market = make_market(SHOPS, WARES, seed=1)
    ours, floor = Ours(servers.stack, market), Apart(servers.stack, market, "floor")
    await ours.prepare()
    async with running(servers, ours) as there:
        async with overheard(servers.stack) as messages:
            await measure(there, market, ORDERS, "model")
        await _check(ours)
    cooperatives = [shop.cooperative_id for shop in market.shops]
    plans = {count: await make_plans(ours, cooperatives, count) for count in WRITERS}
    ways = {name: Way() for name in ("chain", *(f"database_{count}" for count in WRITERS), "broker", "together")}
    with ProcessPoolExecutor(PROCESSES + 2, mp_context=get_context("spawn")) as pool:
        for number in range(rounds):
            async with running(servers, ours) as there:
                await warm_up(there, market, f"{number}")
                found = await measure(there, market, ORDERS, f"{number}")
                await _check(ours)
            ways["chain"].add(found.orders_per_s, found.cpu_share)
            broker = _broker_jobs(servers, floor, messages)
            for count in WRITERS:
                await _written(pool, floor, _writer_jobs(floor, plans[count]), ways[f"database_{count}"])
            await floor_messages.declare(floor_messages.url(servers.stack, floor.name))
            ways["broker"].add(*await _at_once(pool, broker))
            await floor.prepare()
            await floor_messages.declare(floor_messages.url(servers.stack, floor.name))
            ways["together"].add(*await _at_once(pool, [*_writer_jobs(floor, plans[WRITERS[-1]]), *broker]))
            await _check(floor)
    yield _figure(ways, messages)


def _figure(ways: dict[str, Way], messages: Sequence[Message]) -> Figure:
    database = max(ways[f"database_{count}"].rate for count in WRITERS)
    in_turn = 1 / (1 / database + 1 / ways["broker"].rate)
    chain, reachable = ways["chain"].rate, max(in_turn, ways["together"].rate)
    other = {
        "orders_per_s": {name: round(way.rate) for name, way in ways.items()} | {"in_turn": round(in_turn)},
        "cpu_share": {name: round(median(way.shares), 2) for name, way in ways.items()},
        "messages": len(messages),
        "message_bytes_per_order": round(sum(len(message.body) for message in messages) / ORDERS),
    }
    return Figure("floor", "orders/s", round(chain), round(reachable), chain / reachable, GOAL, other)


def _writer_jobs(floor: Apart, plans: Sequence[Plan]) -> list[Job]:
    return [(floor_writer.write, (floor.dsns, plans[number::PROCESSES])) for number in range(PROCESSES)]


def _broker_jobs(servers: Servers, floor: Apart, messages: Sequence[Message]) -> list[Job]:
    url = floor_messages.url(servers.stack, floor.name)
    return [(floor_messages.carry, (url, messages, allocates)) for allocates in (True, False)]


async def _written(pool: ProcessPoolExecutor, floor: Apart, jobs: Sequence[Job], way: Way) -> None:
    """Into fresh databases; what stands in them then must add up as if our services had written it."""
    await floor.prepare()
    way.add(*await _at_once(pool, jobs))
    await _check(floor)


async def _at_once(pool: ProcessPoolExecutor, jobs: Sequence[Job]) -> tuple[float, float]:
    """Does the jobs side by side, from the same moment on; orders per second, and how busy the machine was.

    Where one begins late, what the others have done by then counts for the floor.
    """
    at = time.monotonic() + START_S
    doing = [asyncio.wrap_future(pool.submit(job, *arguments, at)) for job, arguments in jobs]
    await asyncio.sleep(at - time.monotonic())
    use = MachineUse()
    async with asyncio.timeout(PATIENCE_S):
        times = await asyncio.gather(*doing)
    share = use.share()
    return ORDERS / (max(ended for _, ended in times) - max(began for began, _ in times)), share


async def _check(subject: Ours) -> None:
    wrong = await subject.check()
    assert not wrong, f"{subject.name}: {'; '.join(wrong)}"
