"""`chain`: orders pushed as batches of 100 by several shops, until each is promised, moved and noticed."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice, zip_longest
from statistics import median

from tests.perf.cpu import used_us
from tests.perf.figures import Figure
from tests.perf.market import Market, Push, Pusher, make_market
from tests.perf.ours import Ours
from tests.perf.peer_subject import PeerSubject
from tests.perf.peers import PEERS
from tests.perf.peers.base import Progress
from tests.perf.subject import Generator, Hammering, Servers, Subject, running

BATCH = 100
CONNECTIONS = 8
PATIENCE_S = 300
OUR_ORDERS = 20_000
PEER_ORDERS = 2_000
SHOPS = 8
WARES = 10
GOAL = ">= 20"
PEERS_MEASURED = ("faststream", "tuned", "celery")


@dataclass(frozen=True)
class Run:
    """Orders per second, and the CPU time of an order in µs by process."""

    orders_per_s: float
    cpu_us: dict[str, int]

    @property
    def orders_per_cpu_s(self) -> float:
        """Orders per second of CPU time of the services and the servers together."""
        return 1_000_000 / sum(us for name, us in self.cpu_us.items() if name != "load")


async def measure(servers: Servers, subject: Subject, market: Market, orders: int, run: str, batch: int = BATCH) -> Run:
    """Pushes so many orders; the clock stops when the last of them has its notice job."""
    hammering = Hammering(subject.http_port, CONNECTIONS, make_pushes(market, orders, run, batch))
    return await measure_load(servers, subject, orders, hammering)


async def measure_load(servers: Servers, subject: Subject, orders: int, generator: Generator) -> Run:
    """Lets the generator send so many orders; the clock stops when the last of them has its notice job."""
    before = await subject.progress()
    cpu = servers.cpu(subject)
    began = generator.go()
    outcome = await asyncio.to_thread(generator.outcome)
    await until_done(subject, before, orders)
    seconds = time.monotonic() - began
    used = used_us(cpu, servers.cpu(subject), orders)
    return Run(orders / seconds, used | {"load": round(outcome.cpu_us / orders)})


async def until_done(subject: Subject, before: Progress, orders: int) -> None:
    """Returns when so many more orders have gone the whole way. Looks the more often the nearer the end is."""
    began = time.monotonic()
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
        elapsed_s = time.monotonic() - began
        assert elapsed_s < PATIENCE_S, f"{subject.name} does not get on: {now}, {before} before"
        left_s = elapsed_s * (orders - done) / max(done, 1)
        await asyncio.sleep(min(max(0.05, left_s / 4), 0.5))


def make_pushes(market: Market, orders: int, run: str, batch: int) -> list[Push]:
    """Batches of all shops in turn; `run` names the orders, so that each is new."""
    pushes = orders // batch
    shops = market.shops[:pushes]
    each = -(-pushes // len(shops))
    batches = [islice(Pusher(market, shop, run).batches(batch), each) for shop in shops]
    in_turn = [push for turn in zip_longest(*batches) for push in turn if push is not None]
    return in_turn[:pushes]


async def run(servers: Servers, rounds: int) -> Sequence[Figure]:
    """Ours against the best of the peers, round by round; CPU time by process in the other fields."""
    market = make_market(SHOPS, WARES, seed=1)
    subjects: list[Subject] = [Ours(servers.stack, market)]
    subjects += [PeerSubject(PEERS[name], servers, market) for name in PEERS_MEASURED]
    runs: dict[str, list[Run]] = {subject.name: [] for subject in subjects}
    for subject in subjects:
        await subject.prepare()
    for number in range(rounds):
        for subject in subjects:
            with running(subject):
                await measure(servers, subject, market, 5 * BATCH, f"{subject.name}{number}w")
                orders = OUR_ORDERS if isinstance(subject, Ours) else PEER_ORDERS
                runs[subject.name].append(await measure(servers, subject, market, orders, f"{subject.name}{number}"))
                wrong = await subject.check()
                assert not wrong, f"{subject.name}: {'; '.join(wrong)}"
    rates = {name: median([one.orders_per_s for one in found]) for name, found in runs.items()}
    cpu = {
        name: sorted(found, key=lambda one: one.orders_per_s)[len(found) // 2].cpu_us for name, found in runs.items()
    }
    own, best = rates.pop("ours"), max(rates.values())
    other = {"cpu_us": cpu, "peers": {name: round(rate) for name, rate in rates.items()}}
    return [Figure("chain", "orders/s", round(own), round(best), round(own / best, 2), GOAL, other)]
