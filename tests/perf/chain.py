"""`chain`: orders pushed as batches of 100 by several shops, until each is promised, moved and noticed."""

import asyncio
import time
from dataclasses import dataclass
from itertools import islice, zip_longest

from tests.perf.cpu import used_us
from tests.perf.market import Market, Push, Pusher
from tests.perf.peers.base import Progress
from tests.perf.subject import Hammering, Servers, Subject

BATCH = 100
CONNECTIONS = 8
PATIENCE_S = 300


@dataclass(frozen=True)
class Run:
    """Orders per second, and the CPU time of an order in µs by process."""

    orders_per_s: float
    cpu_us: dict[str, int]

    @property
    def cpu_us_per_order(self) -> int:
        """Of all processes but the load generator."""
        return sum(used for name, used in self.cpu_us.items() if name != "load")


async def measure(servers: Servers, subject: Subject, market: Market, orders: int, run: str, batch: int = BATCH) -> Run:
    """Pushes so many orders; the clock stops when the last of them has its notice job."""
    before = await subject.progress()
    hammering = Hammering(subject.http_port, CONNECTIONS, make_pushes(market, orders, run, batch))
    cpu = servers.cpu(subject)
    began = hammering.go()
    outcome = await asyncio.to_thread(hammering.outcome)
    await until_done(subject, before, orders)
    seconds = time.monotonic() - began
    used = used_us(cpu, servers.cpu(subject), orders)
    return Run(orders / seconds, used | {"load": round(outcome.cpu_us / orders)})


async def until_done(subject: Subject, before: Progress, orders: int) -> None:
    """Returns when so many more orders have gone the whole way."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        now = await subject.progress()
        done = min(
            now.stored - before.stored,
            now.promised - before.promised,
            now.moved - before.moved,
            now.noticed - before.noticed,
        )
        if done >= orders:
            return
        assert time.monotonic() < deadline, f"{subject.name} does not get on: {now}, {before} before"
        await asyncio.sleep(0.05)


def make_pushes(market: Market, orders: int, run: str, batch: int) -> list[Push]:
    """Batches of all shops in turn; `run` names the orders, so that each is new."""
    each = -(-orders // (batch * len(market.shops)))
    shops = [islice(Pusher(market, shop, run).batches(batch), each) for shop in market.shops]
    in_turn = [push for turn in zip_longest(*shops) for push in turn if push is not None]
    return in_turn[: orders // batch]
