"""`latency`: from push to promise, of single orders at a steady rate: 1/s, 100/s, and half of what ours can take.

An order waits from the moment at which it is due, so that one that a busy server reads late counts as late.

What ours can take is measured in each round anew, and half of it is offered to both. Where the pipeline does not carry
a rate, ours is held against the greatest that it carries of these and some in between. A quantile is the median of the
rounds' quantiles.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from statistics import median
from typing import Any

from tests.perf.cpu import used_us
from tests.perf.figures import Figure
from tests.perf.fsync import stored_us
from tests.perf.market import Market, make_market
from tests.perf.measuring import until_settled
from tests.perf.ours import Ours
from tests.perf.paced import Load, offer
from tests.perf.peer_subject import PeerSubject
from tests.perf.peers import PEERS
from tests.perf.subject import Running, Servers, running
from tests.perf.waits import median_quantile_ms, promises, summary_ms

SHOPS = 8
WARES = 10
WARM_ORDERS = 200
MOST_ORDERS = 4_000
SECONDS = {"1": 100, "100": 20, "half": 15}
"""How long each rate is offered in a round."""
PEER_SECONDS = SECONDS | {"25": 15, "50": 15, "200": 15}
"""The same for the peer."""
PEER_MOST_ORDERS = 5_000
"""Of one load, lest the peer works at it until the signatures of the last orders are no longer good."""
BEHIND_S = 1.0
"""Who has promised all no later than so long after the last was due has carried the rate."""
GOAL = "<= 0.2"


@dataclass
class Found:
    """One system at one rate: a value of each for every round.

    `behind_s` is how long after the last order was due all were promised; `late_s` how long after its time each order
    was sent; `used_us` the CPU time of an order by process, with what the processes use when nothing comes.
    """

    per_s: list[float] = field(default_factory=list)
    waits_s: list[Sequence[float]] = field(default_factory=list)
    late_s: list[Sequence[float]] = field(default_factory=list)
    behind_s: list[float] = field(default_factory=list)
    used_us: list[Mapping[str, float]] = field(default_factory=list)
    cpu_shares: list[float] = field(default_factory=list)

    @property
    def cpu_us(self) -> dict[str, int]:
        """The medians of the rounds."""
        return {name: round(median(one[name] for one in self.used_us)) for name in self.used_us[0]}

    @property
    def carried(self) -> bool:
        """Whether the system kept up; if not, its waits tell only how long it was kept at it."""
        return median(self.behind_s) <= BEHIND_S


async def run(servers: Servers, rounds: int) -> AsyncIterator[Figure]:
    """Ours against the plain pipeline, round by round."""
    fsync_us = await stored_us(servers.stack)
    market = make_market(SHOPS, WARES, seed=2)
    ours, peer = Ours(servers.stack, market), PeerSubject(PEERS["faststream"], servers, market)
    seconds = {ours.name: SECONDS, peer.name: PEER_SECONDS}
    found = {subject: {name: Found() for name in offered} for subject, offered in seconds.items()}
    most_per_s = []
    for subject in (ours, peer):
        await subject.prepare()
    for number in range(rounds):
        for subject in (ours, peer):
            run = f"{subject.name}{number}"
            async with running(servers, subject) as there:
                await offer(there, market, Load(f"{run}.warm", market.shops, WARM_ORDERS))
                if subject is ours:
                    most_per_s.append(await _most_per_s(there, market, f"{run}.most"))
                own = found[subject.name]
                rates = {name: most_per_s[-1] / 2 if name == "half" else float(name) for name in own}
                for name, per_s in sorted(rates.items(), key=itemgetter(1)):
                    await _measure(there, market, f"{run}.{name}", per_s, seconds[subject.name][name], own[name])
                await until_settled(there)
                wrong = await subject.check()
                assert not wrong, f"{subject.name}: {'; '.join(wrong)}"
    said = {"fsync_us": fsync_us, "most_per_s": round(median(most_per_s))}
    for name in SECONDS:
        yield _figure(name, found[ours.name][name], found[peer.name], fsync_us, said)


async def _most_per_s(there: Running, market: Market, run: str) -> float:
    """Orders per second through the whole chain, pushed one by one as fast as they are answered."""
    await offer(there, market, Load(run, market.shops, MOST_ORDERS))
    return MOST_ORDERS / (await promises(there.subject, run, {})).seconds


async def _measure(there: Running, market: Market, run: str, per_s: float, seconds: float, found: Found) -> None:
    """Adds a round to what was found."""
    orders = round(seconds * per_s)
    if not there.subject.is_ours:
        orders = min(orders, PEER_MOST_ORDERS)
    before = there.cpu()
    offered = await offer(there, market, Load(run, market.shops, orders, per_s))
    found.used_us.append(used_us(before, there.cpu(), orders))
    found.cpu_shares.append(offered.cpu_share)
    promised = await promises(there.subject, run, offered.due_at_s[0])
    found.per_s.append(per_s)
    found.waits_s.append(promised.waits_s)
    found.late_s.append(offered.outcomes[0].late_s)
    found.behind_s.append(promised.seconds - (orders - 1) / per_s)


def _figure(name: str, own: Found, peer: dict[str, Found], fsync_us: int, said: dict[str, Any]) -> Figure:
    """Against the peer at the same rate, or at the greatest that it carries."""
    same = peer[name]
    carried = [one for one in peer.values() if one.carried]
    assert carried, "the peer carries none of the rates"
    reference = same if same.carried else max(carried, key=lambda one: median(one.per_s))
    ours_ms, peer_ms = (median_quantile_ms(one.waits_s, 0.99) for one in (own, reference))
    other = {
        "per_s": round(median(own.per_s)),
        "ours_ms": summary_ms(own.waits_s),
        "ours_behind_s": round(median(own.behind_s), 2),
        "peer_per_s": round(median(reference.per_s)),
        "peer_ms": summary_ms(reference.waits_s),
        "peer_behind_s": round(median(same.behind_s), 2),
        "cpu_us": {"ours": own.cpu_us, "peer": reference.cpu_us},
        "cpu_share": {"ours": median(own.cpu_shares), "peer": median(reference.cpu_shares)},
        "late_ms": {
            "ours": round(median_quantile_ms(own.late_s, 0.99), 2),
            "peer": round(median_quantile_ms(reference.late_s, 0.99), 2),
        },
        "fsyncs": round(1000 * median_quantile_ms(own.waits_s, 0.5) / fsync_us, 1),
    }
    return Figure(f"latency.{name}", "ms", round(ours_ms, 2), round(peer_ms, 2), ours_ms / peer_ms, GOAL, other | said)
