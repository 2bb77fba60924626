"""Customers as they are erased: what is theirs, what becomes of it, and what is kept of that. See `customers.alone`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.chassis.ledger import Connection
from services.orders.domain.customers import Identity
from services.orders.store.customers import release_signs


@dataclass(frozen=True, slots=True)
class Erased:
    """What was erased, of whom, and on whose word; `customer_id` or `order_id` stands."""

    cooperative_id: UUID
    customer_id: UUID | None
    order_id: UUID | None
    orders: int
    reason: str
    key_id: UUID
    erased_at: datetime


async def is_there(conn: Connection, customer_id: UUID) -> bool | None:
    """Whether the customer is known by name still; False once erased, None where there is no such customer."""
    found: bool | None = await conn.fetchval(
        "select erased_at is null from customer where customer_id = $1", customer_id
    )
    return found


async def list_signs(conn: Connection, customer_id: UUID) -> list[Identity]:
    """All signs of the customer."""
    rows = await conn.fetch("select kind, value from customer_identity where customer_id = $1", customer_id)
    return [Identity(row["kind"], row["value"]) for row in rows]


async def get_customer_of(conn: Connection, order_id: UUID) -> UUID | None:
    """The customer of an order, if it is known."""
    found: UUID | None = await conn.fetchval("select customer_id from order_customer where order_id = $1", order_id)
    return found


async def list_order_ids(conn: Connection, customer_id: UUID) -> list[UUID]:
    """The customer's orders."""
    rows = await conn.fetch("select order_id from order_customer where customer_id = $1", customer_id)
    return [row["order_id"] for row in rows]


async def erase_contacts(conn: Connection, digests: Sequence[tuple[UUID, str]]) -> None:
    """(order, digest of its push without the contact): from these orders the person is gone for good."""
    await conn.execute(
        "update customer_order o set contact_name = null, contact_phone = null, contact_address = null, "
        "  contact_email = null, contact_platform_id = null, contact_erased = true, digest = x.digest "
        "from unnest($1::uuid[], $2::text[]) as x (order_id, digest) where o.order_id = x.order_id",
        [order_id for order_id, _ in digests],
        [digest for _, digest in digests],
    )
    await conn.execute("delete from contact_due where order_id = any($1)", [order_id for order_id, _ in digests])


async def erase_customer(conn: Connection, customer_id: UUID, now: datetime) -> None:
    """The customer has no name and no sign any more."""
    await release_signs(conn, [customer_id])
    await conn.execute(
        "update customer set name = null, address = null, erased_at = $2 where customer_id = $1", customer_id, now
    )


async def insert_erasure(conn: Connection, erased: Erased) -> None:
    """What is kept of an erasure."""
    await conn.execute(
        "insert into erasure (cooperative_id, customer_id, order_id, orders, reason, key_id, erased_at) "
        "values ($1, $2, $3, $4, $5, $6, $7)",
        erased.cooperative_id,
        erased.customer_id,
        erased.order_id,
        erased.orders,
        erased.reason,
        erased.key_id,
        erased.erased_at,
    )


async def list_partner_ids(conn: Connection, cooperative_id: UUID) -> list[UUID]:
    """The partners of a cooperative, and the campaigns in which it has a seat."""
    rows = await conn.fetch(
        "select partner_id from partner where cooperative_id = $1 "
        "union select campaign_id from partner where cooperative_id = $1 and campaign_id is not null",
        cooperative_id,
    )
    return [row["partner_id"] for row in rows]
