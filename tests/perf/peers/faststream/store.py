"""The statements of `orders` in the plain pipeline."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from tests.perf.peers.database import Connection, Database
from tests.perf.peers.faststream import mailbox
from tests.perf.peers.intake import SHELF, NewOrder, Partner, Shelf, new_order, skus_and_days
from tests.perf.peers.models import Answer, OrderPromised, PushedOrder

_SHELF = SHELF.format(partner="$1", skus="$2", days="$3", now="$4")
_INSERT_ORDER = """
insert into customer_order (order_id, cooperative_id, partner_id, partner_ref, revised_at, digest, delivery_day,
    wanted, contact_name, contact_phone, contact_address, state, received_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'placed', $12)
"""
_INSERT_LINE = """
insert into order_line (order_id, line_no, sku, sold_quantity, price_vnd, state, product_id, offer_id, delivery_day,
    quantity_steps, reason)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
"""


async def get_partner(database: Database, partner_id: UUID) -> Partner | None:
    """Who pushes, with its secret."""
    row = await database.pool.fetchrow(
        "select partner_id, cooperative_id, secret from partner where partner_id = $1", partner_id
    )
    return Partner(**row) if row else None


async def take_orders(conn: Connection, partner: Partner, pushed: Sequence[PushedOrder], now: datetime) -> list[Answer]:
    """Stores and announces what is new. asyncpg.UniqueViolationError where another push was faster."""
    refs = sorted(order.ref for order in pushed)
    rows = await conn.fetch(
        "select partner_ref, order_id, state from customer_order where partner_id = $1 and partner_ref = any($2)",
        partner.partner_id,
        refs,
    )
    answers = {
        row["partner_ref"]: Answer(order_id=row["order_id"], ref=row["partner_ref"], state=row["state"]) for row in rows
    }
    unknown = sorted((order for order in pushed if order.ref not in answers), key=lambda order: order.ref)
    if unknown:
        skus, days = skus_and_days(unknown)
        shelf = Shelf(await conn.fetch(_SHELF, partner.partner_id, skus, days, now))
        new = [new_order(partner, order, shelf, now) for order in unknown]
        await _insert(conn, new)
        await mailbox.send_later(conn, "order_placed", [order.placed() for order in new])
        answers |= {o.pushed.ref: Answer(order_id=o.order_id, ref=o.pushed.ref, state="placed") for o in new}
    return [answers[order.ref] for order in pushed]


async def _insert(conn: Connection, orders: Sequence[NewOrder]) -> None:
    await conn.executemany(
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
    await conn.executemany(
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


async def apply_promise(conn: Connection, event: OrderPromised) -> None:
    """Moves the order on. Its row is locked first, then its lines are told."""
    await conn.execute(
        "update customer_order set state = $2, promised_at = coalesce(promised_at, now()) where order_id = $1",
        event.order_id,
        event.state,
    )
    await conn.executemany(
        "update order_line set promised_steps = $3, short_steps = $4, reason = $5 where order_id = $1 and line_no = $2",
        [(event.order_id, line.line_no, line.promised_steps, line.short_steps, line.reason) for line in event.lines],
    )
