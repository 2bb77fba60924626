"""The past that `growth` loads is one that our services could have written."""

import asyncpg

from infra.local.stack import Stack
from tests.perf.apart import Apart
from tests.perf.growth_rows import load
from tests.perf.market import make_market

ORDERS = 450
"""Two whole days of two cooperatives, and a part of a third."""


async def _values(dsn: str, *queries: str) -> list[object]:
    connection = await asyncpg.connect(dsn)
    try:
        return [await connection.fetchval(query) for query in queries]
    finally:
        await connection.close()


async def test_past_orders_add_up_in_all_services(stack: Stack) -> None:
    market = make_market(2, 3, seed=1)
    ours = Apart(stack, market, "past")
    try:
        await ours.prepare()
        assert await load(ours, market, ORDERS) > 0
        assert await ours.check() == []
        customers, linked, repeated = await _values(
            ours.dsn("orders"),
            "select count(*) from customer join customer_identity using (customer_id) where kind = 'phone'",
            "select sum(orders)::int from customer",
            "select count(*) from customer where orders = 2",
        )
        assert (customers, linked, repeated) == (ORDERS - 22, ORDERS, 22)
        heads, events = [], []
        for producer in ("orders", "allocation"):
            head, logged = await _values(
                ours.dsn(producer),
                "select sum(last_sequence)::int from stream_head",
                "select count(*) from event_log join stream_head using (stream) where sequence <= last_sequence",
            )
            heads.append(head)
            events.append(logged)
        cursors = await _values(
            ours.dsn("notify"),
            "select sum(sequence)::int from consumer_cursor where producer = 'orders'",
            "select sum(sequence)::int from consumer_cursor where producer = 'allocation'",
        )
        assert heads == events == cursors == [ORDERS, ORDERS + 3 * 2 * 3]
        assert await _values(ours.dsn("notify"), "select count(*) from applied_turn") == [2 * 2 * 3]
    finally:
        ours.remove()
