"""`growth.*`: what an order costs beside many past ones, with few and many cooperatives, and after a halt.

Each state is measured next to an empty one with 100 cooperatives, which is made anew each time. An order's cost is
the CPU time of the services and the servers together.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import asyncpg

from tests.perf.apart import Apart
from tests.perf.chain import BATCH, CONNECTIONS, OUR_ORDERS, Run, make_pushes, measure, until_done
from tests.perf.cpu import used_us
from tests.perf.figures import Figure
from tests.perf.growth_rows import load
from tests.perf.market import Market, make_market
from tests.perf.memory import peak_mib
from tests.perf.subject import Hammering, Servers, running

GOAL = ">= 0.95"
BACKLOG = 100_000
BEHIND = ("allocation", "notify")
MEMORY_MIB = 150


@dataclass(frozen=True)
class State:
    """`backlog`: so many orders wait for `allocation` and `notify`, which then catch up."""

    name: str
    cooperatives: int = 100
    wares: int = 10
    past_orders: int = 0
    backlog: int = 0


EMPTY = State("empty")
STATES = (
    State("million", past_orders=1_000_000),
    State("5_million", past_orders=5_000_000),
    State("cooperatives_1", cooperatives=1),
    State("cooperatives_10000", cooperatives=10_000, wares=1, past_orders=10_000),
    State("backlog", backlog=BACKLOG),
)


class _Subject:
    """Our services in one state, and the most memory that each of them took."""

    def __init__(self, servers: Servers, state: State) -> None:
        self._servers, self._state = servers, state
        self.market: Market = make_market(state.cooperatives, state.wares, seed=1)
        self.ours = Apart(servers.stack, self.market, f"growth_{state.name}")
        self.bytes_per_order: int | None = None
        self.peaks_mib: dict[str, float] = {}

    async def prepare(self) -> None:
        """Makes it anew, with its past."""
        await self.ours.prepare()
        if self._state.past_orders:
            loaded = await load(self.ours, self.market, self._state.past_orders)
            self.bytes_per_order = round(loaded / self._state.past_orders)
            await _checkpoint(self._servers)

    async def measure(self, run: str) -> Run:
        """One run of fresh processes."""
        with running(self.ours):
            fresh = self._servers.cpu(self.ours)
            await measure(self._servers, self.ours, self.market, 5 * BATCH, f"{run}w")
            if self._state.backlog:
                found = await self._catch_up(run, fresh)
            else:
                found = await measure(self._servers, self.ours, self.market, OUR_ORDERS, run)
            for service, pid in self.ours.pids().items():
                self.peaks_mib[service] = max(peak_mib(pid), self.peaks_mib.get(service, 0))
        return found

    async def check(self) -> None:
        """Raises AssertionError where the books are wrong. Nothing of it may run."""
        wrong = await self.ours.check()
        assert not wrong, f"{self.ours.name}: {'; '.join(wrong)}"

    async def _catch_up(self, run: str, fresh: dict[str, int]) -> Run:
        """Orders per second of catching up; the CPU time is that of the whole way, without starting (`fresh`)."""
        before, behind = await self.ours.progress(), [self.ours.process(name) for name in BEHIND]
        for process in behind:
            process.stop()
        pushes = make_pushes(self.market, self._state.backlog, run, BATCH)
        cpu = {**fresh, **self._servers.cpu(self.ours)}
        hammering = Hammering(self.ours.http_port, CONNECTIONS, pushes)
        hammering.go()
        await asyncio.to_thread(hammering.outcome)
        for process in behind:
            process.start()
        began = time.monotonic()
        for process in behind:
            process.wait_until_ready()
        await until_done(self.ours, before, self._state.backlog)
        seconds = time.monotonic() - began
        return Run(self._state.backlog / seconds, used_us(cpu, self._servers.cpu(self.ours), self._state.backlog))


async def run(servers: Servers, rounds: int) -> Sequence[Figure]:
    """One state after the other, each next to the empty one."""
    figures, peaks = [], {}
    empty = _Subject(servers, EMPTY)
    for state in STATES:
        subject = _Subject(servers, state)
        await subject.prepare()
        pairs = []
        for number in range(rounds):
            await empty.prepare()
            pairs.append((await empty.measure(f"e{number}"), await subject.measure(f"s{number}")))
            await empty.check()
        await subject.check()
        subject.ours.remove()
        figures.append(_figure(state, subject, pairs))
        peaks[state.name] = subject.peaks_mib
    empty.ours.remove()
    peaks[EMPTY.name] = empty.peaks_mib
    greatest = max(mib for found in peaks.values() for mib in found.values())
    rounded = {name: {service: round(mib) for service, mib in found.items()} for name, found in peaks.items()}
    return [
        *figures,
        Figure(
            "growth.memory",
            "MiB",
            round(greatest),
            MEMORY_MIB,
            round(greatest / MEMORY_MIB, 2),
            "<= 1",
            {"peaks_mib": rounded},
        ),
    ]


def _figure(state: State, subject: _Subject, pairs: Sequence[tuple[Run, Run]]) -> Figure:
    runs = dict(zip(("empty", state.name), zip(*pairs, strict=True), strict=True))
    empty, own = (median(run.orders_per_cpu_s for run in found) for found in runs.values())
    other: dict[str, Any] = {
        "cooperatives": state.cooperatives,
        "past_orders": state.past_orders,
        "backlog": state.backlog,
        "orders_per_s": {name: round(median(run.orders_per_s for run in found)) for name, found in runs.items()},
        "cpu_us": {name: found[-1].cpu_us for name, found in runs.items()},
    }
    if subject.bytes_per_order:
        other["database_bytes_per_order"] = subject.bytes_per_order
    name = f"growth.{state.name}"
    return Figure(name, "orders/CPU s", round(own), round(empty), round(own / empty, 2), GOAL, other)


async def _checkpoint(servers: Servers) -> None:
    """What loading left to write is not the work of what is measured."""
    connection = await asyncpg.connect(servers.stack.postgres.admin_dsn())
    try:
        await connection.execute("checkpoint")
    finally:
        await connection.close()
