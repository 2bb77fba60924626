"""What happens on which event: catalog's books are kept, promises reach their orders and whoever waits for them."""

import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from services.chassis.access import follow_keys
from services.chassis.inbox import Handler, Received
from services.chassis.lanes import place_streams
from services.chassis.ledger import Transaction
from services.contracts import allocation, catalog
from services.contracts.base import Event
from services.contracts.orders import OrderCancelled
from services.orders import closing
from services.orders.domain.order import (
    LineLoss,
    LinePromise,
    Order,
    OrderState,
    apply_losses,
    apply_promise,
)
from services.orders.metrics import OrderMetrics
from services.orders.store import books
from services.orders.store import orders as order_store
from services.orders.store.orders import Filed
from services.orders.waiting import PromiseBoard

log = logging.getLogger(__name__)


def handlers(
    board: PromiseBoard, metrics: OrderMetrics, shared_lanes: int, clock: Callable[[], datetime]
) -> dict[type[Event], Handler]:
    """The handlers by event. `clock` says when a promise was applied; no decision depends on it."""

    async def cooperatives(tx: Transaction, events: Sequence[Received[Any]]) -> None:
        await books.save_cooperatives(tx.conn, [received.event for received in events])
        await place_streams(tx, {received.stream: received.event.lane for received in events}, shared_lanes)

    async def promises(tx: Transaction, events: Sequence[Received[Any]]) -> None:
        await apply_promises(tx, events, board, metrics, clock())

    return {
        catalog.CooperativeRegistered: cooperatives,
        catalog.CooperativeChanged: cooperatives,
        catalog.ProductListed: on_products,
        catalog.OfferPublished: on_offers,
        catalog.OfferChanged: on_offers,
        catalog.OfferWithdrawn: on_withdrawals,
        catalog.AccessKeyIssued: follow_keys,
        catalog.AccessKeyRevoked: follow_keys,
        allocation.OrderPromised: promises,
        allocation.OrderShorted: promises,
    }


async def on_products(tx: Transaction, events: Sequence[Received[catalog.ProductListed]]) -> None:
    """Products of a cooperative, or their new state."""
    await books.save_products(tx.conn, [(received.stream, received.event) for received in events])


async def on_offers(tx: Transaction, events: Sequence[Received[catalog.OfferPublished | catalog.OfferChanged]]) -> None:
    """An offer opens when it is published; a change does not open it again."""
    await books.save_offers(tx.conn, [(received.stream, received.event) for received in events])


async def on_withdrawals(tx: Transaction, events: Sequence[Received[catalog.OfferWithdrawn]]) -> None:
    """A withdrawn offer closes as at a cut-off."""
    await closing.withdraw(tx, [(received.stream, received.event.offer_id) for received in events])


async def apply_promises(
    tx: Transaction,
    events: Sequence[Received[allocation.OrderPromised | allocation.OrderShorted]],
    board: PromiseBoard,
    metrics: OrderMetrics,
    now: datetime,
) -> None:
    """Brings what `allocation` says to the orders, and wakes the requests that wait for it.

    A promise for an order that is not here means that these books were restored from a time before it. Nobody can
    deliver what nobody can name: it is cancelled, so that its goods are free when the partner pushes it again.
    """
    filed = await order_store.lock_orders(tx.conn, sorted({received.event.order_id for received in events}))
    before = {one.order.order_id: one for one in filed}
    orders = {order_id: one.order for order_id, one in before.items()}
    unknown: dict[UUID, UUID] = {}
    for received in events:
        order_id = received.event.order_id
        if order_id in orders:
            orders[order_id] = _told(orders[order_id], received.event)
        elif isinstance(received.event, allocation.OrderPromised) and _holds_goods(received.event):
            unknown[order_id] = received.stream
    for order_id, stream in unknown.items():
        log.error("a promise for an order that is not in the books; cancelled", extra={"order": str(order_id)})
        tx.append(stream, OrderCancelled(order_id=order_id))
    first = [before[order_id] for order_id, order in orders.items() if _is_first(before[order_id], order)]
    promised_now = {one.order.order_id for one in first}
    moments = [now if order_id in promised_now else None for order_id in orders]
    if orders:
        await order_store.save_promises(tx.conn, list(orders.values()), moments)
    decided = [order_id for order_id, order in orders.items() if order.state is not OrderState.PLACED]
    tx.after_commit(lambda: board.wake(decided))
    tx.after_commit(lambda: _observe(metrics, first, now))


def _holds_goods(event: allocation.OrderPromised) -> bool:
    return any(line.promised_steps > line.shorted_steps or line.short_steps > 0 for line in event.lines)


def _told(order: Order, event: allocation.OrderPromised | allocation.OrderShorted) -> Order:
    if isinstance(event, allocation.OrderShorted):
        losses = (LineLoss(line.line_no, line.offer_id, line.after_steps, line.reason) for line in event.lines)
        return apply_losses(order, losses)
    return apply_promise(order, (_promise(line) for line in event.lines))


def _promise(line: allocation.PromisedLine) -> LinePromise:
    """What was taken back of a promise is short."""
    return LinePromise(
        line.line_no,
        line.offer_id,
        line.promised_steps - line.shorted_steps,
        line.short_steps + line.shorted_steps,
        line.reason,
    )


def _is_first(before: Filed, order: Order) -> bool:
    """Whether the order has its first whole promise now; what was cancelled while it waited never gets one."""
    return before.promised_at is None and order.state not in (OrderState.PLACED, OrderState.CANCELLED)


def _observe(metrics: OrderMetrics, filed: Iterable[Filed], now: datetime) -> None:
    for one in filed:
        metrics.push_to_promise.observe((now - one.received_at).total_seconds())
