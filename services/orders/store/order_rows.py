"""How orders and their lines stand in rows: what of an order is in which column, and back."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct
from msgspec.structs import replace

from services.orders.domain.command import CommandLine, Contact, Kind, OrderCommand, Revision
from services.orders.domain.order import Line, LineState, Order, Product, minimum_steps

COMMAND_COLUMNS = (
    "revised_at", "status_rank", "digest", "kind", "delivery_day", "wanted", "contact_name", "contact_phone",
    "contact_address", "contact_email", "contact_platform_id",
)  # fmt: skip
ORDER_COLUMNS = (
    "order_id", "cooperative_id", "partner_id", "partner_ref", *COMMAND_COLUMNS, "state", "announced", "received_at",
)  # fmt: skip
LINE_COLUMNS = (
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
        return self.partner_id, command(self.order).partner_ref


def command(order: Order) -> OrderCommand:
    """The push that made the order so."""
    assert order.command is not None, "only orders that a push has made are stored"
    return order.command


def order_values(one: Filed) -> tuple[Any, ...]:
    """In the order of ORDER_COLUMNS."""
    order, said = one.order, command(one.order)
    return (
        order.order_id, one.cooperative_id, one.partner_id, said.partner_ref, *command_values(said),
        order.state, order.announced, one.received_at,
    )  # fmt: skip


def command_values(said: OrderCommand) -> tuple[Any, ...]:
    """In the order of COMMAND_COLUMNS."""
    revision = said.revision
    return (
        revision.updated_at, revision.status_rank, revision.digest, said.kind, said.delivery_day,
        wanted_json(said.lines), *contact_values(said),
    )  # fmt: skip


def contact_values(said: OrderCommand) -> tuple[str | None, ...]:
    """Name, phone, address, e-mail and account, as in COMMAND_COLUMNS."""
    contact = said.contact or _NOBODY
    return contact.name, contact.phone, contact.address, contact.email, contact.platform_id


def wanted_json(lines: Sequence[CommandLine]) -> str:
    """Lines as pushed, for a column `wanted`."""
    return msgspec.json.encode([one.content() for one in lines]).decode()


def wanted_lines(text: str) -> tuple[CommandLine, ...]:
    """The lines of such a column."""
    return tuple(wanted_line(*said) for said in msgspec.json.decode(text))


def wanted_line(line_no: int, sku: str, quantity: str, price_vnd: int | None, *minimum: str) -> CommandLine:
    """A line as its `content` says it."""
    return CommandLine(line_no, sku, Decimal(quantity), price_vnd, Decimal(minimum[0]) if minimum else None)


def line_values(order_id: UUID, line: Line) -> tuple[Any, ...]:
    """In the order of LINE_COLUMNS."""
    return (
        order_id, line.line_no, line.sku, line.sold_quantity, line.price_vnd, line.state,
        line.product.product_id if line.product else None, line.offer_id, line.delivery_day,
        line.quantity_steps, line.promised_steps, line.short_steps, line.reason, line.delivered,
    )  # fmt: skip


def filed(row: asyncpg.Record, line_rows: Sequence[asyncpg.Record]) -> Filed:
    """An order as its row and those of its lines have it."""
    lines = [_line(one) for one in line_rows]
    order = _order(row["order_id"], _stored_command(row), lines, row["announced"], row["contact_erased"])
    return Filed(order, row["cooperative_id"], row["partner_id"], row["received_at"], row["promised_at"])


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
