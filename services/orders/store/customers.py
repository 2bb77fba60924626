"""Customers as they are found. One transaction at a time finds or erases any, in all processes: see `alone`.

Order of locks: `alone`, then orders by their ids, then what is due. Pushes know nothing of customers and wait for none
of this, except where they correct the contact of an order that is being linked or erased just now.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
from msgspec import Struct

from services.chassis.ledger import Connection
from services.orders.domain.command import Contact
from services.orders.domain.customers import Identity
from services.orders.domain.linking import Customer

_ALONE = 0x6B6863_68616E67  # any constant of our own

_TOLD = (
    "select o.order_id, o.cooperative_id, o.partner_id, o.received_at, c.customer_id, o.contact_name, o.contact_phone, "
    "o.contact_address, o.contact_email, o.contact_platform_id "
    "from customer_order o left join order_customer c using (order_id) "
)

_CUSTOMER_COLUMNS = (
    "customer_id", "cooperative_id", "name", "address", "orders", "first_order_at", "last_order_at",
)  # fmt: skip
_SIGN_COLUMNS = ("cooperative_id", "kind", "value", "customer_id")


class DueOrder(Struct, frozen=True):
    """What an order tells. Where its customer is still to be found, `customer_id` is the one it had before."""

    order_id: UUID
    cooperative_id: UUID
    partner_id: UUID
    received_at: datetime
    customer_id: UUID | None
    contact: Contact


class NewCustomer(Struct, frozen=True):
    """A customer that was not known, with when its orders came."""

    cooperative_id: UUID
    customer: Customer
    received: Sequence[datetime]


async def try_alone(conn: Connection) -> bool:
    """Whether from here to the end of the transaction nobody else links or erases; does not wait for it."""
    mine: bool = await conn.fetchval("select pg_try_advisory_xact_lock($1)", _ALONE)
    return mine


async def alone(conn: Connection) -> None:
    """Waits until nobody else links or erases, to the end of the transaction."""
    await conn.execute("select pg_advisory_xact_lock($1)", _ALONE)


async def is_any_due(conn: Connection) -> bool:
    """Whether the customer of some order is to be found."""
    found: bool = await conn.fetchval("select exists (select from contact_due)")
    return found


async def take_due(conn: Connection, limit: int) -> list[DueOrder]:
    """The oldest orders whose customer is to be found, which are no more due; those that a push corrects come later."""
    rows = await conn.fetch(
        "delete from contact_due where order_id = any(array("
        "  select order_id from contact_due order by order_id limit $1 for update skip locked)) returning order_id",
        limit,
    )
    return await _list_told(conn, [row["order_id"] for row in rows])


async def take_due_of(conn: Connection, cooperative_id: UUID, limit: int) -> list[DueOrder]:
    """The same of one cooperative, waiting for pushes that hold some."""
    rows = await conn.fetch(
        "select o.order_id from contact_due join customer_order o using (order_id) where o.cooperative_id = $2 "
        "order by o.order_id limit $1 for no key update of o",
        limit,
        cooperative_id,
    )
    order_ids = [row["order_id"] for row in rows]
    await conn.execute("delete from contact_due where order_id = any($1)", order_ids)
    return await _list_told(conn, order_ids)


async def _list_told(conn: Connection, order_ids: Sequence[UUID]) -> list[DueOrder]:
    """What the orders tell now, by a statement of its own, since what was committed while it was waited for counts."""
    if not order_ids:
        return []
    return [_due(row) for row in await conn.fetch(_TOLD + "where o.order_id = any($1) order by o.order_id", order_ids)]


def _due(row: asyncpg.Record) -> DueOrder:
    order_id, cooperative_id, partner_id, received_at, customer_id, name, phone, address, email, platform_id = row
    told = Contact(name, phone, address, email, platform_id)
    return DueOrder(order_id, cooperative_id, partner_id, received_at, customer_id, told)


async def list_known(
    conn: Connection, signs: Iterable[tuple[UUID, Identity]], customer_ids: Iterable[UUID]
) -> dict[UUID, list[Customer]]:
    """Who is known by one of the (cooperative, sign), or is one of these, by cooperative, each with all signs.

    By two statements: in one, a planner that takes many signs for known reads the whole table.
    """
    wanted = sorted(set(signs))
    owners = await conn.fetch(
        "select customer_id from customer_identity where (cooperative_id, kind, value) in ("
        "  select * from unnest($1::uuid[], $2::text[], $3::text[]))",
        [cooperative_id for cooperative_id, _ in wanted],
        [sign.kind for _, sign in wanted],
        [sign.value for _, sign in wanted],
    )
    known_ids = {*customer_ids, *(row["customer_id"] for row in owners)}
    if not known_ids:
        return {}
    rows = await conn.fetch(
        "select c.cooperative_id, c.customer_id, i.kind, i.value, c.name, c.address, c.last_order_at "
        "from customer c left join customer_identity i using (customer_id) "
        "where c.erased_at is null and c.customer_id = any($1)",
        sorted(known_ids),
    )
    found: dict[UUID, dict[UUID, Customer]] = {}
    for row in rows:
        known = found.setdefault(row["cooperative_id"], {})
        customer_id = row["customer_id"]
        if customer_id not in known:
            known[customer_id] = Customer(customer_id, {}, row["name"], row["address"], row["last_order_at"])
        if row["kind"] is not None:
            known[customer_id].values[row["kind"]] = row["value"]
    return {cooperative_id: list(known.values()) for cooperative_id, known in found.items()}


async def list_kept(conn: Connection, customer_ids: Sequence[UUID], without: Sequence[UUID]) -> list[DueOrder]:
    """The orders of these customers, but for those `without` which they are to be rebuilt."""
    query = _TOLD + "where c.customer_id = any($1) and o.order_id <> all($2)"
    return [_due(row) for row in await conn.fetch(query, customer_ids, without)]


async def release_signs(conn: Connection, customer_ids: Sequence[UUID]) -> None:
    """The customers are known by no sign, until those that are left are saved again."""
    await conn.execute("delete from customer_identity where customer_id = any($1)", customer_ids)


async def merge(conn: Connection, merged: Sequence[tuple[UUID, UUID]]) -> None:
    """(customer that is no more, the one that it became): orders go over, signs are free."""
    gone, became = [one for one, _ in merged], [one for _, one in merged]
    await conn.execute(
        "update order_customer c set customer_id = x.became from unnest($1::uuid[], $2::uuid[]) as x (gone, became) "
        "where c.customer_id = x.gone",
        gone,
        became,
    )
    await release_signs(conn, gone)
    await conn.execute("delete from customer where customer_id = any($1)", gone)


async def insert_customers(conn: Connection, new: Sequence[NewCustomer]) -> None:
    """Stores new customers with their signs, which nobody else has, and the number of their orders."""
    customers = [
        (
            one.customer.customer_id, one.cooperative_id, one.customer.name, one.customer.address, len(one.received),
            min(one.received), max(one.received),
        )
        for one in new
    ]  # fmt: skip
    signs = [
        (one.cooperative_id, kind, value, one.customer.customer_id)
        for one in new
        for kind, value in one.customer.values.items()
    ]
    await conn.copy_records_to_table("customer", records=customers, columns=_CUSTOMER_COLUMNS)
    await conn.copy_records_to_table("customer_identity", records=signs, columns=_SIGN_COLUMNS)


async def save_customers(conn: Connection, customers: Sequence[Customer]) -> None:
    """What changed of known customers, but for their orders, which `add_orders` counts."""
    await conn.execute(
        "update customer c set name = x.name, address = x.address "
        "from unnest($1::uuid[], $2::text[], $3::text[]) as x (customer_id, name, address) "
        "where c.customer_id = x.customer_id",
        [one.customer_id for one in customers],
        [one.name for one in customers],
        [one.address for one in customers],
    )
    await conn.execute(
        "insert into customer_identity (cooperative_id, kind, value, customer_id) "
        "select c.cooperative_id, x.kind, x.value, customer_id "
        "from unnest($1::uuid[], $2::text[], $3::text[]) as x (customer_id, kind, value) "
        "join customer c using (customer_id) on conflict (cooperative_id, kind, value) do nothing",
        [one.customer_id for one in customers for _ in one.values],
        [kind for one in customers for kind in one.values],
        [value for one in customers for value in one.values.values()],
    )


async def save_links(conn: Connection, links: Sequence[tuple[DueOrder, UUID]]) -> None:
    """(order, its customer)."""
    if new := [(one.order_id, customer_id) for one, customer_id in links if one.customer_id is None]:
        await conn.copy_records_to_table("order_customer", records=new, columns=("order_id", "customer_id"))
    if moved := [(one.order_id, customer_id) for one, customer_id in links if one.customer_id is not None]:
        await conn.execute(
            "update order_customer c set customer_id = x.customer_id "
            "from unnest($1::uuid[], $2::uuid[]) as x (order_id, customer_id) where c.order_id = x.order_id",
            *zip(*moved, strict=True),
        )


async def add_orders(conn: Connection, links: Iterable[tuple[UUID, datetime]]) -> None:
    """(customer, when its new order was received): as many orders more."""
    customer_ids, received = zip(*links, strict=True)
    await conn.execute(
        "update customer c set orders = c.orders + x.orders, first_order_at = least(c.first_order_at, x.first_at), "
        "last_order_at = greatest(c.last_order_at, x.last_at) from ("
        "  select customer_id, count(*) as orders, min(received_at) as first_at, max(received_at) as last_at "
        "  from unnest($1::uuid[], $2::timestamptz[]) as x (customer_id, received_at) group by customer_id"
        ") x where c.customer_id = x.customer_id",
        customer_ids,
        received,
    )


async def count_orders(conn: Connection, customer_ids: Iterable[UUID]) -> None:
    """Counts all orders of the customers, of whom some have lost some; who has none any more is deleted."""
    wanted = sorted(customer_ids)
    await conn.execute(
        "update customer c set orders = x.orders, first_order_at = x.first_at, last_order_at = x.last_at from ("
        "  select customer_id, count(*) as orders, min(received_at) as first_at, max(received_at) as last_at "
        "  from order_customer join customer_order using (order_id) where customer_id = any($1) group by customer_id"
        ") x where c.customer_id = x.customer_id and (c.orders, c.first_order_at, c.last_order_at) "
        "is distinct from (x.orders, x.first_at, x.last_at)",
        wanted,
    )
    await conn.execute(
        "with gone as ("
        "  delete from customer c where customer_id = any($1) and erased_at is null "
        "  and not exists (select from order_customer o where o.customer_id = c.customer_id) returning customer_id"
        ") delete from customer_identity i using gone where i.customer_id = gone.customer_id",
        wanted,
    )


async def get_owner(conn: "Connection | asyncpg.Pool[asyncpg.Record]", customer_id: UUID) -> UUID | None:
    """The cooperative of a customer."""
    query = "select cooperative_id from customer where customer_id = $1"
    found: UUID | None = await conn.fetchval(query, customer_id)
    return found
