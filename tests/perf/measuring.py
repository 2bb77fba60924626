"""How the way of an order is measured, whatever system goes it: orders per second, and CPU time by process."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, zip_longest
from random import Random
from statistics import median

from tests.perf.cpu import MachineUse, used_us
from tests.perf.generator import Generator, Hammering
from tests.perf.market import Market, Push, Pusher
from tests.perf.peers.base import Progress
from tests.perf.subject import Running

BATCH = 100
CONNECTIONS = 8
WARM_ORDERS = 3_000
WARM_BATCH = 10
"""Small, so that every statement is planned for good and every line of code was run often."""
PATIENCE_S = 300
_SHORTEST_S, _LONGEST_S = 0.02, 0.5


@dataclass(frozen=True)
class Run:
    """Orders per second, the CPU time of an order in µs by process, and how busy the machine was (1.0 = all cores)."""

    orders_per_s: float
    used_us: Mapping[str, float]
    cpu_share: float

    @property
    def cpu_us(self) -> dict[str, int]:
        """The CPU time as it is reported."""
        return {name: round(us) for name, us in self.used_us.items()}

    @property
    def orders_per_cpu_s(self) -> float:
        """Orders per second of CPU time of the services and the servers together."""
        return 1_000_000 / sum(us for name, us in self.used_us.items() if name != "load")


def middle(runs: Sequence[Run]) -> Run:
    """The run with the median of the rates; of two in the middle the slower."""
    return sorted(runs, key=lambda run: run.orders_per_s)[(len(runs) - 1) // 2]


def median_ratio(pairs: Sequence[tuple[Run, Run]]) -> float:
    """Of the orders per CPU second of each pair's second run to those of its first."""
    return median(second.orders_per_cpu_s / first.orders_per_cpu_s for first, second in pairs)


async def warm_up(running: Running, market: Market, run: str, orders: int = WARM_ORDERS) -> None:
    """So many orders that are not measured."""
    await measure(running, market, orders, f"{run}w", WARM_BATCH)


async def measure(running: Running, market: Market, orders: int, run: str, batch: int = BATCH) -> Run:
    """Pushes so many orders; the clock stops when the last of them has its notice job."""
    pushes = make_pushes(market, orders, run, batch)
    return await measure_load(running, orders, Hammering(running.subject.http_port, CONNECTIONS, pushes))


async def measure_load(running: Running, orders: int, generator: Generator) -> Run:
    """Lets the generator send so many orders; the clock stops when the last of them has its notice job.

    CPU time is counted on until nothing is left to do for them.
    """
    before = await running.progress()
    cpu, use = running.cpu(), MachineUse()
    began = generator.go()
    outcome = await asyncio.to_thread(generator.outcome)
    await until_done(running, before, orders, began)
    seconds, share = time.monotonic() - began, use.share()
    await until_settled(running)
    used = used_us(cpu, running.cpu(), orders)
    return Run(orders / seconds, used | {"load": outcome.cpu_us / orders}, share)


async def come_in(running: Running, market: Market, orders: int, run: str) -> None:
    """Returns when the door has taken so many orders, however far the others are."""
    hammering = Hammering(running.subject.http_port, CONNECTIONS, make_pushes(market, orders, run, BATCH))
    hammering.go()
    await asyncio.to_thread(hammering.outcome)


async def measure_catching_up(running: Running, before: Progress, cpu: Mapping[str, int], orders: int) -> Run:
    """Orders per second from now on of so many that have come in since `before`.

    The CPU time is that of the whole way, from `cpu` on, without the load generator's.
    """
    use, began = MachineUse(), time.monotonic()
    await until_done(running, before, orders, began)
    seconds, share = time.monotonic() - began, use.share()
    await until_settled(running)
    return Run(orders / seconds, used_us(cpu, running.cpu(), orders), share)


async def until_done(running: Running, before: Progress, orders: int, began: float) -> None:
    """Returns when so many more orders have gone the whole way, which they set out on at `began`.

    Looks the more often the nearer the end is, and spends no more than a tenth of the time on it.
    """
    while True:
        looked = time.monotonic()
        now = await running.progress()
        done = _done(before, now)
        if done >= orders:
            return
        elapsed_s = time.monotonic() - began
        assert elapsed_s < PATIENCE_S, f"{running.subject.name} does not get on: {now}, {before} before"
        left_s = elapsed_s * (orders - done) / max(done, 1)
        look_s = time.monotonic() - looked
        await asyncio.sleep(min(max(_SHORTEST_S, left_s / 4), _LONGEST_S) + 10 * look_s)


async def until_settled(running: Running) -> None:
    """Returns when nothing is left to do for orders that have gone the whole way."""
    deadline = time.monotonic() + PATIENCE_S
    while not await running.is_settled():
        assert time.monotonic() < deadline, f"{running.subject.name} does not settle"
        await asyncio.sleep(_SHORTEST_S)


def _done(before: Progress, now: Progress) -> int:
    return min(
        now.stored - before.stored,
        now.promised - before.promised,
        now.moved - before.moved,
        now.noticed - before.noticed,
    )


def make_pushes(market: Market, orders: int, run: str, batch: int) -> list[Push]:
    """Batches of all shops in turn; of as many shops as there are batches, from all over the market, if these are less.

    `run` names the orders, so that each is new.
    """
    pushes = orders // batch
    few = pushes < len(market.shops)
    shops = Random(f"shops {run}").sample(market.shops, pushes) if few else market.shops
    each = -(-pushes // len(shops))
    batches = [islice(Pusher(market, shop, run).batches(batch), each) for shop in shops]
    in_turn = [push for turn in zip_longest(*batches) for push in turn if push is not None]
    return in_turn[:pushes]
