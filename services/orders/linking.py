"""Finding the customers of orders, right after they were taken in: a push waits for none of it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from datetime import datetime
from itertools import groupby
from uuid import UUID

from services.chassis.ids import uuid7
from services.chassis.ledger import Connection, Transaction
from services.orders.domain.customers import identities_of, plain_text
from services.orders.domain.linking import Customer, Register, ToldOrder
from services.orders.store import customers as store
from services.orders.store.customers import DueOrder, NewCustomer

ORDERS_PER_RUN = 500


async def link_due(tx: Transaction) -> bool:
    """Finds the customers of the oldest orders that wait for it; returns whether there may be more.

    One process at a time: two that saw the same new phone would each make a customer of it.
    """
    if not await store.try_alone(tx.conn):
        return False
    due = await store.take_due(tx.conn, ORDERS_PER_RUN)
    await _link(tx.conn, due)
    return len(due) == ORDERS_PER_RUN


async def link_all_of(conn: Connection, cooperative_id: UUID) -> None:
    """Finds the customers of all orders of the cooperative that wait for it. The caller is `alone`."""
    while due := await store.take_due_of(conn, cooperative_id, ORDERS_PER_RUN):
        await _link(conn, due)


async def _link(conn: Connection, due: Sequence[DueOrder]) -> None:
    if not due:
        return
    told = {one.order_id: _told(one) for one in due}
    wanted = [(one.cooperative_id, sign) for one in due for sign in told[one.order_id].signs]
    corrected = [one for one in due if one.customer_id and told[one.order_id].signs]
    left = {one.customer_id for one in corrected if one.customer_id}
    known = await store.list_known(conn, wanted, left) if wanted else {}
    if left:
        await _rebuild(conn, [one for some in known.values() for one in some if one.customer_id in left], corrected)
    by_cooperative = sorted(due, key=lambda one: (one.cooperative_id, one.received_at, one.order_id))
    new: dict[UUID, tuple[UUID, Customer]] = {}
    changed: list[Customer] = []
    merged: list[tuple[UUID, UUID]] = []
    links: dict[UUID, UUID | None] = {}
    for cooperative_id, group in groupby(by_cooperative, key=lambda one: one.cooperative_id):
        register = Register(known.get(cooperative_id, ()), uuid7)
        links |= _register(register, [told[one.order_id] for one in group])
        new |= {one.customer_id: (cooperative_id, one) for one in register.customers.values() if one.is_new}
        changed += [one for one in register.customers.values() if one.is_changed and not one.is_new and one.told_at]
        merged += [(gone, register.stands_for(gone)) for gone in register.merged]
    moved = [(one, to) for one in due if (to := links[one.order_id]) is not None and to != one.customer_id]
    if merged:
        await store.merge(conn, merged)
    if changed:
        await store.save_customers(conn, changed)
    if new:
        await store.insert_customers(conn, _with_orders(new, moved))
    await store.save_links(conn, moved)
    await _count(conn, moved, new.keys(), {into for _, into in merged})


def _with_orders(
    new: Mapping[UUID, tuple[UUID, Customer]], moved: Sequence[tuple[DueOrder, UUID]]
) -> list[NewCustomer]:
    """The new customers of each (cooperative) with when their orders came."""
    received: defaultdict[UUID, list[datetime]] = defaultdict(list)
    for one, to in moved:
        received[to].append(one.received_at)
    return [NewCustomer(*new[customer_id], received[customer_id]) for customer_id in new]


async def _count(conn: Connection, moved: Sequence[tuple[DueOrder, UUID]], new: Set[UUID], merged: Set[UUID]) -> None:
    """Counts the links that known customers got; all orders only of who lost one, or became one of two."""
    anew = {one.customer_id for one, _ in moved if one.customer_id} | merged
    if added := [(to, one.received_at) for one, to in moved if to not in anew and to not in new]:
        await store.add_orders(conn, added)
    if anew:
        await store.count_orders(conn, anew)


async def _rebuild(conn: Connection, customers: Sequence[Customer], corrected: Sequence[DueOrder]) -> None:
    """Takes back what the corrected orders gave to the customers that they had; an order that stays gives it again."""
    ids = [one.customer_id for one in customers]
    kept: dict[UUID | None, list[ToldOrder]] = defaultdict(list)
    for one in await store.list_kept(conn, ids, [one.order_id for one in corrected]):
        kept[one.customer_id].append(_told(one))
    for customer in customers:
        customer.rebuild(kept[customer.customer_id])
    await store.release_signs(conn, ids)


def _told(one: DueOrder) -> ToldOrder:
    signs = identities_of(one.contact, one.partner_id)
    name, address = plain_text(one.contact.name), plain_text(one.contact.address)
    return ToldOrder(one.order_id, one.received_at, signs, name, address, one.customer_id)


def _register(register: Register, orders: Sequence[ToldOrder]) -> dict[UUID, UUID | None]:
    """By order its customer, or None where nothing tells who it is."""
    found = [(one.order_id, register.link(one) if one.signs else None) for one in orders]
    return {order_id: customer_id and register.stands_for(customer_id) for order_id, customer_id in found}
