"""Orders and their lines. Rows are locked in the order of their ids everywhere, so that nobody waits crosswise."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct
from msgspec.structs import replace

from services.chassis.ledger import Connection, DecideAgain
from services.orders.domain.command import CommandLine, Contact, Kind, OrderCommand, Revision
from services.orders.domain.customers import may_identify
from services.orders.domain.order import Line, LineState, Order, Product, minimum_steps

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
_COMMAND_COLUMNS = (
    "revised_at", "status_rank", "digest", "kind", "delivery_day", "wanted", "contact_name", "contact_phone",
    "contact_address", "contact_email", "contact_platform_id", "contact_due",
)  # fmt: skip
_ORDER_COLUMNS = (
    "order_id", "cooperative_id", "partner_id", "partner_ref", *_COMMAND_COLUMNS, "state", "announced", "received_at",
)  # fmt: skip
_LINE_COLUMNS = (
    "order_id", "line_no", "sku", "sold_quantity", "price_vnd", "state", "product_id", "offer_id", "delivery_day",
    "quantity_steps", "promised_steps", "short_steps", "reason", "delivered",
)  # fmt: skip

_NOBODY = Contact()

Reference = tuple[UUID, str]
"""How a partner names an order: (partner_id, partner_ref)."""


class Filed(Struct, frozen=True):
    """An order with where it belongs and when it came; `promised_at` is when its first promise was applied."""

    order: Order
    cooperative_id: UUID
    partner_id: UUID
    received_at: datetime
    promised_at: datetime | None = None

    @property
    def reference(self) -> Reference:
        """What its partner calls it."""
        return self.partner_id, _command(self.order).partner_ref


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
        (wanted.customer_id, "customer_id = {}"),
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


async def insert_orders(conn: Connection, filed: Sequence[Filed]) -> None:
    """Stores new orders with their lines. Raises DecideAgain where a reference was taken meanwhile."""
    in_order = sorted(filed, key=lambda one: one.reference)  # lest two transactions wait for each other
    try:
        await conn.copy_records_to_table("customer_order", records=map(_order_values, in_order), columns=_ORDER_COLUMNS)
    except asyncpg.UniqueViolationError:
        raise DecideAgain from None
    lines = [_line_values(one.order.order_id, line) for one in in_order for line in one.order.lines]
    await conn.copy_records_to_table("order_line", records=lines, columns=_LINE_COLUMNS)


async def save_orders(conn: Connection, orders: Sequence[Order]) -> None:
    """Stores known orders after another push. Where it tells another contact, its customer is to be found anew."""
    rows = [(order.order_id, *_command_values(_command(order)), order.state, order.announced) for order in orders]
    await conn.execute(
        "update customer_order o set revised_at = x.revised_at, status_rank = x.status_rank, digest = x.digest, "
        "  kind = x.kind, delivery_day = x.delivery_day, wanted = x.wanted, contact_name = x.contact_name, "
        "  contact_phone = x.contact_phone, contact_address = x.contact_address, contact_email = x.contact_email, "
        "  contact_platform_id = x.contact_platform_id, contact_due = o.contact_due or (x.contact_due and "
        "    (x.contact_name, x.contact_phone, x.contact_address, x.contact_email, x.contact_platform_id) is distinct "
        "    from (o.contact_name, o.contact_phone, o.contact_address, o.contact_email, o.contact_platform_id)), "
        "  state = x.state, announced = x.announced "
        "from unnest($1::uuid[], $2::timestamptz[], $3::smallint[], $4::text[], $5::text[], $6::date[], $7::json[], "
        "  $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::boolean[], $14::text[], $15::boolean[]) "
        "  as x (order_id, revised_at, status_rank, digest, kind, delivery_day, wanted, contact_name, contact_phone, "
        "  contact_address, contact_email, contact_platform_id, contact_due, state, announced) "
        "where o.order_id = x.order_id",
        *zip(*rows, strict=True),
    )
    if lines := [_line_values(order.order_id, line) for order in orders for line in order.lines]:
        await _save_lines(conn, lines)


async def _save_lines(conn: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """Rows of _LINE_COLUMNS."""
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


def _command(order: Order) -> OrderCommand:
    assert order.command is not None, "only orders that a push has made are stored"
    return order.command


def _order_values(one: Filed) -> tuple[Any, ...]:
    """In the order of _ORDER_COLUMNS."""
    order, command = one.order, _command(one.order)
    return (
        order.order_id, one.cooperative_id, one.partner_id, command.partner_ref, *_command_values(command),
        order.state, order.announced, one.received_at,
    )  # fmt: skip


def _command_values(command: OrderCommand) -> tuple[Any, ...]:
    """In the order of _COMMAND_COLUMNS."""
    revision, contact = command.revision, command.contact or _NOBODY
    due = may_identify(command.contact)
    return (
        revision.updated_at, revision.status_rank, revision.digest, command.kind, command.delivery_day,
        wanted_json(command.lines), contact.name, contact.phone, contact.address, contact.email, contact.platform_id,
        due,
    )  # fmt: skip


def wanted_json(lines: Sequence[CommandLine]) -> str:
    """Lines as pushed, for a column `wanted`."""
    return msgspec.json.encode([one.content() for one in lines]).decode()


def wanted_lines(text: str) -> tuple[CommandLine, ...]:
    """The lines of such a column."""
    return tuple(wanted_line(*said) for said in msgspec.json.decode(text))


def wanted_line(line_no: int, sku: str, quantity: str, price_vnd: int | None, *minimum: str) -> CommandLine:
    """A line as its `content` says it."""
    return CommandLine(line_no, sku, Decimal(quantity), price_vnd, Decimal(minimum[0]) if minimum else None)


def _line_values(order_id: UUID, line: Line) -> tuple[Any, ...]:
    """In the order of _LINE_COLUMNS."""
    return (
        order_id, line.line_no, line.sku, line.sold_quantity, line.price_vnd, line.state,
        line.product.product_id if line.product else None, line.offer_id, line.delivery_day,
        line.quantity_steps, line.promised_steps, line.short_steps, line.reason, line.delivered,
    )  # fmt: skip


async def _with_lines(conn: Connection, rows: Sequence[asyncpg.Record]) -> list[Filed]:
    if not rows:
        return []
    commands = {row["order_id"]: _stored_command(row) for row in rows}
    lines: dict[UUID, list[Line]] = {order_id: [] for order_id in commands}
    for row in await conn.fetch(_LINES, list(lines)):
        lines[row["order_id"]].append(_line(row))
    return [
        Filed(
            _order(
                row["order_id"],
                commands[row["order_id"]],
                lines[row["order_id"]],
                row["announced"],
                row["contact_erased"],
            ),
            row["cooperative_id"],
            row["partner_id"],
            row["received_at"],
            row["promised_at"],
        )
        for row in rows
    ]


def _stored_command(row: asyncpg.Record) -> OrderCommand:
    wanted = wanted_lines(row["wanted"])
    told = (
        row["contact_name"], row["contact_phone"], row["contact_address"], row["contact_email"],
        row["contact_platform_id"],
    )  # fmt: skip
    return OrderCommand(
        row["partner_ref"],
        Revision(row["revised_at"], row["status_rank"], row["digest"]),
        Kind(row["kind"]),
        row["delivery_day"],
        wanted,
        Contact(*told) if any(told) else None,
    )


def _order(
    order_id: UUID, command: OrderCommand, lines: Sequence[Line], announced: bool, contact_erased: bool
) -> Order:
    """The minimum of a line is in what was pushed, under the line's own number."""
    with_minimum = {(one.line_no, one.sku): one for one in command.lines if one.minimum is not None}
    if with_minimum:
        lines = [_with_minimum(line, with_minimum.get((line.line_no, line.sku))) for line in lines]
    return Order(order_id, command, tuple(lines), announced, contact_erased)


def _with_minimum(line: Line, wanted: CommandLine | None) -> Line:
    if wanted is None or line.state is not LineState.ORDERED:
        return line
    return replace(line, minimum_steps=minimum_steps(wanted, line.sold_quantity, line.quantity_steps) or 1)


def _line(row: asyncpg.Record) -> Line:
    product = Product(row["product_id"], row["unit"], row["step_milliunits"]) if row["product_id"] else None
    return Line(
        row["line_no"],
        row["sku"],
        row["sold_quantity"],
        row["price_vnd"],
        LineState(row["state"]),
        product,
        row["offer_id"],
        row["delivery_day"],
        row["quantity_steps"],
        row["promised_steps"],
        row["short_steps"],
        row["reason"],
        delivered=row["delivered"],
    )
