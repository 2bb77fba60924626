"""`lanes.*`: what it costs to share the lanes of each service among several worker processes.

All numbers of workers are measured in each round, every other time in the opposite order, on the same lanes: one worker
has all eight. The ratio is the median of the rounds' ratios.

`lanes.2` and `lanes.4` have orders as they come. All processes share the machine with the door, so with more workers
less comes in at a time, and each message and transaction has fewer orders. `lanes.full_2` and `lanes.full_4` are of
workers that have all they can take, as on machines of their own: they are frozen until all orders have come in.
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
from tests.perf.measuring import Run, come_in, measure, measure_catching_up, median_ratio, middle, warm_up
from tests.perf.ours import Ours, environment
from tests.perf.subject import Running, Servers, running

LANES = 8
WORKERS = (1, 2, 4)
DATABASE_CONNECTIONS = 4
"""Of each process to its database: those of 17 processes are within what PostgreSQL allows."""
ORDERS = 60_000
GOAL = ">= 0.85"


class InLanes(Ours):
    """So many workers of each service, each with its part of the lanes; one more process of `orders` answers HTTP."""

    def __init__(self, stack: Stack, market: Market, workers: int) -> None:
        super().__init__(stack, market)
        self.name = f"lanes-{workers}"
        self._door = _process(stack, "orders", "orders-http", "--role", "http")
        self._workers: list[ServiceProcess] = []
        for number in range(workers):
            lanes = ",".join(map(str, range(number, LANES, workers)))
            for service in SERVICES:
                name = f"{service}-worker-{number}"
                self._workers.append(_process(stack, service, name, "--role", "worker", "--lanes", lanes))

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

    def freeze(self) -> None:
        """Stops the workers where they stand."""
        for process in self._workers:
            process.freeze()

    def thaw(self) -> None:
        """Lets them go on."""
        for process in self._workers:
            process.thaw()

    def stop(self) -> None:
        """Drains all."""
        with ThreadPoolExecutor(max_workers=len(self._processes)) as pool:
            list(pool.map(ServiceProcess.stop, self._processes))

    def pids(self) -> dict[str, int]:
        """By process."""
        return {process.name: process.pid for process in self._processes if process.pid}

    @property
    def _processes(self) -> list[ServiceProcess]:
        return [self._door, *self._workers]


async def run(servers: Servers, rounds: int) -> AsyncIterator[Figure]:
    """All numbers of workers in turn, on the same databases."""
    market = spread_market()
    subjects = {workers: InLanes(servers.stack, market, workers) for workers in WORKERS}
    runs: dict[str, dict[int, list[Run]]] = {kind: {workers: [] for workers in WORKERS} for kind in ("", "full_")}
    await subjects[1].prepare()
    for number in range(rounds):
        for workers in WORKERS[:: -1 if number % 2 else 1]:
            subject = subjects[workers]
            name = f"{subject.name}-{number}"
            async with running(servers, subject) as there:
                await warm_up(there, market, name)
                runs[""][workers].append(await measure(there, market, ORDERS, name))
                runs["full_"][workers].append(await _measure_full(there, subject, market, f"{name}full"))
            wrong = await subject.check()
            assert not wrong, f"{subject.name}: {'; '.join(wrong)}"
    for kind, found in runs.items():
        for workers in WORKERS[1:]:
            yield _figure(f"lanes.{kind}{workers}", {1: found[1], workers: found[workers]})


async def _measure_full(there: Running, subject: InLanes, market: Market, run: str) -> Run:
    """Orders per second of what all have come in before; the CPU time is that of the whole way."""
    before, cpu = await there.progress(), there.cpu()
    subject.freeze()
    try:
        await come_in(there, market, ORDERS, run)
    finally:
        subject.thaw()
    return await measure_catching_up(there, before, cpu, ORDERS)


def _figure(name: str, runs: dict[int, list[Run]]) -> Figure:
    """Of one worker first and of several."""
    pairs = list(zip(*runs.values(), strict=True))
    reference, own = (median(run.orders_per_cpu_s for run in found) for found in runs.values())
    other = {
        "ratios": [round(median_ratio([pair]), 3) for pair in pairs],
        "orders_per_s": {count: round(median(run.orders_per_s for run in found)) for count, found in runs.items()},
        "cpu_us": {count: middle(found).cpu_us for count, found in runs.items()},
    }
    return Figure(name, "orders/CPU s", round(own), round(reference), median_ratio(pairs), GOAL, other)


def spread_market() -> Market:
    """A market with one cooperative on each lane."""
    market = make_market(100 * LANES, WARES, seed=1)
    shops = {shared_lane(shop.cooperative_id, LANES): shop for shop in market.shops}
    return replace(market, shops=tuple(shops[lane] for lane in range(LANES)))


def _process(stack: Stack, service: str, name: str, *arguments: str) -> ServiceProcess:
    variables = {**environment(LANES)[service], f"{service.upper()}_DATABASE_CONNECTIONS": str(DATABASE_CONNECTIONS)}
    (port,) = choose_ports([None])
    return ServiceProcess(stack, service, name, arguments=arguments, http_port=port, extra_environment=variables)
