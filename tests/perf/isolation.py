"""`isolation`: how the others fare while one cooperative pushes a hundred times what it does otherwise.

Single orders from push to promise, in a calm window and then in one with the flood; each round with another
cooperative. A quantile is that of all rounds' orders together.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from tests.perf.figures import Figure
from tests.perf.hammer import Outcome
from tests.perf.market import Shop, make_market
from tests.perf.ours import Ours
from tests.perf.paced import Load, offer
from tests.perf.subject import Servers, Subject, running
from tests.perf.waits import promises, quantile_ms, summary_ms

COOPERATIVES = 40
WARES = 10
WARM_ORDERS = 400
WINDOW_S = 15
EACH_PER_S = 1.0
TIMES = 100
GOAL = "<= 2"


@dataclass
class Orders:
    """Those of one kind over all rounds: their waits, and how long after its time each was sent."""

    waits_s: list[float] = field(default_factory=list)
    late_s: list[float] = field(default_factory=list)

    async def add(self, subject: Subject, load: Load, outcome: Outcome, but: Shop | None = None) -> None:
        """Those of a load, without the waits of one shop."""
        self.waits_s += (await promises(subject, load.run, but.cooperative_id if but else None)).waits_s
        self.late_s += outcome.late_s


async def run(servers: Servers, rounds: int) -> Sequence[Figure]:
    """Ours alone: during the flood against before it."""
    market = make_market(COOPERATIVES, WARES, seed=3)
    ours = Ours(servers.stack, market)
    await ours.prepare()
    orders = {"before": Orders(), "during": Orders(), "flood": Orders()}
    cpu_shares: dict[str, list[float]] = {"before": [], "during": []}
    for number in range(rounds):
        flooder = market.shops[number % COOPERATIVES]
        before, during = (_load(f"{name}{number}", market.shops) for name in ("before", "during"))
        flood = _load(f"flood{number}", [flooder], TIMES)
        with running(ours):
            await offer(ours, market, Load(f"warm{number}", market.shops, WARM_ORDERS))
            calm = await offer(ours, market, before)
            flooded = await offer(ours, market, during, flood)
            wrong = await ours.check()
            assert not wrong, "; ".join(wrong)
        await orders["before"].add(ours, before, calm.outcomes[0], but=flooder)
        await orders["during"].add(ours, during, flooded.outcomes[0], but=flooder)
        await orders["flood"].add(ours, flood, flooded.outcomes[1])
        cpu_shares["before"].append(calm.cpu_share)
        cpu_shares["during"].append(flooded.cpu_share)
    own, reference = (quantile_ms(orders[name].waits_s, 0.99) for name in ("during", "before"))
    other = {
        "waits_ms": {name: summary_ms(found.waits_s) for name, found in orders.items()},
        "late_ms": {name: quantile_ms(found.late_s, 0.99) for name, found in orders.items()},
        "cpu_share": {name: median(found) for name, found in cpu_shares.items()},
        "per_s": {"others": round((COOPERATIVES - 1) * EACH_PER_S), "flood": round(TIMES * EACH_PER_S)},
    }
    return [Figure("isolation", "ms", own, reference, round(own / reference, 2), GOAL, other)]


def _load(run: str, shops: Sequence[Shop], times: int = 1) -> Load:
    """For one window, at so many times the normal rate."""
    per_s = EACH_PER_S * len(shops) * times
    return Load(run, shops, round(WINDOW_S * per_s), per_s)
