"""Taking orders in: any number of pushes of any partners in one transaction, with a fixed number of statements.

Inside the cooperatives' gates no offer closes, so what is decided on open offers is true when it is announced. The
unique reference decides between two transactions that see the same new order: the loser decides again on what won.
"""

from collections.abc import Iterable, Mapping, Sequence, Set
from datetime import date, datetime
from fractions import Fraction
from uuid import UUID

from msgspec import Struct

from services.chassis.ids import uuid7
from services.chassis.ledger import Connection, Transaction
from services.contracts.orders import OrderCancelled, OrderChanged, OrderLine, OrderPlaced, RefusedLine
from services.orders.domain.command import OrderCommand
from services.orders.domain.intake import Books, Decision, Offers, Outcome, decide, decide_again
from services.orders.domain.order import Line, Order
from services.orders.store import books as book_store
from services.orders.store import orders as order_store
from services.orders.store import partners as partner_store
from services.orders.store.order_rows import Filed, Reference
from services.orders.store.partners import Partner

Answer = Decision
"""What a push came to: the order as it stands, what became of the push, and the lines that were too late."""


class Push(Struct, frozen=True):
    """What a partner has proven to say of one order, and when it came."""

    partner: Partner
    command: OrderCommand
    received_at: datetime
    traceparent: str | None = None

    @property
    def reference(self) -> Reference:
        """Which order it means."""
        return self.partner.partner_id, self.command.partner_ref


async def take_orders(tx: Transaction, pushes: Sequence[Push], now: datetime) -> list[Answer]:
    """Applies the pushes in their order and answers each. Announces what changed. Raises DecideAgain.

    The transaction has entered the gates of all their cooperatives.
    """
    references = sorted({push.reference for push in pushes})
    known = await order_store.lock_orders_by_reference(tx.conn, references)
    orders = {filed.reference: filed.order for filed in known}
    new = {reference: Order(uuid7()) for reference in references if reference not in orders}
    orders |= new
    wanted = [(push.partner.partner_id, push.command) for push in pushes]
    books = await _load_books(tx.conn, orders.values(), wanted)
    decisions = []
    for push in pushes:
        decision = decide(orders[push.reference], push.command, books[push.partner.partner_id], now)
        decisions.append(decision)
        orders[push.reference] = decision.order
    await store_decisions(tx, pushes, decisions, orders, set(new))
    return decisions


async def store_decisions(
    tx: Transaction,
    pushes: Sequence[Push],
    decisions: Sequence[Decision],
    orders: Mapping[Reference, Order],
    new: Set[Reference],
) -> None:
    """Stores what the pushes have come to, the `orders` as they are now, and announces what changed.

    Raises DecideAgain where one of the `new` ones was stored meanwhile.
    """
    received = {push.reference: push for push in reversed(pushes)}
    await _save(tx, received, orders, new, decisions)
    for push, decision in zip(pushes, decisions, strict=True):
        announce(tx, push.partner, decision, push.traceparent)


async def load_books(
    conn: Connection,
    orders: Iterable[Order],
    partner_ids: Iterable[UUID],
    skus: Set[tuple[UUID, str]],
    days: Set[date],
) -> dict[UUID, Books]:
    """What decides on pushes of these (partner_id, SKU) and `days` to the orders, by partner."""
    mappings = await partner_store.list_mappings(conn, sorted(skus)) if skus else {}
    bound = {line.offer_id for order in orders for line in order.ordered if line.offer_id}
    products = {mapping.product.product_id for own in mappings.values() for mapping in own.values()}
    offers = Offers.of(
        await book_store.list_offers(conn, sorted(bound), sorted(products), sorted(days)) if bound or products else ()
    )
    return {partner_id: Books(mappings.get(partner_id, {}), offers) for partner_id in partner_ids}


async def _load_books(
    conn: Connection, orders: Iterable[Order], wanted: Sequence[tuple[UUID, OrderCommand]]
) -> dict[UUID, Books]:
    """What decides on these commands of (partner_id), by partner."""
    skus = {(partner_id, line.sku) for partner_id, command in wanted for line in command.lines}
    days = {command.delivery_day for _, command in wanted if command.delivery_day}
    return await load_books(conn, orders, [partner_id for partner_id, _ in wanted], skus, days)


async def _save(
    tx: Transaction,
    first: Mapping[Reference, Push],
    orders: Mapping[Reference, Order],
    new: Set[Reference],
    decisions: Sequence[Decision],
) -> None:
    """Stores the orders, each with its `first` push. Raises DecideAgain where a new one was stored meanwhile."""
    changed = {decision.order.order_id for decision in decisions if decision.outcome is not Outcome.REPEATED}
    known = [order for one, order in orders.items() if one not in new and order.order_id in changed]
    if known:
        await order_store.save_orders(tx.conn, known)
    if new:
        filed = [
            Filed(orders[one], first[one].partner.cooperative_id, first[one].partner.partner_id, first[one].received_at)
            for one in new
        ]
        await order_store.insert_orders(tx.conn, filed)


async def map_skus(
    tx: Transaction, partner: Partner, mappings: Sequence[tuple[str, UUID, Fraction]], now: datetime
) -> int:
    """Stores what SKUs mean and takes in the lines that waited for it; returns the number of orders that changed.

    Holds the gate alone, so that no push that missed the mapping can leave a line behind in the review queue.
    """
    await book_store.hold_gates(tx.conn, [partner.cooperative_id])
    named = [(partner.partner_id, *mapping) for mapping in mappings]
    await partner_store.save_mappings(tx.conn, named)
    skus = [sku for sku, _, _ in mappings]
    waiting = await partner_store.list_orders_waiting_for(tx.conn, partner.partner_id, skus)
    if not waiting:
        return 0
    orders = [filed.order for filed in await order_store.lock_orders(tx.conn, waiting)]
    loaded = await _load_books(tx.conn, orders, [(partner.partner_id, _command(order)) for order in orders])
    decisions = [decide_again(order, loaded[partner.partner_id], now) for order in orders]
    released = [decision for decision in decisions if decision.outcome is Outcome.CHANGED]
    if released:
        await order_store.save_orders(tx.conn, [decision.order for decision in released])
    for decision in released:
        announce(tx, partner, decision)
    return len(released)


def announce(tx: Transaction, partner: Partner, decision: Decision, traceparent: str | None = None) -> None:
    """Appends the event of a decision, if the other services have to know of it."""
    order = decision.order
    if decision.outcome is Outcome.CANCELLED:
        tx.append(partner.cooperative_id, OrderCancelled(order_id=order.order_id), traceparent)
    elif decision.outcome in (Outcome.PLACED, Outcome.CHANGED):
        kind = OrderPlaced if decision.outcome is Outcome.PLACED else OrderChanged
        event = kind(
            order_id=order.order_id,
            partner_id=partner.partner_id,
            partner_ref=_command(order).partner_ref,
            lines=tuple(_ordered(line) for line in order.ordered),
            refused_lines=tuple(_refused(line) for line in order.refused),
            tier=partner.tier,
        )
        tx.append(partner.cooperative_id, event, traceparent)


def _command(order: Order) -> OrderCommand:
    assert order.command is not None, "a decision always leaves the push that it applied"
    return order.command


def _ordered(line: Line) -> OrderLine:
    assert line.offer_id, "an ordered line is bound to an offer"
    assert line.product, "and so to a product"
    return OrderLine(
        line_no=line.line_no,
        offer_id=line.offer_id,
        product_id=line.product.product_id,
        sku=line.sku,
        quantity_steps=line.quantity_steps,
        minimum_steps=line.minimum_steps,
    )


def _refused(line: Line) -> RefusedLine:
    return RefusedLine(line_no=line.line_no, sku=line.sku, reason=line.reason or "refused")
