"""Erasing a person on request (Law 91/2025/QH15): the books stay, and nobody can tell any more who it was.

Quantities, prices, references and states of the orders stay, and so do all totals. Name, phone, address, e-mail and
account go from the customer and from each order, and the digest of each order's push becomes that of the push without
its contact, since a digest could prove a guess. The orders are marked, and a push of theirs that comes later, be it the
same or a newer one, is taken as if it named nobody (`domain.intake.decide`). Who orders anew is a new customer.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from services.chassis import rejected_messages
from services.chassis.access import Principal
from services.chassis.ledger import Connection, Transaction
from services.orders import linking
from services.orders.amqp import topology
from services.orders.domain.customers import Identity, identities_of
from services.orders.domain.traces import names_person
from services.orders.store import campaigns as campaign_store
from services.orders.store import customers as store
from services.orders.store import erasures
from services.orders.store import orders as order_store
from services.orders.store.erasures import Erased
from services.orders.store.partners import lock_partners


async def erase_customer(
    tx: Transaction, cooperative_id: UUID, customer_id: UUID, by: Principal, reason: str, now: datetime
) -> bool:
    """Erases the customer from all orders, also those of which it was not known yet that they are theirs.

    False where there is no such customer. Who was erased before stays so, and nothing is recorded again.
    """
    await store.alone(tx.conn)
    seats = await _lock_campaigns(tx.conn, cooperative_id)
    await linking.link_all_of(tx.conn, cooperative_id)
    still_known = await erasures.is_there(tx.conn, customer_id)
    if not still_known:
        return still_known is not None
    signs = await erasures.list_signs(tx.conn, customer_id)
    order_ids = await erasures.list_order_ids(tx.conn, customer_id)
    await _erase_campaign_orders(tx.conn, seats, order_ids, signs)
    orders = await _erase_orders(tx.conn, order_ids)
    await erasures.erase_customer(tx.conn, customer_id, now)
    await _erase_rejected(tx.conn, cooperative_id, signs)
    await erasures.insert_erasure(tx.conn, Erased(cooperative_id, customer_id, None, orders, reason, by.key_id, now))
    return True


async def erase_contact(
    tx: Transaction, cooperative_id: UUID, order_id: UUID, by: Principal, reason: str, now: datetime
) -> UUID | None:
    """Erases the person from one order of which no customer is known, as where the platform masks all signs.

    An order of a known customer stays as it is, and the customer is returned.
    """
    await store.alone(tx.conn)
    seats = await _lock_campaigns(tx.conn, cooperative_id)
    await linking.link_all_of(tx.conn, cooperative_id)
    customer_id = await erasures.get_customer_of(tx.conn, order_id)
    if customer_id is None:
        await _erase_campaign_orders(tx.conn, seats, [order_id], ())
    if customer_id is None and await _erase_orders(tx.conn, [order_id]):
        await erasures.insert_erasure(tx.conn, Erased(cooperative_id, None, order_id, 1, reason, by.key_id, now))
    return customer_id


async def _lock_campaigns(conn: Connection, cooperative_id: UUID) -> dict[UUID, UUID]:
    """The campaigns of the cooperative with its seat in each; no push changes their orders meanwhile."""
    seats = await campaign_store.list_seats_of(conn, cooperative_id)
    await lock_partners(conn, sorted(seats))
    return seats


async def _erase_campaign_orders(
    conn: Connection, seats: Mapping[UUID, UUID], order_ids: Sequence[UUID], signs: Sequence[Identity]
) -> None:
    """The wholes of these parts, and orders that only wait and have one of the signs."""
    if not seats:
        return
    references = await order_store.list_references(conn, order_ids)
    for campaign_id, wholes in (await campaign_store.list_orders_to_erase(conn, sorted(seats), order_ids)).items():
        of_person = [
            whole.erased()
            for whole in wholes
            if (seats[campaign_id], whole.command.partner_ref) in references
            or (whole.command.contact and set(identities_of(whole.command.contact, seats[campaign_id])) & set(signs))
        ]
        if of_person:
            await campaign_store.save_orders(conn, campaign_id, of_person)


async def _erase_orders(conn: Connection, order_ids: Sequence[UUID]) -> int:
    """Returns how many were not erased before."""
    filed = await order_store.lock_orders(conn, sorted(order_ids))
    digests = [
        (one.order.order_id, one.order.command.without_contact().revision.digest)
        for one in filed
        if one.order.command and not one.order.contact_erased
    ]
    await erasures.erase_contacts(conn, digests)
    return len(digests)


async def _erase_rejected(conn: Connection, cooperative_id: UUID, signs: Sequence[Identity]) -> None:
    """Bodies of faulty pushes that were kept for an operator, and name the person."""
    queues = [f"pushes of {partner_id}" for partner_id in await erasures.list_partner_ids(conn, cooperative_id)]
    kept = await rejected_messages.list_bodies(conn, [*queues, topology.INTAKE])
    await rejected_messages.delete(conn, [number for number, body in kept if names_person(body, signs)])
