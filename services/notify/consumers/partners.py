"""What partners are told about their orders, as messages that are written down. Sending them is the jobs' work."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from services.chassis.inbox import Received
from services.chassis.ledger import Transaction
from services.contracts.allocation import OrderDelivered, OrderPromised, OrderShorted
from services.contracts.orders import OrderCancelled, OrderChanged, OrderPlaced
from services.notify import announce
from services.notify.clock import Clock
from services.notify.domain import facts, partner_messages
from services.notify.domain.partner_messages import ENDPOINT_IS_DISABLED, PartnerMessage
from services.notify.metrics import NoticeMetrics
from services.notify.store import books, endpoints
from services.notify.store import partner_messages as messages

log = logging.getLogger(__name__)

Order = OrderPlaced | OrderChanged
Promise = OrderPromised | OrderShorted | OrderDelivered


@dataclass(frozen=True, slots=True)
class Partners:
    """For the partners that have an endpoint."""

    clock: Clock
    metrics: NoticeMetrics

    async def on_orders(self, tx: Transaction, received: Sequence[Received[Order]]) -> None:
        """Whose order it is, and what stands behind its lines."""
        orders: dict[UUID, books.PlacedOrder] = {}
        for order in (r.event for r in received):
            lines = {(line.line_no, line.offer_id): (line.sku, line.product_id) for line in order.lines}
            before = orders[order.order_id].lines if order.order_id in orders else {}
            orders[order.order_id] = books.PlacedOrder(
                order.partner_id, order.partner_ref, _refused(order), {**before, **lines}
            )
        await books.save_orders(tx.conn, orders)

    async def on_cancelled(self, tx: Transaction, received: Sequence[Received[OrderCancelled]]) -> None:
        """The partner is told once. It follows all that was said about the order so far."""
        new = await books.save_cancelled(tx.conn, {r.event.order_id for r in received})
        orders = await books.list_orders(tx.conn, new)
        first = {r.event.order_id: r for r in reversed(received) if r.event.order_id in orders}
        wanted = await endpoints.list_whether_open(
            tx.conn, {(r.stream, orders[order_id].partner_id) for order_id, r in first.items()}
        )
        last = await messages.last_sequences(tx.conn, first)
        made = [
            _cancellation(r, orders[order_id], last.get(order_id, 0))
            for order_id, r in first.items()
            if (r.stream, orders[order_id].partner_id) in wanted
        ]
        await self._write_down(tx, made, wanted)

    async def on_promises(self, tx: Transaction, received: Sequence[Received[Promise]]) -> None:
        """One message per promise, shortage and delivery, for the partners that have an endpoint.

        Causes come first, so an order or a line that is not here is one that `orders` has lost by a restore; nobody
        could name it to the partner, who pushes it again and is told then. What comes for a cancelled order was decided
        before it was cancelled.
        """
        orders = await books.list_orders(tx.conn, {r.event.order_id for r in received})
        named = [r for r in received if _can_be_named(r.event, orders)]
        for order_id in {r.event.order_id for r in received} - {r.event.order_id for r in named}:
            log.error("a promise for what orders has lost; nobody is told", extra={"order": str(order_id)})
        partners = {(r.stream, orders[r.event.order_id].partner_id) for r in named}
        wanted = await endpoints.list_whether_open(tx.conn, partners)
        told = {order_id for order_id, order in orders.items() if order.told}
        made: list[PartnerMessage] = []
        for r in named:
            order = orders[r.event.order_id]
            if (r.stream, order.partner_id) in wanted and not order.cancelled:
                made.append(_partner_message(r, order, again=r.event.order_id in told))
                told.add(r.event.order_id)
        await self._write_down(tx, made, wanted)

    async def _write_down(
        self, tx: Transaction, made: Sequence[PartnerMessage], wanted: Mapping[endpoints.Key, bool]
    ) -> None:
        """What a disabled endpoint misses is undeliverable at once, so that it is listed and can be resent."""
        missed = [m for m in made if not wanted[m.cooperative_id, m.partner_id]]
        refused = {m.message_id: ENDPOINT_IS_DISABLED for m in missed}
        await messages.insert_messages(tx.conn, made, self.clock(), refused)
        for message in missed:
            event = announce.partner_not_told(message, ENDPOINT_IS_DISABLED)
            tx.append(message.cooperative_id, event, message.traceparent)
            tx.after_commit(self.metrics.settled.labels(message.kind, "undeliverable").inc)


def _can_be_named(event: Promise, orders: Mapping[UUID, books.Order]) -> bool:
    order = orders.get(event.order_id)
    return order is not None and all((line.line_no, line.offer_id) in order.lines for line in event.lines)


def _refused(order: Order) -> tuple[facts.RefusedLine, ...]:
    return tuple(facts.RefusedLine(line.line_no, line.sku, line.reason) for line in order.refused_lines)


def _cancellation(r: Received[OrderCancelled], order: books.Order, place: int) -> PartnerMessage:
    content = facts.CancellationFacts(r.event.order_id, order.partner_ref)
    return PartnerMessage(
        r.id, r.stream, order.partner_id, r.event.order_id, partner_messages.ORDER_CANCELLED, place, content, r.time,
        r.traceparent,
    )  # fmt: skip


def _partner_message(r: Received[Promise], order: books.Order, again: bool) -> PartnerMessage:
    """`again`: the partner has been told something about the order before."""
    event = r.event
    content: facts.PartnerFacts
    if isinstance(event, OrderPromised):
        kind = partner_messages.ORDER_CHANGED if again else partner_messages.ORDER_PROMISED
        content = _promise(event, order, r.sequence)
    elif isinstance(event, OrderDelivered):
        kind, content = partner_messages.ORDER_DELIVERED, _delivery(event, order, r.sequence)
    else:
        kind, content = partner_messages.ORDER_SHORTED, _shortage(event, order, r.sequence)
    return PartnerMessage(
        r.id, r.stream, order.partner_id, event.order_id, kind, r.sequence, content, r.time, r.traceparent
    )


def _promise(event: OrderPromised, order: books.Order, sequence: int) -> facts.PromiseFacts:
    return facts.PromiseFacts(
        event.order_id,
        order.partner_ref,
        sequence,
        tuple(
            facts.PromisedLine(
                line.line_no,
                order.lines[line.line_no, line.offer_id].sku,
                order.lines[line.line_no, line.offer_id].goods,
                line.ordered_steps,
                line.promised_steps,
                line.short_steps,
                line.cancelled_steps,
                line.shorted_steps,
                line.reason,
            )
            for line in event.lines
        ),
        order.refused_lines,
    )


def _shortage(event: OrderShorted, order: books.Order, sequence: int) -> facts.ShortageFacts:
    return facts.ShortageFacts(
        event.order_id,
        order.partner_ref,
        sequence,
        tuple(
            facts.ShortedLine(
                line.line_no,
                order.lines[line.line_no, line.offer_id].sku,
                order.lines[line.line_no, line.offer_id].goods,
                line.before_steps,
                line.after_steps,
                line.reason,
            )
            for line in event.lines
        ),
    )


def _delivery(event: OrderDelivered, order: books.Order, sequence: int) -> facts.DeliveryFacts:
    return facts.DeliveryFacts(
        event.order_id,
        order.partner_ref,
        sequence,
        event.delivery_day,
        tuple(
            facts.DeliveredLine(
                line.line_no,
                order.lines[line.line_no, line.offer_id].sku,
                order.lines[line.line_no, line.offer_id].goods,
                line.delivered_steps,
            )
            for line in event.lines
        ),
    )
