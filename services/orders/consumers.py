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
from services.orders.domain.order import OrderState
from services.orders.domain.promised import OrderPromise
from services.orders.metrics import OrderMetrics
from services.orders.store import books
from services.orders.store import promises as promise_store
from services.orders.store.promises import FiledPromise
from services.orders.waiting import PromiseBoard

log = logging.getLogger(__name__)

Said = allocation.OrderPromised | allocation.OrderShorted | allocation.OrderDelivered
"""What `allocation` says of an order."""


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
        allocation.OrderDelivered: promises,
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
    events: Sequence[Received[Said]],
    board: PromiseBoard,
    metrics: OrderMetrics,
    now: datetime,
) -> None:
    """Brings what `allocation` says to the orders, and wakes the requests that wait for it.

    A promise for an order that is not here means that these books were restored from a time before it. Nobody can
    deliver what nobody can name: it is cancelled, so that its goods are free when the partner pushes it again.
    """
    known = await promise_store.lock_promises(tx.conn, sorted({received.event.order_id for received in events}))
    unknown: dict[UUID, UUID] = {}
    for received in events:
        filed = known.get(received.event.order_id)
        if filed:
            _tell(filed.promise, received.event)
        elif isinstance(received.event, allocation.OrderPromised) and _holds_goods(received.event):
            unknown[received.event.order_id] = received.stream
    for order_id, stream in unknown.items():
        log.error("a promise for an order that is not in the books; cancelled", extra={"order": str(order_id)})
        tx.append(stream, OrderCancelled(order_id=order_id))
    told = [(filed, filed.promise.state) for filed in known.values()]
    first = [filed for filed, state in told if filed.is_first(state)]
    await promise_store.save_promises(tx.conn, told, now)
    decided = [filed.promise.order_id for filed, state in told if state is not OrderState.PLACED]
    tx.after_commit(lambda: board.wake(decided))
    tx.after_commit(lambda: _observe(metrics, first, now))


def _holds_goods(event: allocation.OrderPromised) -> bool:
    return any(line.promised_steps > line.shorted_steps or line.short_steps > 0 for line in event.lines)


def _tell(promise: OrderPromise, event: Said) -> None:
    """What was taken back of a promise is short."""
    if isinstance(event, allocation.OrderShorted):
        for lost in event.lines:
            promise.take_back(lost.line_no, lost.offer_id, lost.after_steps, lost.reason)
        return
    if isinstance(event, allocation.OrderDelivered):
        for brought in event.lines:
            promise.deliver(brought.line_no, brought.offer_id)
        return
    for line in event.lines:
        coming, short = line.promised_steps - line.shorted_steps, line.short_steps + line.shorted_steps
        promise.give(line.line_no, line.offer_id, coming, short, line.reason)


def _observe(metrics: OrderMetrics, filed: Iterable[FiledPromise], now: datetime) -> None:
    for one in filed:
        metrics.push_to_promise.observe((now - one.received_at).total_seconds())
