"""Single orders offered at a steady rate, whatever becomes of those before."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from tests.perf.cpu import MachineUse
from tests.perf.generator import Hammering
from tests.perf.hammer import Outcome
from tests.perf.market import Market, Push, Pusher, Shop
from tests.perf.measuring import until_done
from tests.perf.subject import Running
from tests.perf.waits import Dues

MOST_CONNECTIONS = 64
_TURN_S = 2
"""How long a connection idles between two requests at the most: servers close those that idle for longer."""


@dataclass(frozen=True)
class Load:
    """So many single orders of the shops in turn, named after `run`; as fast as they are answered without `per_s`.

    They are signed before the first is sent, and a signature is good for five minutes.
    """

    run: str
    shops: Sequence[Shop]
    orders: int
    per_s: float | None = None

    @property
    def connections(self) -> int:
        """Over how many it is sent."""
        return MOST_CONNECTIONS if self.per_s is None else min(MOST_CONNECTIONS, max(1, round(_TURN_S * self.per_s)))

    def pushes(self, market: Market) -> list[Push]:
        """The requests."""
        pushers = [Pusher(market, shop, self.run) for shop in self.shops]
        return [pushers[number % len(pushers)].single() for number in range(self.orders)]

    def due_s(self, pushes: Sequence[Push]) -> Dues:
        """When each order of these requests is to be sent, in seconds from the first; nothing without `per_s`."""
        if self.per_s is None:
            return {}
        partners = [shop.partner_id for shop in self.shops]
        return {
            (partners[number % len(partners)], push.refs[0]): number / self.per_s for number, push in enumerate(pushes)
        }


@dataclass(frozen=True)
class Offered:
    """What came of each load, and how busy the machine was until all was answered (1.0 = all cores)."""

    outcomes: list[Outcome]
    due_at_s: Sequence[Dues]
    """By load: when each order was to be sent, in seconds since 1970."""
    cpu_share: float


async def offer(running: Running, market: Market, *loads: Load) -> Offered:
    """Offers the loads side by side; returns when every order has gone the whole way."""
    before, port = await running.progress(), running.subject.http_port
    requests = [load.pushes(market) for load in loads]
    hammerings = [
        Hammering(port, load.connections, pushes, load.per_s) for load, pushes in zip(loads, requests, strict=True)
    ]
    use, began = MachineUse(), time.monotonic()
    for hammering in hammerings:
        hammering.go()
    outcomes = [await asyncio.to_thread(hammering.outcome) for hammering in hammerings]
    cpu_share = round(use.share(), 2)
    await until_done(running, before, sum(load.orders for load in loads), began)
    due_at_s = [
        {order: outcome.began_at_s + due_s for order, due_s in load.due_s(pushes).items()}
        for load, pushes, outcome in zip(loads, requests, outcomes, strict=True)
    ]
    return Offered(outcomes, due_at_s, cpu_share)
