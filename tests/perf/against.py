"""`make bench ARGS="--against PATH"`: the chain of this checkout next to that of another one, in turn.

What a change to the way of an order is worth: the ratio of the orders per second of CPU time, as the median of the
pairs' ratios.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from statistics import median

from tests.perf.apart import Apart
from tests.perf.chain import OUR_ORDERS, SHOPS, WARES
from tests.perf.figures import Figure
from tests.perf.generator import CHECKOUT
from tests.perf.market import make_market
from tests.perf.measuring import Run, measure, median_ratio, middle, warm_up
from tests.perf.subject import Servers, running

GOAL = ">= 0.95"


async def run(servers: Servers, rounds: int, other: Path) -> AsyncIterator[Figure]:
    """Both on the same market and the same servers, on databases of their own that their own services migrate."""
    market = make_market(SHOPS, WARES, seed=1)
    subjects = [
        Apart(servers.stack, market, name, checkout) for name, checkout in (("other", other), ("this", CHECKOUT))
    ]
    runs: dict[str, list[Run]] = {subject.name: [] for subject in subjects}
    for subject in subjects:
        await subject.prepare()
    for number in range(rounds):
        for subject in subjects[:: -1 if number % 2 else 1]:
            async with running(servers, subject) as found:
                await warm_up(found, market, f"{subject.name}{number}")
                runs[subject.name].append(await measure(found, market, OUR_ORDERS, f"{subject.name}{number}"))
                wrong = await subject.check()
            assert not wrong, f"{subject.name}: {'; '.join(wrong)}"
    pairs = list(zip(runs["other"], runs["this"], strict=True))
    theirs, ours = (median(run.orders_per_cpu_s for run in runs[name]) for name in ("other", "this"))
    more = {
        "checkout": str(other),
        "ratios": [round(median_ratio([pair]), 3) for pair in pairs],
        "orders_per_s": {name: round(median(run.orders_per_s for run in found)) for name, found in runs.items()},
        "cpu_us": {name: middle(found).cpu_us for name, found in runs.items()},
    }
    yield Figure("chain.against", "orders/CPU s", round(ours), round(theirs), median_ratio(pairs), GOAL, more)
