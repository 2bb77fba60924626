"""`allocation` of the plain pipeline: reserves supply for each order, first come, first served."""

import asyncio
from datetime import UTC, datetime

from tests.perf.peers import environment
from tests.perf.peers.database import Database
from tests.perf.peers.faststream import mailbox
from tests.perf.peers.models import OrderPlaced
from tests.perf.peers.promise import books, promise, promised
from tests.perf.peers.serving import make_broker, worker
from tests.perf.peers.wiring import ON_ERROR, Wiring

WIRING = Wiring("faststream")

_LOCK = """
select offer_id, supply_steps, promised_steps, open, last_position from offer_book
where offer_id = any($1) order by offer_id for update
"""
_INSERT_LINE = """
insert into order_line (offer_id, position, order_id, line_no, ordered_steps, promised_steps, short_steps, reason)
values ($1, $2, $3, $4, $5, $6, $7, $8)
"""

database = Database(environment.database_url("allocation"), connections=10)
broker = make_broker(prefetch=50)
relay = mailbox.PollingRelay(database, broker, WIRING.exchange)


@broker.subscriber(WIRING.queue("allocation.order_placed"), WIRING.exchange, ack_policy=ON_ERROR)
async def on_order_placed(event: OrderPlaced) -> None:
    """Promises what is free under the locks of the offers, which everybody takes in the same order."""
    async with database.transaction() as conn:
        if not await mailbox.is_new(conn, event.event_id):
            return
        locked = books(await conn.fetch(_LOCK, [line.offer_id for line in event.lines]))
        places = promise(event, locked)
        await conn.executemany(
            "update offer_book set promised_steps = $2, last_position = $3 where offer_id = $1",
            [(book.offer_id, book.promised_steps, book.last_position) for book in locked.values()],
        )
        await conn.executemany(
            _INSERT_LINE,
            [
                (
                    place.line.offer_id,
                    place.position,
                    event.order_id,
                    place.line.line_no,
                    place.line.ordered_steps,
                    place.line.promised_steps,
                    place.line.short_steps,
                    place.line.reason,
                )
                for place in places
            ],
        )
        await mailbox.send_later(conn, "order_promised", [promised(event, places, datetime.now(UTC))])


if __name__ == "__main__":
    asyncio.run(worker(database, broker, relay).run())
