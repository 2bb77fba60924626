"""`floor`: the chain against what PostgreSQL and RabbitMQ could do at most, one after the other, on this machine.

The floor has no logic at all: the rows and the messages of a run of ours, written and carried again.
"""

from collections.abc import Sequence
from statistics import median

from tests.perf.apart import Apart
from tests.perf.chain import BATCH, OUR_ORDERS, SHOPS, WARES, measure
from tests.perf.figures import Figure
from tests.perf.floor_messages import carry, overheard
from tests.perf.floor_rows import make_plans, write
from tests.perf.market import make_market
from tests.perf.ours import Ours
from tests.perf.subject import Servers, running

CONNECTIONS = (1, 2)
"""To each database; the faster way counts."""
GOAL = ">= 0.5"


async def run(servers: Servers, rounds: int) -> Sequence[Figure]:
    """One run of ours is the model; then ours, the database alone and the broker alone in turn."""
    market = make_market(SHOPS, WARES, seed=1)
    ours, floor = Ours(servers.stack, market), Apart(servers.stack, market, "floor")
    await ours.prepare()
    with running(ours):
        async with overheard(servers.stack) as messages:
            await measure(servers, ours, market, OUR_ORDERS, "model")
    cooperatives = [shop.cooperative_id for shop in market.shops]
    plans = {count: await make_plans(ours, cooperatives, count) for count in CONNECTIONS}
    chain_per_s, broker_per_s = [], []
    database_per_s: dict[int, list[float]] = {count: [] for count in CONNECTIONS}
    for number in range(rounds):
        with running(ours):
            await measure(servers, ours, market, 5 * BATCH, f"{number}w")
            chain_per_s.append((await measure(servers, ours, market, OUR_ORDERS, f"{number}")).orders_per_s)
        for count in CONNECTIONS:
            await floor.prepare()
            database_per_s[count].append(await write(floor, plans[count]))
            wrong = await floor.check()
            assert not wrong, f"floor: {'; '.join(wrong)}"
        broker_per_s.append(OUR_ORDERS / await carry(servers.stack, floor.name, messages))
    chain, broker = median(chain_per_s), median(broker_per_s)
    by_connections = {count: median(found) for count, found in database_per_s.items()}
    database = max(by_connections.values())
    reachable = 1 / (1 / database + 1 / broker)
    other = {
        "database_orders_per_s": {count: round(rate) for count, rate in by_connections.items()},
        "broker_orders_per_s": round(broker),
        "messages": len(messages),
        "message_bytes_per_order": round(sum(len(message.body) for message in messages) / OUR_ORDERS),
    }
    return [Figure("floor", "orders/s", round(chain), round(reachable), round(chain / reachable, 2), GOAL, other)]
