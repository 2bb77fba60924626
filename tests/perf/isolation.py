"""`isolation`: how the others fare while one cooperative pushes a hundred times what it does otherwise.

Single orders from push to promise, in a calm window and then in one with the flood; each round with another
cooperative. Then the same once more with a higher normal rate, and so a greater flood; it stands in the other fields.
`isolation.filling` is a flood that alone fills the machine, which is half idle without it.
A quantile is the median of the rounds' quantiles, and so is the ratio.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from tests.perf.figures import Figure
from tests.perf.market import Market, Shop, make_market
from tests.perf.measuring import until_settled
from tests.perf.ours import Ours
from tests.perf.paced import Load, offer
from tests.perf.subject import Running, Servers, running
from tests.perf.waits import median_quantile_ms, promises, quantile, summary_ms

COOPERATIVES = 400
WARES = 10
WARM_ORDERS = 400
WINDOW_S = 15
EACH_PER_S = 0.1
"""Of a cooperative: the bursts of a campaign day in decision 16, 2,400 a second over 34,000, rounded up."""
HIGHER_EACH_PER_S = 1.0
"""Ten times that, which fills the machine already before the flood."""
FILLING_COOPERATIVES = 40
FILLING_EACH_PER_S = 1.0
TIMES = 100
GOAL = "<= 2"


@dataclass
class Window:
    """At one normal rate: by kind of order, what each waited from when it was due, and how late it was sent."""

    cooperatives: int
    each_per_s: float
    waits_s: dict[str, list[Sequence[float]]] = field(default_factory=dict)
    late_s: dict[str, list[Sequence[float]]] = field(default_factory=dict)
    cpu_shares: dict[str, list[float]] = field(default_factory=dict)

    async def measure(self, there: Running, market: Market, number: int) -> None:
        """Adds a round."""
        shops = market.shops[: self.cooperatives]
        flooder = shops[number % self.cooperatives]
        run = f"{number}.{self.cooperatives}.{self.each_per_s:g}"
        names = {kind: f"{kind}{run}" for kind in ("before", "during", "flood")}
        before, during = (self._load(names[kind], shops) for kind in ("before", "during"))
        flood = self._load(names["flood"], [flooder], TIMES)
        for kind, loads in (("before", (before,)), ("during", (during, flood))):
            offered = await offer(there, market, *loads)
            self.cpu_shares.setdefault(kind, []).append(offered.cpu_share)
            for load, outcome, due_at_s in zip(loads, offered.outcomes, offered.due_at_s, strict=True):
                but = None if load is flood else flooder.cooperative_id
                told = "flood" if load is flood else kind
                self.waits_s.setdefault(told, []).append(
                    (await promises(there.subject, load.run, due_at_s, but)).waits_s
                )
                self.late_s.setdefault(told, []).append(outcome.late_s)

    @property
    def ratio(self) -> float:
        """The others' p99 during the flood to that before it."""
        pairs = zip(self.waits_s["during"], self.waits_s["before"], strict=True)
        return median(quantile(during, 0.99) / quantile(before, 0.99) for during, before in pairs)

    def p99_ms(self, kind: str) -> float:
        """Of the orders of one kind."""
        return round(median_quantile_ms(self.waits_s[kind], 0.99), 2)

    def as_fields(self) -> dict[str, Any]:
        """All that is told of it beside the ratio."""
        return {
            "waits_ms": {kind: summary_ms(waits) for kind, waits in self.waits_s.items()},
            "late_ms": {kind: round(median_quantile_ms(late, 0.99), 2) for kind, late in self.late_s.items()},
            "cpu_share": {kind: median(shares) for kind, shares in self.cpu_shares.items()},
            "per_s": {
                "others": round((self.cooperatives - 1) * self.each_per_s),
                "flood": round(TIMES * self.each_per_s),
            },
        }

    def _load(self, run: str, shops: Sequence[Shop], times: int = 1) -> Load:
        """So many times the normal rate."""
        per_s = self.each_per_s * len(shops) * times
        return Load(run, shops, round(WINDOW_S * per_s), per_s)


async def run(servers: Servers, rounds: int) -> AsyncIterator[Figure]:
    """Ours alone: during the flood against before it."""
    market = make_market(COOPERATIVES, WARES, seed=3)
    ours = Ours(servers.stack, market)
    await ours.prepare()
    normal, higher = Window(COOPERATIVES, EACH_PER_S), Window(COOPERATIVES, HIGHER_EACH_PER_S)
    filling = Window(FILLING_COOPERATIVES, FILLING_EACH_PER_S)
    for number in range(rounds):
        async with running(servers, ours) as there:
            await offer(there, market, Load(f"warm{number}", market.shops, WARM_ORDERS))
            for window in (normal, filling, higher):
                await window.measure(there, market, number)
            await until_settled(there)
            wrong = await ours.check()
        assert not wrong, "; ".join(wrong)
    yield _figure("isolation", normal, {"higher": {"ratio": round(higher.ratio, 2)} | higher.as_fields()})
    yield _figure("isolation.filling", filling, {})


def _figure(name: str, window: Window, other: dict[str, Any]) -> Figure:
    own, reference = window.p99_ms("during"), window.p99_ms("before")
    return Figure(name, "ms", own, reference, window.ratio, GOAL, window.as_fields() | other)
