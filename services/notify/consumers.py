"""What notify does on which event: it learns names, and writes down notices and messages. Sending is the jobs' work.

Each is written in the transaction that applies its event, so it can neither be lost nor exist twice.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from services.chassis.access import follow_keys
from services.chassis.inbox import Handler, Received
from services.chassis.lanes import place_streams
from services.chassis.ledger import Transaction
from services.contracts.allocation import (
    BasketAssigned,
    BasketChanged,
    BasketConfirmed,
    OrderDelivered,
    OrderPromised,
    OrderShorted,
)
from services.contracts.base import Event
from services.contracts.catalog import (
    AccessKeyIssued,
    AccessKeyRevoked,
    CooperativeChanged,
    CooperativeRegistered,
    HouseholdChanged,
    HouseholdRegistered,
    ProductListed,
)
from services.contracts.orders import OrderCancelled, OrderChanged, OrderPlaced
from services.notify import announce
from services.notify.clock import Clock
from services.notify.domain import facts, notices, partner_messages
from services.notify.domain.facts import Goods
from services.notify.domain.notices import EMAIL, Notice
from services.notify.domain.partner_messages import ENDPOINT_IS_DISABLED, PartnerMessage
from services.notify.domain.replies import CurrentBasket
from services.notify.metrics import NoticeMetrics
from services.notify.store import baskets, books, contacts, endpoints
from services.notify.store import notices as store
from services.notify.store import partner_messages as messages

log = logging.getLogger(__name__)

Basket = BasketAssigned | BasketChanged
AnyBasket = Basket | BasketConfirmed
Order = OrderPlaced | OrderChanged
Promise = OrderPromised | OrderShorted | OrderDelivered


@dataclass(frozen=True, slots=True)
class Consumers:
    """The handlers, with what they need besides the events."""

    shared_lanes: int
    clock: Clock
    metrics: NoticeMetrics

    def handlers(self) -> dict[type[Event], Handler]:
        """Every event that notify acts on."""
        return {
            AccessKeyIssued: follow_keys,
            AccessKeyRevoked: follow_keys,
            CooperativeRegistered: self.on_cooperatives,
            CooperativeChanged: self.on_cooperatives,
            HouseholdRegistered: self.on_households,
            HouseholdChanged: self.on_households,
            ProductListed: self.on_products,
            OrderPlaced: self.on_orders,
            OrderChanged: self.on_orders,
            OrderCancelled: self.on_cancelled,
            BasketAssigned: self.on_baskets,
            BasketChanged: self.on_baskets,
            BasketConfirmed: self.on_confirmed,
            OrderPromised: self.on_promises,
            OrderShorted: self.on_promises,
            OrderDelivered: self.on_promises,
        }

    async def on_cooperatives(
        self, tx: Transaction, received: Sequence[Received[CooperativeRegistered | CooperativeChanged]]
    ) -> None:
        """Names, zones, collection points, and the lane on which the cooperative lives."""
        last = {r.stream: r.event for r in received}
        await books.save_cooperatives(tx.conn, {s: books.Cooperative(c.name, c.timezone) for s, c in last.items()})
        points = {p.collection_point_id: p.name for c in last.values() for p in c.collection_points}
        await books.save_collection_points(tx.conn, points)
        await place_streams(tx, {stream: event.lane for stream, event in last.items()}, self.shared_lanes)

    async def on_households(
        self, tx: Transaction, received: Sequence[Received[HouseholdRegistered | HouseholdChanged]]
    ) -> None:
        """Whose contact may be written down, and by whom."""
        await books.save_households(tx.conn, {r.event.household_id: (r.stream, r.event.code) for r in received})

    async def on_products(self, tx: Transaction, received: Sequence[Received[ProductListed]]) -> None:
        """How goods are named and measured."""
        listed = [r.event for r in received]
        await books.save_products(tx.conn, {p.product_id: Goods(p.name, p.unit, p.step_milliunits) for p in listed})

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

    async def on_baskets(self, tx: Transaction, received: Sequence[Received[Basket]]) -> None:
        """One notice per household and change; a household without a contact is for a person to tell."""
        contents = await _contents(tx, received)
        await _keep(tx, received, contents)
        households = {r.event.household_id for r in received}
        await contacts.share_households(tx.conn, households)
        reachable = await contacts.list_reachable(tx.conn, households)
        made = [_basket_notice(r, content) for r, content in zip(received, contents, strict=True)]
        waiting = [n for n in made if n.household_id in reachable]
        await store.insert_basket_notices(tx.conn, waiting, EMAIL, self.clock())
        mute = [n for n in made if n.household_id not in reachable]
        told_nobody = await store.insert_basket_notices(tx.conn, mute, EMAIL, self.clock(), undeliverable="no_contact")
        for notice in (n for n in mute if n.notice_id in told_nobody):
            event = announce.undeliverable(notice, notices.NO_CHANNEL, "no_contact")
            tx.append(notice.cooperative_id, event, notice.traceparent)
        tx.after_commit(lambda: self.metrics.settled.labels(notices.BASKET, "undeliverable").inc(len(told_nobody)))

    async def on_confirmed(self, tx: Transaction, received: Sequence[Received[BasketConfirmed]]) -> None:
        """The page shows it; nobody is written to about what the household itself has said or let pass."""
        await _keep(tx, received, await _contents(tx, received))

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


async def _contents(tx: Transaction, received: Sequence[Received[AnyBasket]]) -> list[facts.BasketFacts]:
    """What each of these baskets says, by the names that things have now."""
    items = [item for r in received for item in r.event.items]
    cooperatives = await books.list_cooperatives(tx.conn, {r.stream for r in received})
    goods = await books.list_products(tx.conn, {item.product_id for item in items})
    points = await books.list_collection_points(tx.conn, {item.collection_point_id for item in items})
    return [_content(r.event, cooperatives[r.stream], goods, points) for r in received]


def _content(
    basket: AnyBasket, cooperative: books.Cooperative, goods: Mapping[UUID, Goods], points: Mapping[UUID, str]
) -> facts.BasketFacts:
    items = tuple(
        facts.BasketItem(
            item.product_id,
            goods[item.product_id],
            item.quantity_steps,
            points[item.collection_point_id],
            item.arrive_by_at,
            item.offer_id,
            item.confirmed_steps,
            item.why_vi,
            item.why_en,
        )
        for item in basket.items
    )
    return facts.BasketFacts(
        cooperative.name,
        cooperative.timezone,
        basket.delivery_day,
        items,
        basket.reply_by_at,
        basket.empty_reason,
        basket.reply_minutes,
    )


async def _keep(
    tx: Transaction, received: Sequence[Received[AnyBasket]], contents: Sequence[facts.BasketFacts]
) -> None:
    """From here on the page shows these."""
    await baskets.save_baskets(
        tx.conn,
        [
            CurrentBasket(
                r.event.household_id,
                r.stream,
                r.event.version,
                r.sequence,
                content,
                r.event.by if isinstance(r.event, BasketConfirmed) else None,
            )
            for r, content in zip(received, contents, strict=True)
        ],
    )


def _basket_notice(r: Received[Basket], content: facts.BasketFacts) -> Notice:
    return Notice(
        r.id, r.stream, notices.BASKET, content, r.time, r.traceparent,
        household_id=r.event.household_id, delivery_day=r.event.delivery_day, version=r.event.version,
    )  # fmt: skip


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
