"""`orders` of the Starlette peer. Takes single orders and announces them in its outbox, which nobody sends."""

import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from tests.perf.peers import door, environment
from tests.perf.peers.database import Database
from tests.perf.peers.door import Refused
from tests.perf.peers.intake import SHELF, Partner, Shelf, new_order, skus_and_days
from tests.perf.peers.models import BATCH_TYPE, Answer, PushedOrder

_PARTNER = "select partner_id, cooperative_id, secret from partner where partner_id = $1"
_KNOWN = "select order_id, partner_ref as ref, state from customer_order where partner_id = $1 and partner_ref = $2"
_SHELF = SHELF.format(partner="$1", skus="$2", days="$3", now="$4")
_ORDER = """
insert into customer_order (order_id, cooperative_id, partner_id, partner_ref, revised_at, digest, delivery_day,
    wanted, contact_name, contact_phone, contact_address, state, received_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'placed', $12)
on conflict (partner_id, partner_ref) do nothing returning true
"""
_LINE = """
insert into order_line (order_id, line_no, sku, sold_quantity, price_vnd, state, product_id, offer_id, delivery_day,
    quantity_steps, reason)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
"""
_EVENT = "insert into outbox (event_id, type, payload) values ($1, 'order_placed', $2)"

database = Database(environment.database_url("orders"), connections=10, keeps_sessions=True)


async def push(request: Request) -> Response:
    """Stores one order and answers 202."""
    now = datetime.now(UTC)
    raw = await request.body()
    try:
        partner = await _partner(request.path_params["partner_id"])
        pushed = door.read(partner, request.headers, raw, now)
    except Refused as refused:
        return Response(refused.body, refused.status, media_type="application/json")
    if request.headers.get("content-type") == BATCH_TYPE:
        return Response(status_code=415)
    assert partner is not None, "the door refuses whom it does not know"
    answer = await _take(partner, pushed[0], now)
    return Response(door.answer(request.headers, [answer]), 202, media_type="application/json")


async def _partner(partner_id: str) -> Partner | None:
    try:
        row = await database.pool.fetchrow(_PARTNER, UUID(partner_id))
    except ValueError:
        return None
    return Partner(**row) if row else None


async def _take(partner: Partner, pushed: PushedOrder, now: datetime) -> Answer:
    async with database.transaction() as conn:
        skus, days = skus_and_days([pushed])
        shelf = Shelf(await conn.fetch(_SHELF, partner.partner_id, skus, days, now))
        order = new_order(partner, pushed, shelf, now)
        contact = pushed.contact
        is_new = await conn.fetchval(
            _ORDER,
            order.order_id,
            partner.cooperative_id,
            partner.partner_id,
            pushed.ref,
            pushed.updated_at,
            order.digest,
            pushed.delivery_day,
            order.wanted,
            contact.name,
            contact.phone,
            contact.address,
            now,
        )
        if not is_new:
            known = await conn.fetchrow(_KNOWN, partner.partner_id, pushed.ref)
            assert known is not None, "orders are never deleted"
            return Answer(**known)
        await conn.executemany(
            _LINE,
            [
                (
                    order.order_id,
                    line.line_no,
                    line.sku,
                    line.sold,
                    line.price_vnd,
                    line.state,
                    line.product_id,
                    line.offer_id,
                    pushed.delivery_day,
                    line.steps,
                    line.reason,
                )
                for line in order.lines
            ],
        )
        placed = order.placed()
        await conn.execute(_EVENT, placed.event_id, placed.model_dump_json())
    return Answer(order_id=order.order_id, ref=pushed.ref, state="placed")


async def healthz(_request: Request) -> Response:
    """It serves."""
    return PlainTextResponse("ok")


@contextlib.asynccontextmanager
async def lifespan(_app: Starlette) -> AsyncIterator[None]:
    """The pool."""
    await database.open()
    yield
    await database.close()


app = Starlette(
    routes=[Route(door.PATH, push, methods=["POST"]), Route("/healthz", healthz)],
    lifespan=lifespan,
)

if __name__ == "__main__":
    uvicorn.run(
        app, host="127.0.0.1", port=environment.http_port(), loop="uvloop", log_level="warning", access_log=False
    )
