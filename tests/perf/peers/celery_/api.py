"""The HTTP intake of `orders`: FastAPI with synchronous endpoints."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

import psycopg
import uvicorn
from fastapi import Depends, FastAPI, Request, Response

from tests.perf.peers import door, environment
from tests.perf.peers.celery_ import database
from tests.perf.peers.celery_.database import Connection
from tests.perf.peers.door import Refused
from tests.perf.peers.intake import SHELF, NewOrder, Partner, Shelf, new_order, skus_and_days
from tests.perf.peers.models import Answer, PushedOrder

_CONNECTIONS = 10
_SHELF = SHELF.format(partner="%(partner)s", skus="%(skus)s", days="%(days)s", now="%(now)s")
_INSERT_ORDER = """
insert into customer_order (order_id, cooperative_id, partner_id, partner_ref, revised_at, digest, delivery_day,
    wanted, contact_name, contact_phone, contact_address, state, received_at)
values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, 'placed', %s)
"""
_INSERT_LINE = """
insert into order_line (order_id, line_no, sku, sold_quantity, price_vnd, state, product_id, offer_id, delivery_day,
    quantity_steps, reason)
values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""

app = FastAPI()


@app.get("/healthz")
def healthz() -> str:
    """It serves."""
    return "ok"


async def body(request: Request) -> bytes:
    """The body as it came, since its signature is over these bytes."""
    return await request.body()


@app.post(door.PATH, status_code=202)
def push(partner_id: UUID, request: Request, raw: Annotated[bytes, Depends(body)]) -> Response:
    """Orders of a partner: one, or a batch."""
    now = datetime.now(UTC)
    while True:
        try:
            with database.pool("orders", _CONNECTIONS).connection() as conn:
                row = conn.execute(
                    "select partner_id, cooperative_id, secret from partner where partner_id = %s", [partner_id]
                ).fetchone()
                partner = Partner(**row) if row else None
                pushed = door.read(partner, request.headers, raw, now)
                assert partner is not None, "the door refuses whom it does not know"
                answers = _take_orders(conn, partner, pushed, now)
            return Response(door.answer(request.headers, answers), 202, media_type="application/json")
        except Refused as refused:
            return Response(refused.body, refused.status, media_type="application/json")
        except psycopg.errors.UniqueViolation:
            continue  # the same references came by another way at the same time


def _take_orders(conn: Connection, partner: Partner, pushed: Sequence[PushedOrder], now: datetime) -> list[Answer]:
    """Stores and announces what is new."""
    rows = conn.execute(
        "select partner_ref as ref, order_id, state from customer_order "
        "where partner_id = %s and partner_ref = any(%s)",
        [partner.partner_id, [order.ref for order in pushed]],
    )
    answers = {row["ref"]: Answer(**row) for row in rows}
    unknown = sorted((order for order in pushed if order.ref not in answers), key=lambda order: order.ref)
    if unknown:
        skus, days = skus_and_days(unknown)
        wanted = {"partner": partner.partner_id, "skus": skus, "days": days, "now": now}
        shelf = Shelf(conn.execute(_SHELF, wanted))
        new = [new_order(partner, order, shelf, now) for order in unknown]
        _insert(conn, new)
        database.send_later(conn, "order_placed", [order.placed() for order in new])
        answers |= {o.pushed.ref: Answer(order_id=o.order_id, ref=o.pushed.ref, state="placed") for o in new}
    return [answers[order.ref] for order in pushed]


def _insert(conn: Connection, orders: Sequence[NewOrder]) -> None:
    database.execute_many(
        conn,
        _INSERT_ORDER,
        [
            (
                order.order_id,
                order.partner.cooperative_id,
                order.partner.partner_id,
                order.pushed.ref,
                order.pushed.updated_at,
                order.digest,
                order.pushed.delivery_day,
                order.wanted,
                order.pushed.contact.name,
                order.pushed.contact.phone,
                order.pushed.contact.address,
                order.received_at,
            )
            for order in orders
        ],
    )
    database.execute_many(
        conn,
        _INSERT_LINE,
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
                order.pushed.delivery_day,
                line.steps,
                line.reason,
            )
            for order in orders
            for line in order.lines
        ],
    )


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=environment.http_port(), log_level="warning", access_log=False)
