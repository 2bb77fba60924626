"""`http_single` and `http_batch`: what the door of `orders` takes, stored and logged before the answer.

Against the same door that verifies, reads and answers without storing, and against Starlette with one transaction
per request.
"""

import asyncio
from collections.abc import Callable, Sequence

from tests.perf import chain
from tests.perf.figures import Figure, median
from tests.perf.market import Market, Push, Pusher, make_market
from tests.perf.ours import Ours
from tests.perf.peers import PEERS
from tests.perf.peer_subject import PeerSubject
from tests.perf.subject import Hammering, Servers, Subject, running

SINGLES = 6000
BATCHES = 200
BATCH = 50
CONNECTIONS = (64, 256)


async def run(servers: Servers, rounds: int) -> Sequence[Figure]:
    """Four figures: singles over 64 and 256 connections against both references, and batches."""
    market = make_market(8, 10, seed=3)
    ours = Ours(servers.stack, market)
    unstored = Ours(servers.stack, market, door="unstored")
    starlette = PeerSubject(PEERS["starlette"], servers, market)
    for subject in (ours, starlette):
        await subject.prepare()
    rates: dict[tuple[str, int], list[float]] = {}
    for number in range(rounds):
        for subject in (ours, unstored, starlette):
            name = f"{subject.name}{number}"
            with running(subject):
                await _warm_up(subject, market, name)
                for connections in CONNECTIONS:
                    pushes = _singles(
                        market, SINGLES if subject is not starlette else SINGLES // 4, f"{name}-{connections}"
                    )
                    rates.setdefault((subject.name, connections), []).append(await _rate(subject, pushes, connections))
                if subject is ours:
                    batches = chain.make_pushes(market, BATCHES * BATCH, f"{name}-batch", BATCH)
                    rates.setdefault(("batch", BATCH), []).append(await _rate(subject, batches, 8))
    found = {key: median(values) for key, values in rates.items()}
    figures = []
    for connections in CONNECTIONS:
        own = found["ours", connections]
        for name, goal in (("unstored", ">= 0.6"), ("starlette", ">= 5")):
            other = found[name, connections]
            figures.append(
                Figure(
                    f"http_single.{name}_{connections}",
                    "orders/s",
                    round(own),
                    round(other),
                    round(own / other, 2),
                    goal,
                )
            )
    own, other = found["batch", BATCH], found["starlette", CONNECTIONS[0]]
    return [*figures, Figure("http_batch", "orders/s", round(own), round(other), round(own / other, 2), ">= 12")]


async def _rate(subject: Subject, pushes: Sequence[Push], connections: int) -> float:
    hammering = Hammering(subject.http_port, connections, pushes)
    hammering.go()
    outcome = await asyncio.to_thread(hammering.outcome)
    return sum(push.orders for push in pushes) / outcome.seconds


async def _warm_up(subject: Subject, market: Market, run: str) -> None:
    await _rate(subject, _singles(market, 200, f"{run}-warm"), 16)


def _singles(market: Market, count: int, run: str) -> list[Push]:
    makers: list[Callable[[], Push]] = [Pusher(market, shop, run).single for shop in market.shops]
    return [makers[number % len(makers)]() for number in range(count)]
