"""Orders that staff take in as a table, for partners without an API: rows of one reference are one order.

| column | also | |
|---|---|---|
| ref | mã đơn, mã đơn hàng, số đơn | the partner's order number |
| sku | mã hàng, mã sản phẩm, mã sku | |
| quantity | số lượng, sl | in what the SKU names: bags, boxes, kilograms |
| price_vnd | đơn giá, giá | of one; may be missing or empty, like all that follows |
| delivery_day | ngày giao, ngày giao hàng | empty: the earliest that takes orders |
| status | trạng thái | placed (đã đặt, mới) if empty, or cancelled (hủy, đã hủy) |
| updated_at | cập nhật, ngày cập nhật | the time of this word; empty: now, if it says anything new |
| name | tên khách, khách hàng, người nhận | |
| phone | số điện thoại, điện thoại, sđt | |
| email | thư điện tử | |
| address | địa chỉ, địa chỉ giao hàng | |

What concerns the whole order may stand in any of its rows, and must be the same wherever it stands.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, tzinfo
from decimal import Decimal
from functools import partial
from typing import Any

from msgspec import Struct

from services.orders.domain.command import CommandLine, Contact, Kind, OrderCommand
from services.orders.domain.tables import (
    Cell,
    Fault,
    FaultyTable,
    Row,
    Table,
    day_of,
    moment_of,
    quantity_of,
    text_of,
    vnd_of,
)
from services.orders.domain.words import words

KNOWN: Mapping[str, Sequence[str]] = {
    "ref": ("mã đơn", "mã đơn hàng", "số đơn"),
    "sku": ("mã hàng", "mã sản phẩm", "mã sku"),
    "quantity": ("số lượng", "sl"),
    "price_vnd": ("đơn giá", "giá"),
    "delivery_day": ("ngày giao", "ngày giao hàng"),
    "status": ("trạng thái",),
    "updated_at": ("cập nhật", "ngày cập nhật"),
    "name": ("tên khách", "khách hàng", "người nhận"),
    "phone": ("số điện thoại", "điện thoại", "sđt"),
    "email": ("thư điện tử",),
    "address": ("địa chỉ", "địa chỉ giao hàng"),
}
NEEDED = ("ref", "sku", "quantity")
MOST_LINES = 200
_PLACED = ("placed", "da dat", "moi")
_CANCELLED = ("cancelled", "canceled", "huy", "da huy")
_MOST_WORD, _MOST_TEXT = 100, 500
_NATIONAL = 9
"""Digits of a mobile number without its 0."""


class UploadedOrder(Struct, frozen=True):
    """One order of a table; `rows` are the numbers of its rows, each a line with its position from 1."""

    ref: str
    rows: tuple[int, ...]
    updated_at: datetime | None
    kind: Kind
    delivery_day: date | None
    lines: tuple[CommandLine, ...]
    contact: Contact | None

    def command(self, updated_at: datetime) -> OrderCommand:
        """What the table says of the order, as the word of that time."""
        return OrderCommand.make(
            self.ref, updated_at, int(self.kind is Kind.CANCEL), self.kind, self.delivery_day, self.lines, self.contact
        )


def read_orders(table: Table, zone: tzinfo) -> list[UploadedOrder]:
    """The orders of the table in the order of their first rows. Raises FaultyTable with every fault of every row."""
    faults: list[Fault] = []
    by_ref: dict[str, list[Row]] = {}
    for row in table.rows:
        ref = _value(row, "ref", partial(_word, needed=True), faults)
        if ref is not None:
            by_ref.setdefault(ref, []).append(row)
        else:
            _order("", [row], zone, faults)  # for its other faults
    orders = [_order(ref, rows, zone, faults) for ref, rows in by_ref.items()]
    if faults:
        raise FaultyTable(sorted(faults, key=_place))
    return orders


def _place(fault: Fault) -> int:
    return int(fault[0].removeprefix("rows[").partition("]")[0])


def _order(ref: str, rows: Sequence[Row], zone: tzinfo, faults: list[Fault]) -> UploadedOrder:
    """The order of these rows; where there are faults, it is of no use."""

    def common(column: str, read: Callable[[Cell], Any]) -> Any:
        return _common(rows, column, read, faults)

    kind = common("status", _kind) or Kind.UPSERT
    day, updated_at = common("delivery_day", day_of), common("updated_at", partial(moment_of, zone=zone))
    told = [common(column, partial(text_of, most=_MOST_TEXT)) for column in ("name", "address", "email")]
    phone = common("phone", _phone)
    contact = Contact(told[0], phone, told[1], told[2]) if phone or any(told) else None
    lines: tuple[CommandLine, ...] = ()
    if kind is Kind.UPSERT:
        lines = tuple(_line(position, row, faults) for position, row in enumerate(rows, 1))
        if len(rows) > MOST_LINES:
            faults.append(
                rows[MOST_LINES].fault("ref", f"is the order's line {MOST_LINES + 1}; the most is {MOST_LINES}")
            )
    return UploadedOrder(ref, tuple(row.number for row in rows), updated_at, kind, day, lines, contact)


def _line(position: int, row: Row, faults: list[Fault]) -> CommandLine:
    sku = _value(row, "sku", partial(_word, needed=True), faults) or ""
    quantity = _value(row, "quantity", quantity_of, faults) or Decimal()
    return CommandLine(position, sku, quantity, _value(row, "price_vnd", vnd_of, faults))


def _value(row: Row, column: str, read: Callable[[Cell], Any], faults: list[Fault]) -> Any:
    try:
        return read(row.cells.get(column))
    except ValueError as error:
        faults.append(row.fault(column, str(error)))
        return None


def _common(rows: Sequence[Row], column: str, read: Callable[[Cell], Any], faults: list[Fault]) -> Any:
    """What the rows say of the whole order; None where none does."""
    found, said_by = None, 0
    for row in rows:
        value = _value(row, column, read, faults)
        if value is None:
            continue
        if found is None:
            found, said_by = value, row.number
        elif value != found:
            faults.append(row.fault(column, f"is not what row {said_by} says of the same order"))
    return found


def _word(cell: Cell, *, needed: bool) -> str | None:
    text = text_of(cell, _MOST_WORD)
    if needed and text is None:
        raise ValueError("must not be empty")
    return text


def _kind(cell: Cell) -> Kind | None:
    text = text_of(cell, _MOST_WORD)
    if text is None:
        return None
    told = " ".join(words(text))
    if told in _PLACED:
        return Kind.UPSERT
    if told in _CANCELLED:
        return Kind.CANCEL
    raise ValueError("must be placed (đã đặt) or cancelled (đã hủy)")


def _phone(cell: Cell) -> str | None:
    """A number in a workbook has lost its 0, and a text may be marked as one."""
    text = text_of(cell, _MOST_WORD)
    if text is None:
        return None
    return f"0{text}" if isinstance(cell, int) and len(text) == _NATIONAL else text.removeprefix("'")
