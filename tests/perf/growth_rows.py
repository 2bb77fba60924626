"""Past orders: rows as they are long after their day, written into the databases by a few statements.

Identifiers grow with time as those of the services do, so that the indexes look as they would. The cooperatives take
turns; each of them sells all its wares on each day, to PER_DAY orders with two lines each, and all that is promised.
One order in twenty comes from a customer who has ordered before.
"""

import asyncio

import asyncpg

from infra.rabbitmq.definitions import SERVICES
from services.chassis.lanes import shared_lane
from services.contracts.flow import READS
from tests.perf.apart import Apart
from tests.perf.growth_statements import CURSORS, HEADS, PER_DAY, TABLES, TURNS, events, rows, views
from tests.perf.market import Market
from tests.perf.ours import LANES

PRODUCERS = ("orders", "allocation")


async def load(ours: Apart, market: Market, orders: int) -> int:
    """Writes so many orders and tidies up as a database does in time; returns the bytes that they take."""
    sizes = await asyncio.gather(*(_load(ours.dsn(service), service, market, orders) for service in SERVICES))
    return sum(sizes)


async def _load(dsn: str, service: str, market: Market, orders: int) -> int:
    connection = await asyncpg.connect(dsn)
    try:
        before = await _size(connection)
        await connection.execute("set synchronous_commit = off")
        await _describe(connection, market, orders)
        for statement in rows(service):
            await connection.execute(statement)
        if service in PRODUCERS:
            await connection.execute(HEADS.format(events=events(service)))
        read = [producer for producer in PRODUCERS if producer in READS[service]]
        for place, producer in enumerate(read, 1):
            places = {"events": events(producer), "places": len(read), "place": place}
            await connection.execute(CURSORS.format(**places), producer)
        await connection.execute(TURNS[len(read)], read)
        await connection.execute("vacuum (analyze)")
        return await _size(connection) - before
    finally:
        await connection.close()


async def _size(connection: "asyncpg.Connection[asyncpg.Record]") -> int:
    return int(await connection.fetchval("select pg_database_size(current_database())"))


async def _describe(connection: "asyncpg.Connection[asyncpg.Record]", market: Market, orders: int) -> None:
    """The shops, and views of what the rows are made of."""
    shops, wares = len(market.shops), len(market.shops[0].wares)
    days = -(-orders // (shops * PER_DAY))
    await connection.execute(TABLES)
    own = [-(-(orders - number) // shops) for number in range(shops)]
    await connection.copy_records_to_table(
        "shop",
        records=[
            (number, shop.cooperative_id, shop.partner_id, shared_lane(shop.cooperative_id, LANES), count, days, wares)
            for number, (shop, count) in enumerate(zip(market.shops, own, strict=True))
            if count > 0
            for days in (-(-count // PER_DAY),)
        ],
    )
    await connection.copy_records_to_table(
        "ware",
        records=[
            (wares * number + place, number, ware.product_id, ware.sku, ware.price_vnd)
            for number, shop in enumerate(market.shops)
            for place, ware in enumerate(shop.wares)
        ],
    )
    await connection.execute("analyze shop; analyze ware")
    await connection.execute(views(orders, shops, wares, days))
