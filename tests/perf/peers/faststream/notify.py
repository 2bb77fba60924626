"""`notify` of the plain pipeline: remembers orders, and writes down what partners have to be told."""

import asyncio
import json

from tests.perf.peers import environment, notices
from tests.perf.peers.database import Database
from tests.perf.peers.faststream import mailbox
from tests.perf.peers.models import OrderPlaced, OrderPromised
from tests.perf.peers.serving import make_broker, worker
from tests.perf.peers.wiring import ON_ERROR, Wiring

WIRING = Wiring("faststream")

database = Database(environment.database_url("notify"), connections=10)
broker = make_broker(prefetch=50)


@broker.subscriber(WIRING.queue("notify.order_placed"), WIRING.exchange, ack_policy=ON_ERROR)
async def on_order_placed(event: OrderPlaced) -> None:
    """Whose order it is, and what stands behind its lines."""
    async with database.transaction() as conn:
        if not await mailbox.is_new(conn, event.event_id):
            return
        await conn.execute(
            "insert into partner_order (order_id, partner_id, partner_ref, refused_lines, lines) "
            "values ($1, $2, $3, $4, $5)",
            event.order_id,
            event.partner_id,
            event.partner_ref,
            json.dumps(notices.refused(event)),
            json.dumps(notices.ordered(event)),
        )


@broker.subscriber(WIRING.queue("notify.order_promised"), WIRING.exchange, ack_policy=ON_ERROR)
async def on_order_promised(event: OrderPromised) -> None:
    """One message, for a partner that has an endpoint."""
    async with database.transaction() as conn:
        if not await mailbox.is_new(conn, event.event_id):
            return
        if not await conn.fetchval(
            "select true from partner_endpoint where cooperative_id = $1 and partner_id = $2",
            event.cooperative_id,
            event.partner_id,
        ):
            return
        products = await conn.fetch(
            "select product_id, name, unit, step_milliunits from product where product_id = any($1)",
            [line.product_id for line in event.lines],
        )
        await conn.execute(
            "insert into partner_message (message_id, cooperative_id, partner_id, order_id, facts, happened_at) "
            "values ($1, $2, $3, $4, $5, $6)",
            event.event_id,
            event.cooperative_id,
            event.partner_id,
            event.order_id,
            notices.facts(event, products),
            event.occurred_at,
        )


if __name__ == "__main__":
    asyncio.run(worker(database, broker).run())
