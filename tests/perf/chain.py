"""`chain`: orders pushed as batches of 100 by several shops, until each is promised, moved and noticed."""

from collections.abc import AsyncIterator
from statistics import median

from tests.perf.figures import Figure
from tests.perf.market import make_market
from tests.perf.measuring import Run, measure, middle, warm_up
from tests.perf.ours import Ours
from tests.perf.peer_subject import PeerSubject
from tests.perf.peers import PEERS
from tests.perf.subject import Servers, Subject, running

OUR_ORDERS = 40_000
PEER_ORDERS = 2_000
PEER_WARM_ORDERS = 500
SHOPS = 8
WARES = 10
GOAL = ">= 20"
PEERS_MEASURED = ("faststream", "tuned", "celery")


async def run(servers: Servers, rounds: int) -> AsyncIterator[Figure]:
    """Ours against the best of the peers, every other round in the opposite order; CPU time by process beside it."""
    market = make_market(SHOPS, WARES, seed=1)
    subjects: list[Subject] = [Ours(servers.stack, market)]
    subjects += [PeerSubject(PEERS[name], servers, market) for name in PEERS_MEASURED]
    runs: dict[str, list[Run]] = {subject.name: [] for subject in subjects}
    for subject in subjects:
        await subject.prepare()
    for number in range(rounds):
        for subject in subjects[:: -1 if number % 2 else 1]:
            name, ours = f"{subject.name}{number}", subject.is_ours
            async with running(servers, subject) as found:
                await warm_up(found, market, name, *(() if ours else (PEER_WARM_ORDERS,)))
                runs[subject.name].append(await measure(found, market, OUR_ORDERS if ours else PEER_ORDERS, name))
                wrong = await subject.check()
                assert not wrong, f"{subject.name}: {'; '.join(wrong)}"
    rates = {name: median(run.orders_per_s for run in found) for name, found in runs.items()}
    own, best = rates["ours"], max(rate for name, rate in rates.items() if name != "ours")
    other = {
        "cpu_us": {name: middle(found).cpu_us for name, found in runs.items()},
        "cpu_share": {name: round(middle(found).cpu_share, 2) for name, found in runs.items()},
        "peers": {f"peer_{name}": round(rate) for name, rate in rates.items() if name != "ours"},
    }
    yield Figure("chain", "orders/s", round(own), round(best), own / best, GOAL, other)
