"""`http_single` and `http_batch`: orders over HTTP, each stored and logged before it is answered.

Ours is the process of `orders` that answers HTTP. It is measured against itself without the storing, and against a door
that stores and announces one order per request. What is announced waits to be relayed, on both sides.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from itertools import cycle, islice
from statistics import median

from tests.perf.cpu import MachineUse, used_us
from tests.perf.figures import Figure
from tests.perf.generator import Hammering
from tests.perf.market import Market, Push, Pusher, make_market
from tests.perf.measuring import Run, middle
from tests.perf.our_door import OurDoor, Storeless
from tests.perf.peer_subject import PeerSubject
from tests.perf.peers import PEERS
from tests.perf.subject import Running, Servers, Subject, running

SHOPS = 8
WARES = 10
CONNECTIONS = (64, 256)
BATCH = 50
BATCH_CONNECTIONS = 64
OUR_ORDERS = {1: 10_000, BATCH: 60_000}
"""By the size of a request: some seconds."""
PEER_ORDERS = 2_000
WARM_UP_ORDERS = 1_000
PATIENCE_S = 60
SINGLE_GOALS = {"storeless": ">= 0.6", "starlette": ">= 5"}
BATCH_GOAL = ">= 12"


async def run_single(servers: Servers, rounds: int) -> AsyncIterator[Figure]:
    """One order a request: ours against both references, for each number of connections."""
    market = make_market(SHOPS, WARES, seed=2)
    subjects: list[Subject] = [OurDoor(servers.stack, market), Storeless(servers.stack, market)]
    subjects.append(PeerSubject(PEERS["starlette"], servers, market))
    for subject in subjects:
        await subject.prepare()
    runs: defaultdict[tuple[str, int], list[Run]] = defaultdict(list)
    for number in range(rounds):
        for connections in CONNECTIONS:
            for subject in subjects[:: -1 if number % 2 else 1]:
                found = await measure(servers, subject, market, connections, 1, f"{connections}-{number}")
                runs[subject.name, connections].append(found)
    for name, goal in SINGLE_GOALS.items():
        for n in CONNECTIONS:
            yield _figure(f"http_single.{name}_{n}", "requests/s", runs["ours", n], name, runs[name, n], goal)


async def run_batch(servers: Servers, rounds: int) -> AsyncIterator[Figure]:
    """Ours with many orders a request against single orders of the peer, which takes no others."""
    market = make_market(SHOPS, WARES, seed=3)
    ours, peer = OurDoor(servers.stack, market), PeerSubject(PEERS["starlette"], servers, market)
    await ours.prepare()
    await peer.prepare()
    runs: defaultdict[str, list[Run]] = defaultdict(list)
    for number in range(rounds):
        for subject, size in ((ours, BATCH), (peer, 1))[:: -1 if number % 2 else 1]:
            runs[subject.name].append(await measure(servers, subject, market, BATCH_CONNECTIONS, size, f"{number}"))
    yield _figure("http_batch", "orders/s", runs[ours.name], peer.name, runs[peer.name], BATCH_GOAL)


async def measure(servers: Servers, subject: Subject, market: Market, connections: int, size: int, run: str) -> Run:
    """Starts the subject, warms it up, measures it, checks what it has stored, and stops it."""
    orders = PEER_ORDERS if isinstance(subject, PeerSubject) else OUR_ORDERS[size]
    async with running(servers, subject) as there:
        await _push(there, make_pushes(market, WARM_UP_ORDERS, f"w{run}", size), connections)
        found = await _push(there, make_pushes(market, orders, run, size), connections)
        wrong = await subject.check()
    assert not wrong, f"{subject.name}: {'; '.join(wrong)}"
    return found


def make_pushes(market: Market, orders: int, run: str, size: int) -> list[Push]:
    """Requests of all shops in turn with `size` orders each; `run` names the orders, so that each is new."""
    turns = islice(cycle([Pusher(market, shop, run) for shop in market.shops]), orders // size)
    return [pusher.single() if size == 1 else pusher.batch(size) for pusher in turns]


async def _push(running: Running, pushes: Sequence[Push], connections: int) -> Run:
    subject = running.subject
    orders = sum(push.orders for push in pushes)
    before = (await running.progress()).stored
    hammering = Hammering(subject.http_port, connections, pushes)
    cpu, use = running.cpu(), MachineUse()
    hammering.go()
    outcome = await asyncio.to_thread(hammering.outcome)
    share = use.share()
    await _until_stored(running, before if isinstance(subject, Storeless) else before + orders)
    used = used_us(cpu, running.cpu(), orders)
    return Run(orders / outcome.seconds, used | {"load": outcome.cpu_us / orders}, share)


async def _until_stored(running: Running, orders: int) -> None:
    """Returns when it has so many orders in all; it must not get more."""
    name, deadline = running.subject.name, time.monotonic() + PATIENCE_S
    while (stored := (await running.progress()).stored) < orders:
        assert time.monotonic() < deadline, f"{name} has stored {stored} orders instead of {orders}"
        await asyncio.sleep(0.05)
    assert stored == orders, f"{name} has stored {stored} orders instead of {orders}"


def _figure(name: str, unit: str, ours: list[Run], other: str, others: list[Run], goal: str) -> Figure:
    own, reference = (median([run.orders_per_s for run in runs]) for runs in (ours, others))
    middles = {"ours": middle(ours), other: middle(others)}
    more = {
        "cpu_us": {name: run.cpu_us for name, run in middles.items()},
        "cpu_share": {name: round(run.cpu_share, 2) for name, run in middles.items()},
    }
    return Figure(name, unit, round(own), round(reference), own / reference, goal, more)
