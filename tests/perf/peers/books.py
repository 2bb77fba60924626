"""The books of a peer, in three databases: made anew, filled with the market, counted, and checked at the end."""

from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

import asyncpg

from tests.perf.looks import Looks
from tests.perf.market import STEP_MILLIUNITS, SUPPLY_STEPS, Market
from tests.perf.peers.base import SERVICES, Addresses, Progress

_SCHEMAS = Path(__file__).parent / "schema"


async def prepare(addresses: Addresses, market: Market) -> None:
    """Empty databases with the books of the market, as the events of `catalog` would have left them."""
    for service, dsn in addresses.dsns.items():
        conn = await asyncpg.connect(dsn)
        try:
            await conn.execute("drop schema public cascade; create schema public")
            await conn.execute((_SCHEMAS / f"{service}.sql").read_text())
            async with conn.transaction():
                for table, columns, rows in _seed(service, market):
                    await conn.copy_records_to_table(table, records=rows, columns=columns)
        finally:
            await conn.close()


def _seed(service: str, market: Market) -> list[tuple[str, list[str], list[tuple[object, ...]]]]:
    wares = [(shop, ware) for shop in market.shops for ware in shop.wares]
    if service == "orders":
        day, cut_off_at = market.delivery_day, market.cut_off_at
        return [
            (
                "product",
                ["product_id", "cooperative_id", "step_milliunits"],
                [(ware.product_id, shop.cooperative_id, STEP_MILLIUNITS) for shop, ware in wares],
            ),
            (
                "offer",
                ["offer_id", "cooperative_id", "product_id", "delivery_day", "cut_off_at"],
                [(ware.offer_id, shop.cooperative_id, ware.product_id, day, cut_off_at) for shop, ware in wares],
            ),
            (
                "partner",
                ["partner_id", "cooperative_id", "secret"],
                [(shop.partner_id, shop.cooperative_id, shop.secret) for shop in market.shops],
            ),
            (
                "sku_map",
                ["partner_id", "sku", "product_id", "factor_numerator", "factor_denominator"],
                [(shop.partner_id, ware.sku, ware.product_id, 1, 1) for shop, ware in wares],
            ),
        ]
    if service == "allocation":
        return [
            (
                "offer_book",
                ["offer_id", "cooperative_id", "supply_steps"],
                [(ware.offer_id, shop.cooperative_id, SUPPLY_STEPS) for shop, ware in wares],
            )
        ]
    return [
        (
            "product",
            ["product_id", "name", "unit", "step_milliunits"],
            [(ware.product_id, f"Rau {ware.sku}", "kg", STEP_MILLIUNITS) for _, ware in wares],
        ),
        (
            "partner_endpoint",
            ["cooperative_id", "partner_id", "url", "secret"],
            [(s.cooperative_id, s.partner_id, f"https://{s.partner_id}.example/", s.secret) for s in market.shops],
        ),
    ]


_COUNTS = {
    "orders": "select count(*), count(*) filter (where state <> 'placed') from customer_order",
    "allocation": "select count(*), 0 from inbox",
    "notify": "select count(*), 0 from partner_message",
}


async def progress(looks: Looks, services: Sequence[str] = SERVICES) -> Progress:
    """Every order is one row of `orders`, one event taken in by `allocation`, and one notice."""
    counts = dict.fromkeys(_COUNTS, (0, 0))
    for service in services:
        first, second = await looks.row(service, _COUNTS[service])
        counts[service] = (first, second)
    stored, moved = counts["orders"]
    return Progress(stored=stored, promised=counts["allocation"][0], moved=moved, noticed=counts["notify"][0])


_FAULTS = {
    "orders": {
        "orders without lines": "select count(*) from customer_order o "
        "where not exists (select from order_line l where l.order_id = o.order_id)",
        "orders that still wait": "select count(*) from customer_order where state = 'placed' or promised_at is null",
        "lines whose promise does not add up": "select count(*) from order_line "
        "where state = 'ordered' and promised_steps + short_steps <> quantity_steps",
        "events that were not sent": "select count(*) from outbox",
    },
    "allocation": {
        "offers whose total is not the sum of their lines": "select count(*) from offer_book b left join "
        "(select offer_id, sum(promised_steps) as steps from order_line group by offer_id) l using (offer_id) "
        "where b.promised_steps <> coalesce(l.steps, 0)",
        "oversold offers": "select count(*) from offer_book where promised_steps > supply_steps",
        "lines promised twice": "select count(*) from (select from order_line group by order_id, line_no "
        "having count(*) > 1) l",
        "places in a queue that are missing": "select count(*) from offer_book b left join "
        "(select offer_id, count(*) as places from order_line group by offer_id) l using (offer_id) "
        "where b.last_position <> coalesce(l.places, 0)",
        "events that were not sent": "select count(*) from outbox",
    },
    "notify": {
        "orders told twice": "select count(*) from "
        "(select from partner_message group by order_id having count(*) > 1) m",
        "messages that nobody will send": "select count(*) from partner_message "
        "where state <> 'queued' or next_at is null",
        "orders without a message": "select count(*) from partner_order o "
        "where not exists (select from partner_message m where m.order_id = o.order_id)",
        "messages without an order": "select count(*) from partner_message m "
        "where not exists (select from partner_order o where o.order_id = m.order_id)",
    },
}
_ORDERED = (
    "select order_id, line_no, offer_id, promised_steps, short_steps from order_line where state = 'ordered' "
    "order by order_id, line_no"
)
_PROMISED = "select order_id, line_no, offer_id, promised_steps, short_steps from order_line order by order_id, line_no"


async def check(addresses: Addresses) -> list[str]:
    """What is wrong, in each database and between them."""
    wrong = []
    orders: dict[str, set[UUID]] = {}
    lines = {}
    for service, dsn in addresses.dsns.items():
        conn = await asyncpg.connect(dsn)
        try:
            for words, query in _FAULTS[service].items():
                if found := await conn.fetchval(query):
                    wrong.append(f"{service}: {found} {words}")
            if service == "notify":
                orders[service] = {row[0] for row in await conn.fetch("select order_id from partner_message")}
            else:
                lines[service] = await conn.fetch(_ORDERED if service == "orders" else _PROMISED)
            if service == "orders":
                orders[service] = {row[0] for row in await conn.fetch("select order_id from customer_order")}
        finally:
            await conn.close()
    if lines["orders"] != lines["allocation"]:
        different = set(map(tuple, lines["orders"])) ^ set(map(tuple, lines["allocation"]))
        wrong.append(f"orders and allocation: {len(different)} lines are not the same")
    if lost := orders["orders"] ^ orders["notify"]:
        wrong.append(f"orders and notify: {len(lost)} orders are not in both")
    return wrong


async def check_orders(addresses: Addresses) -> list[str]:
    """Of a peer that only takes orders in: every order has lines and one event that waits to be sent."""
    conn = await asyncpg.connect(addresses.dsns["orders"])
    try:
        wrong = []
        if found := await conn.fetchval(_FAULTS["orders"]["orders without lines"]):
            wrong.append(f"orders: {found} orders without lines")
        orders = await conn.fetchval("select count(*) from customer_order")
        events = await conn.fetchval("select count(*) from outbox")
        if orders != events:
            wrong.append(f"orders: {orders} orders but {events} events")
        return wrong
    finally:
        await conn.close()
