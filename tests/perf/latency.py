"""`latency`: from push to promise, of single orders at a steady rate: 1/s, 100/s, and half of what ours can take.

A quantile is that of all rounds' orders together.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from tests.perf.figures import Figure
from tests.perf.fsync import stored_us
from tests.perf.market import Market, make_market
from tests.perf.ours import Ours
from tests.perf.paced import Load, offer
from tests.perf.peer_subject import PeerSubject
from tests.perf.peers import PEERS
from tests.perf.subject import Servers, Subject, running
from tests.perf.waits import promises, quantile_ms, summary_ms

SHOPS = 8
WARES = 10
WARM_ORDERS = 200
MOST_ORDERS = 4_000
SECONDS = {"1": 60, "100": 20, "half": 15}
"""How long each rate is offered in a round."""
BEHIND_S = 1.0
"""Who has promised all no later than so long after the last was due has carried the rate."""
GOAL = "<= 0.2"


@dataclass
class Found:
    """One system at one rate, over all rounds. `behind_s` is how long after the last order was due all were promised.

    `late_s` is how long after its time each order was sent.
    """

    per_s: float
    waits_s: list[float] = field(default_factory=list)
    late_s: list[float] = field(default_factory=list)
    behind_s: list[float] = field(default_factory=list)

    @property
    def carried(self) -> bool:
        """Whether the system kept up; if not, its waits tell only how long it was kept at it."""
        return median(self.behind_s) <= BEHIND_S


async def run(servers: Servers, rounds: int) -> Sequence[Figure]:
    """Ours against the plain pipeline, round by round."""
    fsync_us = await stored_us(servers.stack)
    market = make_market(SHOPS, WARES, seed=2)
    ours, peer = Ours(servers.stack, market), PeerSubject(PEERS["faststream"], servers, market)
    subjects: tuple[Subject, ...] = (ours, peer)
    for subject in subjects:
        await subject.prepare()
    most_per_s = await _most_per_s(ours, market)
    rates = {"1": 1.0, "100": 100.0, "half": most_per_s / 2}
    found = {subject.name: {name: Found(per_s) for name, per_s in rates.items()} for subject in subjects}
    for number in range(rounds):
        for subject in subjects:
            with running(subject):
                await _warm(subject, market, f"{subject.name}{number}")
                for name in rates:
                    await _measure(
                        subject, market, f"{subject.name}{number}.{name}", SECONDS[name], found[subject.name][name]
                    )
                wrong = await subject.check()
                assert not wrong, f"{subject.name}: {'; '.join(wrong)}"
    said = {"fsync_us": fsync_us, "most_per_s": round(most_per_s)}
    return [_figure(name, found[ours.name][name], found[peer.name], fsync_us, said) for name in rates]


async def _warm(subject: Subject, market: Market, run: str) -> None:
    await offer(subject, market, Load(f"{run}.warm", market.shops, WARM_ORDERS))


async def _most_per_s(subject: Subject, market: Market) -> float:
    """Orders per second through the whole chain, pushed one by one as fast as they are answered."""
    with running(subject):
        await _warm(subject, market, "most")
        await offer(subject, market, Load("most", market.shops, MOST_ORDERS))
        return MOST_ORDERS / (await promises(subject, "most")).seconds


async def _measure(subject: Subject, market: Market, run: str, seconds: float, found: Found) -> None:
    """Adds a round to what was found."""
    orders = round(seconds * found.per_s)
    offered = await offer(subject, market, Load(run, market.shops, orders, found.per_s))
    promised = await promises(subject, run)
    found.waits_s += promised.waits_s
    found.late_s += offered.outcomes[0].late_s
    found.behind_s.append(promised.seconds - (orders - 1) / found.per_s)


def _figure(name: str, own: Found, peer: dict[str, Found], fsync_us: int, said: dict[str, Any]) -> Figure:
    """Against the peer at the same rate, or at the greatest that it carries."""
    same = peer[name]
    carried = [one for one in peer.values() if one.carried]
    assert carried, "the peer carries none of the rates"
    reference = same if same.carried else max(carried, key=lambda one: one.per_s)
    ours_ms, peer_ms = summary_ms(own.waits_s), summary_ms(reference.waits_s)
    other = {
        "per_s": round(own.per_s),
        "ours_ms": ours_ms,
        "ours_behind_s": round(median(own.behind_s), 2),
        "peer_per_s": round(reference.per_s),
        "peer_ms": peer_ms,
        "peer_behind_s": round(median(same.behind_s), 2),
        "late_ms": {"ours": quantile_ms(own.late_s, 0.99), "peer": quantile_ms(reference.late_s, 0.99)},
        "fsyncs": round(1000 * ours_ms["p50"] / fsync_us, 1),
    }
    ratio = round(ours_ms["p99"] / peer_ms["p99"], 3)
    return Figure(f"latency.{name}", "ms", ours_ms["p99"], peer_ms["p99"], ratio, GOAL, other | said)
