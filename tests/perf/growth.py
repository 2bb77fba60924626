"""`growth.*`: what an order costs beside many past ones, with few and many cooperatives, and after a halt.

Each state is measured next to an empty one with 100 cooperatives, every other time in the opposite order. What has no
past is made anew each time, and what has one is loaded once. An order's cost is the CPU time of the services and the
servers together, and the ratio is the median of the pairs' ratios.

Each request has the orders of one shop, so that of many cooperatives only some push in a run; it is told how many.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from statistics import median
from typing import Any

from tests.perf.apart import Apart
from tests.perf.figures import Figure
from tests.perf.growth_rows import load
from tests.perf.market import Market, make_market
from tests.perf.measuring import BATCH, Run, come_in, measure, measure_catching_up, median_ratio, middle, warm_up
from tests.perf.subject import Running, Servers, running

ORDERS = 60_000
BACKLOG = 100_000
BEHIND = ("allocation", "notify")
SIZED_FROM = 1_000_000
"""With so many past orders, the size of a database is theirs and not that of what they belong to."""
GOAL = ">= 0.95"


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
    State("cooperatives_10000", cooperatives=10_000, wares=3, past_orders=10_000),
    State("backlog", backlog=BACKLOG),
)


class _Subject:
    """Our services in one state."""

    def __init__(self, servers: Servers, state: State) -> None:
        self._servers, self._state = servers, state
        self._prepared = False
        self.market: Market = make_market(state.cooperatives, state.wares, seed=1)
        self.ours = Apart(servers.stack, self.market, f"growth_{state.name}")
        self.bytes_per_order: int | None = None

    async def measure(self, run: str) -> Run:
        """One run of fresh processes."""
        await self._prepare()
        async with running(self._servers, self.ours) as there:
            fresh = there.cpu()
            await warm_up(there, self.market, run)
            if self._state.backlog:
                found = await self._catch_up(there, run, fresh)
            else:
                found = await measure(there, self.market, ORDERS, run)
        if not self._state.past_orders:
            await self.check()
        return found

    async def check(self) -> None:
        """Raises AssertionError where the books are wrong. Nothing of it may run."""
        wrong = await self.ours.check()
        assert not wrong, f"{self.ours.name}: {'; '.join(wrong)}"

    @property
    def rss_mib(self) -> dict[str, int]:
        """The most that each process has taken in any run."""
        return self._servers.rss_mib(self.ours)

    async def _prepare(self) -> None:
        if self._prepared and self._state.past_orders:
            return
        await self.ours.prepare()
        self._prepared = True
        if past := self._state.past_orders:
            grown_bytes = await load(self.ours, self.market, past)
            if past >= SIZED_FROM:
                self.bytes_per_order = round(grown_bytes / past)

    async def _catch_up(self, there: Running, run: str, fresh: dict[str, int]) -> Run:
        """Orders per second of catching up; the CPU time is that of the whole way, without starting (`fresh`)."""
        before, behind = await there.progress(), [self.ours.process(name) for name in BEHIND]
        there.note_memory()
        for process in behind:
            process.stop()
        cpu = {**fresh, **there.cpu()}
        await come_in(there, self.market, self._state.backlog, run)
        for process in behind:
            process.start()
        return await measure_catching_up(there, before, cpu, self._state.backlog)


async def run(servers: Servers, rounds: int) -> AsyncIterator[Figure]:
    """One state after the other, each next to the empty one."""
    empty = _Subject(servers, EMPTY)
    for state in STATES:
        subject = _Subject(servers, state)
        runs: dict[_Subject, list[Run]] = {empty: [], subject: []}
        for number in range(rounds):
            for one in (empty, subject)[:: -1 if number % 2 else 1]:
                runs[one].append(await one.measure(f"{state.name}{number}"))
        await subject.check()
        subject.ours.remove()
        yield _figure(state, subject, list(zip(runs[empty], runs[subject], strict=True)))
    empty.ours.remove()


def _figure(state: State, subject: _Subject, pairs: list[tuple[Run, Run]]) -> Figure:
    runs = dict(zip(("empty", state.name), map(list, zip(*pairs, strict=True)), strict=True))
    empty, own = (median(run.orders_per_cpu_s for run in found) for found in runs.values())
    other: dict[str, Any] = {
        "cooperatives": state.cooperatives,
        "cooperatives_pushing": min(state.cooperatives, (state.backlog or ORDERS) // BATCH),
        "past_orders": state.past_orders,
        "backlog": state.backlog,
        "ratios": [round(median_ratio([pair]), 3) for pair in pairs],
        "orders_per_s": {name: round(median(run.orders_per_s for run in found)) for name, found in runs.items()},
        "cpu_us": {name: middle(found).cpu_us for name, found in runs.items()},
        "rss_mib": subject.rss_mib,
    }
    if subject.bytes_per_order:
        other["database_bytes_per_order"] = subject.bytes_per_order
    return Figure(f"growth.{state.name}", "orders/CPU s", round(own), round(empty), median_ratio(pairs), GOAL, other)
