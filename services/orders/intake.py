"""Taking orders in: any number of pushes of a partner in one transaction, with a fixed number of statements.

Inside the cooperative's gate no offer closes, so what is decided on open offers is true when it is announced. The
unique reference decides between two transactions that see the same new order: the loser decides again on what won.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from fractions import Fraction
from uuid import UUID

from services.chassis.ids import uuid7
from services.chassis.ledger import Connection, Transaction
from services.contracts.orders import OrderCancelled, OrderChanged, OrderLine, OrderPlaced, RefusedLine
from services.orders.domain.command import OrderCommand
from services.orders.domain.intake import Books, Decision, Outcome, decide, decide_again
from services.orders.domain.order import Line, Order
from services.orders.store import books as book_store
from services.orders.store import orders as order_store
from services.orders.store import partners as partner_store
from services.orders.store.orders import Filed
from services.orders.store.partners import Partner

Answer = Decision
"""What a push came to: the order as it stands, what became of the push, and the lines that were too late."""


async def take_orders(
    tx: Transaction, partner: Partner, commands: Sequence[OrderCommand], now: datetime
) -> list[Answer]:
    """Applies the commands in their order and answers each. Announces what changed."""
    await book_store.enter_gate(tx.conn, partner.cooperative_id)
    answers: dict[int, Answer] = {}
    left = dict(enumerate(commands))
    while left:
        answers |= await _take(tx, partner, left, now)
        left = {index: command for index, command in left.items() if index not in answers}
    return [answers[index] for index in range(len(commands))]


async def _take(
    tx: Transaction, partner: Partner, commands: dict[int, OrderCommand], now: datetime
) -> dict[int, Answer]:
    """Answers all but those whose new order another transaction stored at the same time."""
    refs = sorted({command.partner_ref for command in commands.values()})
    known = await order_store.lock_orders_by_ref(tx.conn, partner.partner_id, refs)
    orders = {_command(filed.order).partner_ref: filed.order for filed in known}
    new = {ref: Order(uuid7()) for ref in refs if ref not in orders}
    orders |= new
    books = await _load_books(tx.conn, partner.partner_id, orders.values(), commands.values())
    decisions: dict[int, Decision] = {}
    for index, command in commands.items():
        decision = decide(orders[command.partner_ref], command, books, now)
        decisions[index], orders[command.partner_ref] = decision, decision.order
    lost = await _save(tx, partner, orders, set(new), decisions, now)
    decided = {index: one for index, one in decisions.items() if commands[index].partner_ref not in lost}
    for decision in decided.values():
        announce(tx, partner, decision)
    return decided


async def _load_books(
    conn: Connection, partner_id: UUID, orders: Iterable[Order], commands: Iterable[OrderCommand]
) -> Books:
    commands = list(commands)
    skus = sorted({line.sku for command in commands for line in command.lines})
    mappings = await partner_store.list_mappings(conn, partner_id, skus) if skus else {}
    bound = {line.offer_id for order in orders for line in order.ordered if line.offer_id}
    products = {mapping.product.product_id for mapping in mappings.values()}
    days = {command.delivery_day for command in commands if command.delivery_day}
    if not bound and not products:
        return Books(mappings, {})
    return Books(mappings, await book_store.list_offers(conn, sorted(bound), sorted(products), sorted(days)))


async def _save(
    tx: Transaction,
    partner: Partner,
    orders: dict[str, Order],
    new: set[str],
    decisions: dict[int, Decision],
    now: datetime,
) -> set[str]:
    """Stores the orders; returns the references of new ones that were taken meanwhile."""
    changed = {d.order.order_id for d in decisions.values() if d.outcome is not Outcome.REPEATED}
    known = [order for ref, order in orders.items() if ref not in new and order.order_id in changed]
    if known:
        await order_store.save_orders(tx.conn, known)
    if not new:
        return set()
    filed = [Filed(orders[ref], partner.cooperative_id, partner.partner_id, now) for ref in new]
    stored = await order_store.insert_orders(tx.conn, filed)
    return {ref for ref in new if orders[ref].order_id not in stored}


async def map_skus(
    tx: Transaction, partner: Partner, mappings: Sequence[tuple[str, UUID, Fraction]], now: datetime
) -> int:
    """Stores what SKUs mean and takes in the lines that waited for it; returns the number of orders that changed.

    Holds the gate alone, so that no push that missed the mapping can leave a line behind in the review queue.
    """
    await book_store.hold_gates(tx.conn, [partner.cooperative_id])
    await partner_store.save_mappings(tx.conn, partner.partner_id, mappings)
    skus = [sku for sku, _, _ in mappings]
    waiting = await partner_store.list_orders_waiting_for(tx.conn, partner.partner_id, skus)
    if not waiting:
        return 0
    orders = [filed.order for filed in await order_store.lock_orders(tx.conn, waiting)]
    books = await _load_books(tx.conn, partner.partner_id, orders, [_command(order) for order in orders])
    decisions = [decide_again(order, books, now) for order in orders]
    released = [decision for decision in decisions if decision.outcome is Outcome.CHANGED]
    if released:
        await order_store.save_orders(tx.conn, [decision.order for decision in released])
    for decision in released:
        announce(tx, partner, decision)
    return len(released)


def announce(tx: Transaction, partner: Partner, decision: Decision) -> None:
    """Appends the event of a decision, if the other services have to know of it."""
    order = decision.order
    if decision.outcome is Outcome.CANCELLED:
        tx.append(partner.cooperative_id, OrderCancelled(order_id=order.order_id))
    elif decision.outcome in (Outcome.PLACED, Outcome.CHANGED):
        kind = OrderPlaced if decision.outcome is Outcome.PLACED else OrderChanged
        event = kind(
            order_id=order.order_id,
            partner_id=partner.partner_id,
            partner_ref=_command(order).partner_ref,
            lines=tuple(_ordered(line) for line in order.ordered),
            refused_lines=tuple(_refused(line) for line in order.refused),
        )
        tx.append(partner.cooperative_id, event)


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
    )


def _refused(line: Line) -> RefusedLine:
    return RefusedLine(line_no=line.line_no, sku=line.sku, reason=line.reason or "refused")
