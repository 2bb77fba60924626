"""`orders` of the plain pipeline: HTTP and AMQP intake, and what a promise does to an order."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

import asyncpg
import uvicorn
from fastapi import FastAPI, Request, Response
from faststream.exceptions import RejectMessage

from tests.perf.peers import door, environment
from tests.perf.peers.database import Database
from tests.perf.peers.door import Refused
from tests.perf.peers.faststream import mailbox, store
from tests.perf.peers.intake import Partner
from tests.perf.peers.models import AmqpPush, Answer, OrderPromised, PushedOrder
from tests.perf.peers.serving import lifespan, make_broker, read_as
from tests.perf.peers.wiring import INTAKE, ON_ERROR, Wiring

WIRING = Wiring("faststream")

database = Database(environment.database_url("orders"), connections=10)
broker = make_broker(prefetch=50)
relay = mailbox.PollingRelay(database, broker, WIRING.exchange)
app = FastAPI(lifespan=lifespan(database, broker, relay))


@app.get("/healthz")
async def healthz() -> str:
    """It serves."""
    return "ok"


@app.post(door.PATH, status_code=202)
async def push(partner_id: UUID, request: Request) -> Response:
    """Orders of a partner by HTTP: one, or a batch."""
    now = datetime.now(UTC)
    raw = await request.body()
    partner = await store.get_partner(database, partner_id)
    try:
        pushed = door.read(partner, request.headers, raw, now)
    except Refused as refused:
        return Response(refused.body, refused.status, media_type="application/json")
    assert partner is not None, "the door refuses whom it does not know"
    answers = await take(partner, pushed, now)
    return Response(door.answer(request.headers, answers), 202, media_type="application/json")


async def take(partner: Partner, pushed: Sequence[PushedOrder], now: datetime) -> list[Answer]:
    """One transaction; once more where the same references came by another way at the same time."""
    while True:
        try:
            async with database.transaction() as conn:
                return await store.take_orders(conn, partner, pushed, now)
        except asyncpg.UniqueViolationError:
            continue


@broker.subscriber(WIRING.queue(INTAKE), ack_policy=ON_ERROR, decoder=read_as(AmqpPush))
async def on_push(message: AmqpPush) -> None:
    """One order of a partner by AMQP."""
    partner = await store.get_partner(database, message.partner_id)
    if partner is None:
        raise RejectMessage
    await take(partner, [message.order], datetime.now(UTC))


@broker.subscriber(WIRING.queue("orders.order_promised"), WIRING.exchange, ack_policy=ON_ERROR)
async def on_order_promised(event: OrderPromised) -> None:
    """The promise moves the order on."""
    async with database.transaction() as conn:
        if await mailbox.is_new(conn, event.event_id):
            await store.apply_promise(conn, event)


if __name__ == "__main__":
    uvicorn.run(
        app, host="127.0.0.1", port=environment.http_port(), loop="asyncio", log_level="warning", access_log=False
    )
