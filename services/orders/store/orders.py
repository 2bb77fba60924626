"""Orders and their lines. Rows are locked in the order of their ids everywhere, so that nobody waits crosswise."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

import asyncpg
from msgspec import Struct

from services.chassis.ledger import Connection, DecideAgain
from services.orders.domain.customers import may_identify
from services.orders.domain.order import Order
from services.orders.store.order_rows import (
    LINE_COLUMNS,
    ORDER_COLUMNS,
    Filed,
    Reference,
    command,
    command_values,
    contact_values,
    filed,
    line_values,
    order_values,
)

_ORDER = (
    "select order_id, cooperative_id, partner_id, partner_ref, revised_at, status_rank, digest, kind, delivery_day, "
    "wanted, contact_name, contact_phone, contact_address, contact_email, contact_platform_id, contact_erased, "
    "announced, received_at, promised_at from customer_order "
)
_LINES = (
    "select l.order_id, l.line_no, l.sku, l.sold_quantity, l.price_vnd, l.state, l.offer_id, l.delivery_day, "
    "l.quantity_steps, l.promised_steps, l.short_steps, l.reason, l.delivered, p.product_id, p.unit, p.step_milliunits "
    "from order_line l left join product p using (product_id) where l.order_id = any($1) order by l.line_no"
)


class Wanted(Struct, frozen=True):
    """Which orders of a cooperative to list: those that fit everything that is given. `channel` is an adapter."""

    cooperative_id: UUID
    delivery_day: date | None = None
    state: str | None = None
    partner_id: UUID | None = None
    channel: str | None = None
    ref: str | None = None
    customer_id: UUID | None = None


async def lock_orders_by_reference(conn: Connection, references: Sequence[Reference]) -> list[Filed]:
    """Those of the orders that are known, locked."""
    where = (
        "where (partner_id, partner_ref) in (select * from unnest($1::uuid[], $2::text[])) "
        "order by order_id for no key update"
    )
    partner_ids, partner_refs = [one for one, _ in references], [ref for _, ref in references]
    return await _with_lines(conn, await conn.fetch(_ORDER + where, partner_ids, partner_refs))


async def lock_orders(conn: Connection, order_ids: Sequence[UUID]) -> list[Filed]:
    """The orders, locked; those that are not known are left out."""
    where = "where order_id = any($1) order by order_id for no key update"
    return await _with_lines(conn, await conn.fetch(_ORDER + where, order_ids))


async def get_order(pool: "asyncpg.Pool[asyncpg.Record]", order_id: UUID) -> Filed | None:
    """One order to be shown, as of one moment."""
    async with pool.acquire(timeout=5) as conn, conn.transaction(isolation="repeatable_read", readonly=True):
        found = await _with_lines(conn, await conn.fetch(_ORDER + "where order_id = $1", order_id))
    return found[0] if found else None


async def list_orders_by_reference(conn: Connection, references: Sequence[Reference]) -> list[Filed]:
    """Those of the orders that are known, to be shown. The caller looks as of one moment."""
    where = "where (partner_id, partner_ref) in (select * from unnest($1::uuid[], $2::text[]))"
    partner_ids, partner_refs = [one for one, _ in references], [ref for _, ref in references]
    return await _with_lines(conn, await conn.fetch(_ORDER + where, partner_ids, partner_refs))


async def list_orders(
    pool: "asyncpg.Pool[asyncpg.Record]", wanted: Wanted, before: UUID | None, limit: int
) -> list[Filed]:
    """The orders that are wanted, newest first, older than `before`."""
    conditions = ["cooperative_id = $2"]
    values: list[Any] = [limit, wanted.cooperative_id]
    for value, condition in (
        (before, "order_id < {}"),
        (wanted.state, "state = {}"),
        (wanted.partner_id, "partner_id = {}"),
        (wanted.customer_id, "order_id in (select order_id from order_customer where customer_id = {})"),
        (wanted.delivery_day, "order_id in (select order_id from order_line where delivery_day = {})"),
        (
            wanted.channel,
            "exists (select from partner p where p.partner_id = customer_order.partner_id and p.adapter = {})",
        ),
        # By its partners, since the index on references leads with them.
        (wanted.ref, "partner_id in (select partner_id from partner where cooperative_id = $2) and partner_ref = {}"),
    ):
        if value is not None:
            values.append(value)
            conditions.append(condition.format(f"${len(values)}"))
    async with pool.acquire(timeout=5) as conn, conn.transaction(isolation="repeatable_read", readonly=True):
        where = f"where {' and '.join(conditions)} order by order_id desc limit $1"
        return await _with_lines(conn, await conn.fetch(_ORDER + where, *values))


async def list_references(conn: Connection, order_ids: Sequence[UUID]) -> set[Reference]:
    """What partners call these orders."""
    rows = await conn.fetch("select partner_id, partner_ref from customer_order where order_id = any($1)", order_ids)
    return {(row["partner_id"], row["partner_ref"]) for row in rows}


async def list_decided(pool: "asyncpg.Pool[asyncpg.Record]", order_ids: Sequence[UUID]) -> list[UUID]:
    """Those of the orders that no longer wait for their promise."""
    rows = await pool.fetch(
        "select order_id from customer_order where order_id = any($1) and state <> 'placed'", order_ids
    )
    return [row["order_id"] for row in rows]


class StoredRevision(Struct, frozen=True):
    """What was last pushed of an order, without what it said."""

    updated_at: datetime
    digest: str
    contact_erased: bool


async def list_revisions(
    conn: "Connection | asyncpg.Pool[asyncpg.Record]", partner_id: UUID, refs: Sequence[str]
) -> dict[str, StoredRevision]:
    """The revisions of those of a partner's orders that are known."""
    rows = await conn.fetch(
        "select partner_ref, revised_at, digest, contact_erased from customer_order "
        "where partner_id = $1 and partner_ref = any($2)",
        partner_id,
        refs,
    )
    return {ref: StoredRevision(revised_at, digest, erased) for ref, revised_at, digest, erased in rows}


async def insert_orders(conn: Connection, new: Sequence[Filed]) -> None:
    """Stores new orders with their lines. Raises DecideAgain where a reference was taken meanwhile."""
    in_order = sorted(new, key=lambda one: one.reference)  # lest two transactions wait for each other
    try:
        await conn.copy_records_to_table("customer_order", records=map(order_values, in_order), columns=ORDER_COLUMNS)
    except asyncpg.UniqueViolationError:
        raise DecideAgain from None
    lines = [line_values(one.order.order_id, line) for one in in_order for line in one.order.lines]
    await conn.copy_records_to_table("order_line", records=lines, columns=LINE_COLUMNS)
    if due := [(one.order.order_id,) for one in in_order if may_identify(command(one.order).contact)]:
        await conn.copy_records_to_table("contact_due", records=due, columns=("order_id",))


async def save_orders(conn: Connection, orders: Sequence[Order]) -> None:
    """Stores known orders after another push. Where it tells another contact, its customer is to be found anew."""
    if told := [order for order in orders if may_identify(command(order).contact)]:
        await _save_due(conn, told)
    rows = [(order.order_id, *command_values(command(order)), order.state, order.announced) for order in orders]
    await conn.execute(
        "update customer_order o set revised_at = x.revised_at, status_rank = x.status_rank, digest = x.digest, "
        "  kind = x.kind, delivery_day = x.delivery_day, wanted = x.wanted, contact_name = x.contact_name, "
        "  contact_phone = x.contact_phone, contact_address = x.contact_address, contact_email = x.contact_email, "
        "  contact_platform_id = x.contact_platform_id, state = x.state, announced = x.announced "
        "from unnest($1::uuid[], $2::timestamptz[], $3::smallint[], $4::text[], $5::text[], $6::date[], $7::json[], "
        "  $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::boolean[]) "
        "  as x (order_id, revised_at, status_rank, digest, kind, delivery_day, wanted, contact_name, contact_phone, "
        "  contact_address, contact_email, contact_platform_id, state, announced) "
        "where o.order_id = x.order_id",
        *zip(*rows, strict=True),
    )
    if lines := [line_values(order.order_id, line) for order in orders for line in order.lines]:
        await _save_lines(conn, lines)


async def _save_due(conn: Connection, orders: Sequence[Order]) -> None:
    """Notes those of the orders whose contact is not as it is stored. Whoever looks for their customers waits."""
    await conn.execute(
        "insert into contact_due select o.order_id from customer_order o "
        "join unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[]) "
        "  as x (order_id, contact_name, contact_phone, contact_address, contact_email, contact_platform_id) "
        "  using (order_id) "
        "where (x.contact_name, x.contact_phone, x.contact_address, x.contact_email, x.contact_platform_id) "
        "  is distinct from "
        "  (o.contact_name, o.contact_phone, o.contact_address, o.contact_email, o.contact_platform_id) "
        "order by o.order_id on conflict (order_id) do update set order_id = excluded.order_id",
        *zip(*((order.order_id, *contact_values(command(order))) for order in orders), strict=True),
    )


async def _save_lines(conn: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """Rows of LINE_COLUMNS."""
    await conn.execute(
        "insert into order_line as l (order_id, line_no, sku, sold_quantity, price_vnd, state, product_id, offer_id, "
        "  delivery_day, quantity_steps, promised_steps, short_steps, reason, delivered) "
        "select * from unnest($1::uuid[], $2::int[], $3::text[], $4::numeric[], $5::bigint[], $6::text[], "
        "  $7::uuid[], $8::uuid[], $9::date[], $10::bigint[], $11::bigint[], $12::bigint[], $13::text[], "
        "  $14::boolean[]) "
        "on conflict (order_id, line_no) do update set sku = excluded.sku, sold_quantity = excluded.sold_quantity, "
        "  price_vnd = excluded.price_vnd, state = excluded.state, product_id = excluded.product_id, "
        "  offer_id = excluded.offer_id, delivery_day = excluded.delivery_day, "
        "  quantity_steps = excluded.quantity_steps, promised_steps = excluded.promised_steps, "
        "  short_steps = excluded.short_steps, reason = excluded.reason, delivered = excluded.delivered "
        "where l is distinct from excluded",
        *zip(*rows, strict=True),
    )


async def _with_lines(conn: Connection, rows: Sequence[asyncpg.Record]) -> list[Filed]:
    if not rows:
        return []
    lines: dict[UUID, list[asyncpg.Record]] = {row["order_id"]: [] for row in rows}
    for row in await conn.fetch(_LINES, list(lines)):
        lines[row["order_id"]].append(row)
    return [filed(row, lines[row["order_id"]]) for row in rows]
