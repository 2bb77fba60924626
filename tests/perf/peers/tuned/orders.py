"""`orders` of the tuned pipeline: one statement takes in a whole request, and one applies a promise."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

import uvicorn
from fastapi import FastAPI, Request, Response
from faststream.exceptions import RejectMessage

from tests.perf.peers import door, environment
from tests.perf.peers.database import Database
from tests.perf.peers.door import Refused
from tests.perf.peers.intake import SHELF, NewOrder, Partner, Shelf, new_order, skus_and_days
from tests.perf.peers.models import AmqpPush, Answer, OrderPromised, PushedOrder
from tests.perf.peers.serving import lifespan, make_broker, read_as
from tests.perf.peers.tuned.relay import WokenRelay
from tests.perf.peers.wiring import INTAKE, ON_ERROR, Wiring

WIRING = Wiring("tuned")

_PARTNER = "select partner_id, cooperative_id, secret from partner where partner_id = $1"
_SHELF = SHELF.format(partner="$1", skus="$2", days="$3", now="$4")
_TAKE = """
with stored as (
    insert into customer_order (order_id, cooperative_id, partner_id, partner_ref, revised_at, digest, delivery_day,
        wanted, contact_name, contact_phone, contact_address, state, received_at)
    select order_id, $1, $2, ref, revised_at, digest, delivery_day, wanted, name, phone, address, 'placed', $3
    from unnest($4::uuid[], $5::text[], $6::timestamptz[], $7::text[], $8::date[], $9::json[], $10::text[],
        $11::text[], $12::text[])
        as o (order_id, ref, revised_at, digest, delivery_day, wanted, name, phone, address)
    order by ref
    on conflict (partner_id, partner_ref) do nothing
    returning order_id
), lines as (
    insert into order_line (order_id, line_no, sku, sold_quantity, price_vnd, state, product_id, offer_id,
        delivery_day, quantity_steps, reason)
    select l.* from unnest($13::uuid[], $14::int[], $15::text[], $16::numeric[], $17::bigint[], $18::text[],
        $19::uuid[], $20::uuid[], $21::date[], $22::bigint[], $23::text[])
        as l (order_id, line_no, sku, sold, price_vnd, state, product_id, offer_id, delivery_day, steps, reason)
    join stored using (order_id)
), announced as (
    insert into outbox (event_id, type, payload)
    select event_id, 'order_placed', payload from unnest($4::uuid[], $24::uuid[], $25::json[])
        as e (order_id, event_id, payload) join stored using (order_id)
)
select order_id from stored
"""
_KNOWN = "select partner_ref, order_id, state from customer_order where partner_id = $1 and partner_ref = any($2)"
_APPLY = """
with fresh as (
    insert into inbox (event_id) values ($1) on conflict do nothing returning event_id
), moved as (
    update customer_order set state = $3, promised_at = coalesce(promised_at, now())
    where order_id = $2 and exists (select from fresh)
    returning order_id
)
update order_line l set promised_steps = x.promised_steps, short_steps = x.short_steps, reason = x.reason
from moved, unnest($4::int[], $5::bigint[], $6::bigint[], $7::text[])
    as x (line_no, promised_steps, short_steps, reason)
where l.order_id = $2 and l.line_no = x.line_no
"""

database = Database(environment.database_url("orders"), connections=10, keeps_sessions=True)
broker = make_broker(prefetch=200)
relay = WokenRelay(database, environment.amqp_url(), WIRING.exchange.name)
app = FastAPI(lifespan=lifespan(database, broker, relay))


@app.get("/healthz")
async def healthz() -> str:
    """It serves."""
    return "ok"


@app.post(door.PATH, status_code=202)
async def push(partner_id: UUID, request: Request) -> Response:
    """Orders of a partner: one, or a batch."""
    now = datetime.now(UTC)
    raw = await request.body()
    row = await database.pool.fetchrow(_PARTNER, partner_id)
    partner = Partner(**row) if row else None
    try:
        pushed = door.read(partner, request.headers, raw, now)
    except Refused as refused:
        return Response(refused.body, refused.status, media_type="application/json")
    assert partner is not None, "the door refuses whom it does not know"
    answers = await _take(partner, pushed, now)
    relay.wake()
    return Response(door.answer(request.headers, answers), 202, media_type="application/json")


async def _take(partner: Partner, pushed: Sequence[PushedOrder], now: datetime) -> list[Answer]:
    """Stores and announces what is new; what was known is answered as it stands."""
    skus, days = skus_and_days(pushed)
    async with database.pool.acquire() as conn:
        shelf = Shelf(await conn.fetch(_SHELF, partner.partner_id, skus, days, now))
        orders = [new_order(partner, order, shelf, now) for order in pushed]
        stored = {row[0] for row in await conn.fetch(_TAKE, *_columns(partner, orders, now))}
        answers = {o.pushed.ref: Answer(order_id=o.order_id, ref=o.pushed.ref, state="placed") for o in orders}
        known = [order.pushed.ref for order in orders if order.order_id not in stored]
        for row in await conn.fetch(_KNOWN, partner.partner_id, known) if known else ():
            answers[row["partner_ref"]] = Answer(order_id=row["order_id"], ref=row["partner_ref"], state=row["state"])
    return [answers[order.ref] for order in pushed]


def _columns(partner: Partner, orders: Sequence[NewOrder], now: datetime) -> list[object]:
    pushed = [order.pushed for order in orders]
    lines = [(order, line) for order in orders for line in order.lines]
    placed = [order.placed() for order in orders]
    return [
        partner.cooperative_id,
        partner.partner_id,
        now,
        [order.order_id for order in orders],
        [order.ref for order in pushed],
        [order.updated_at for order in pushed],
        [order.digest for order in orders],
        [order.delivery_day for order in pushed],
        [order.wanted for order in orders],
        [order.contact.name for order in pushed],
        [order.contact.phone for order in pushed],
        [order.contact.address for order in pushed],
        [order.order_id for order, _ in lines],
        [line.line_no for _, line in lines],
        [line.sku for _, line in lines],
        [line.sold for _, line in lines],
        [line.price_vnd for _, line in lines],
        [line.state for _, line in lines],
        [line.product_id for _, line in lines],
        [line.offer_id for _, line in lines],
        [order.pushed.delivery_day for order, _ in lines],
        [line.steps for _, line in lines],
        [line.reason for _, line in lines],
        [event.event_id for event in placed],
        [event.model_dump_json() for event in placed],
    ]


@broker.subscriber(WIRING.queue(INTAKE), ack_policy=ON_ERROR, decoder=read_as(AmqpPush))
async def on_push(message: AmqpPush) -> None:
    """One order of a partner by AMQP."""
    row = await database.pool.fetchrow(_PARTNER, message.partner_id)
    if row is None:
        raise RejectMessage
    await _take(Partner(**row), [message.order], datetime.now(UTC))
    relay.wake()


@broker.subscriber(
    WIRING.queue("orders.order_promised"),
    WIRING.exchange,
    ack_policy=ON_ERROR,
    decoder=read_as(OrderPromised),
)
async def on_order_promised(event: OrderPromised) -> None:
    """The promise moves the order on."""
    await database.pool.execute(
        _APPLY,
        event.event_id,
        event.order_id,
        event.state,
        [line.line_no for line in event.lines],
        [line.promised_steps for line in event.lines],
        [line.short_steps for line in event.lines],
        [line.reason for line in event.lines],
    )


if __name__ == "__main__":
    uvicorn.run(
        app, host="127.0.0.1", port=environment.http_port(), loop="uvloop", log_level="warning", access_log=False
    )
