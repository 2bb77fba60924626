"""`lanes.2`, `lanes.4`: what it costs to share the lanes of each service among several worker processes.

All numbers of workers are measured in each round, every other time in the opposite order, on the same lanes: one worker
has all eight. The ratio is the median of the rounds' ratios.
"""

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from statistics import median

from infra.local.ports import choose_ports
from infra.local.processes import ServiceProcess
from infra.local.stack import Stack
from infra.rabbitmq.definitions import SERVICES
from services.chassis.lanes import shared_lane
from tests.perf.chain import WARES
from tests.perf.figures import Figure
from tests.perf.market import Market, make_market
from tests.perf.measuring import Run, measure, median_ratio, middle, warm_up
from tests.perf.ours import Ours, environment
from tests.perf.subject import Servers, running

LANES = 8
WORKERS = (1, 2, 4)
CONNECTIONS = 4
"""Of each process to its database: those of 17 processes are within what PostgreSQL allows."""
ORDERS = 60_000
GOAL = ">= 0.85"


class InLanes(Ours):
    """So many workers of each service, each with its part of the lanes; one more process of `orders` answers HTTP."""

    def __init__(self, stack: Stack, market: Market, workers: int) -> None:
        super().__init__(stack, market)
        self.name = f"lanes-{workers}"
        self._door = _process(stack, "orders", "orders-http", "--role", "http")
        self._processes = [self._door]
        for number in range(workers):
            lanes = ",".join(map(str, range(number, LANES, workers)))
            for service in SERVICES:
                name = f"{service}-worker-{number}"
                self._processes.append(_process(stack, service, name, "--role", "worker", "--lanes", lanes))

    @property
    def http_port(self) -> int:
        """That of the process that answers HTTP."""
        return self._door.http_port

    def start(self) -> None:
        """Starts all and waits."""
        for process in self._processes:
            process.start()
        for process in self._processes:
            process.wait_until_ready()

    def stop(self) -> None:
        """Drains all."""
        with ThreadPoolExecutor(max_workers=len(self._processes)) as pool:
            list(pool.map(ServiceProcess.stop, self._processes))

    def pids(self) -> dict[str, int]:
        """By process."""
        return {process.name: process.pid for process in self._processes if process.pid}


async def run(servers: Servers, rounds: int) -> AsyncIterator[Figure]:
    """All numbers of workers in turn, on the same databases."""
    market = spread_market()
    subjects = {workers: InLanes(servers.stack, market, workers) for workers in WORKERS}
    runs: dict[int, list[Run]] = {workers: [] for workers in WORKERS}
    await subjects[1].prepare()
    for number in range(rounds):
        for workers in WORKERS[:: -1 if number % 2 else 1]:
            subject = subjects[workers]
            async with running(servers, subject) as there:
                await warm_up(there, market, f"{subject.name}-{number}")
                runs[workers].append(await measure(there, market, ORDERS, f"{subject.name}-{number}"))
            wrong = await subject.check()
            assert not wrong, f"{subject.name}: {'; '.join(wrong)}"
    for workers in WORKERS[1:]:
        yield _figure(workers, runs[1], runs[workers])


def _figure(workers: int, one: list[Run], several: list[Run]) -> Figure:
    pairs = list(zip(one, several, strict=True))
    own, reference = (median(run.orders_per_cpu_s for run in runs) for runs in (several, one))
    both = {1: one, workers: several}
    other = {
        "ratios": [round(median_ratio([pair]), 3) for pair in pairs],
        "orders_per_s": {count: round(median(run.orders_per_s for run in runs)) for count, runs in both.items()},
        "cpu_us": {count: middle(runs).cpu_us for count, runs in both.items()},
    }
    return Figure(f"lanes.{workers}", "orders/CPU s", round(own), round(reference), median_ratio(pairs), GOAL, other)


def spread_market() -> Market:
    """A market with one cooperative on each lane."""
    market = make_market(100 * LANES, WARES, seed=1)
    shops = {shared_lane(shop.cooperative_id, LANES): shop for shop in market.shops}
    return replace(market, shops=tuple(shops[lane] for lane in range(LANES)))


def _process(stack: Stack, service: str, name: str, *arguments: str) -> ServiceProcess:
    variables = {**environment(LANES)[service], f"{service.upper()}_DATABASE_CONNECTIONS": str(CONNECTIONS)}
    (port,) = choose_ports([None])
    return ServiceProcess(stack, service, name, arguments=arguments, http_port=port, extra_environment=variables)
