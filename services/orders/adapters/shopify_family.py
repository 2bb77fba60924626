"""What Shopify, Haravan and Sapo have in common: Haravan and Sapo copied the order of Shopify's Admin API.

The body is the bare order as it is now. Cancelled, and refunded or voided as a whole, is a cancellation. A partial
refund takes away exactly what the body says: `current_quantity` where the platform has it, else the quantities of
`refunds[].refund_line_items[]`; a refund of money alone changes nothing. An order of which no item is left is
cancelled as well. A shop that asks the customer for the day of delivery has it in the note attribute `delivery_day`.
"""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, TypeVar

from pydantic import Field

from services.orders.adapters.base import MOST_LINES, Ignored, Read
from services.orders.adapters.fields import (
    Id,
    Lenient,
    MaybeId,
    Money,
    Quantity,
    Sku,
    Sold,
    Words,
    contact,
    day,
    join,
    lines,
    parse,
    sku,
)
from services.orders.domain.command import UNTIMED, Contact, Kind, OrderCommand

TOPICS = (
    "orders/create",
    "orders/updated",
    "orders/paid",
    "orders/cancelled",
    "orders/fulfilled",
    "orders/partially_fulfilled",
)
DELETED = "orders/delete"
CANCELLED = ("refunded", "voided")
"""Values of financial_status that leave nothing of an order."""
_RANK = {"pending": 0, "authorized": 1, "partially_paid": 1, "paid": 2, "partially_refunded": 3}


class Person(Lenient):
    """An address, or the customer, of whom only the names and the phone are read."""

    name: Words = None
    first_name: Words = None
    last_name: Words = None
    phone: Words = None
    address1: Words = None
    address2: Words = None
    ward: Words = None
    district: Words = None
    city: Words = None
    province: Words = None

    def called(self) -> str | None:
        """The whole name."""
        return join(" ", self.name) or join(" ", self.last_name, self.first_name)

    def lives(self) -> str | None:
        """The address in one line."""
        return join(", ", self.address1, self.address2, self.ward, self.district, self.city, self.province)


class FamilyLine(Lenient):
    """One item, before what was refunded of it."""

    id: MaybeId = None
    sku: Sku = None
    product_id: MaybeId = None
    variant_id: MaybeId = None
    quantity: Quantity
    current_quantity: Quantity | None = None
    price: Money = None


class _RefundLine(Lenient):
    line_item_id: MaybeId = None
    quantity: Quantity


class _Refund(Lenient):
    refund_line_items: list[_RefundLine] | None = None


class _Attribute(Lenient):
    name: Any = None
    value: Any = None


class Deleted(Lenient):
    """All that is left of a deleted order."""

    id: Id


class FamilyOrder(Deleted):
    """The fields that are named alike; times and lines are each platform's own."""

    currency: str | None = None
    financial_status: str | None = None
    fulfillment_status: str | None = None
    phone: Words = None
    shipping_address: Person | None = None
    billing_address: Person | None = None
    customer: Person | None = None
    refunds: Annotated[list[_Refund], Field(max_length=1000)] | None = None
    note_attributes: list[_Attribute] | None = None

    def refunded(self) -> dict[int, Decimal]:
        """How much of which line was refunded."""
        found: dict[int, Decimal] = {}
        for refund in self.refunds or ():
            for line in refund.refund_line_items or ():
                if line.line_item_id:
                    found[line.line_item_id] = found.get(line.line_item_id, Decimal()) + line.quantity
        return found

    def delivery_day(self) -> date | None:
        """The day that the customer asked for. Raises Malformed."""
        for position, attribute in enumerate(self.note_attributes or ()):
            if attribute.name == "delivery_day":
                return day(attribute.value, f"note_attributes[{position}].value")
        return None

    def customer_told(self) -> Contact | None:
        """Who gets the goods; the customer where the order has no address."""
        people = [one for one in (self.shipping_address, self.billing_address, self.customer) if one]
        name = next((named for one in people if (named := one.called())), None)
        phone = next((called for one in people if (called := join(" ", one.phone))), None)
        address = next((lived for one in people if (lived := one.lives())), None)
        return contact(name, phone or join(" ", self.phone), address)


L = TypeVar("L", bound=FamilyLine)
SomeLines = Field(max_length=MOST_LINES)


def read_topic(topic: str, raw: bytes, read_order: Callable[[bytes], Read]) -> Read:
    """What the body says under its topic. Raises Malformed."""
    if topic == DELETED:
        return OrderCommand.make(str(parse(Deleted, raw).id), UNTIMED, 0, Kind.CANCEL)
    return read_order(raw) if topic in TOPICS else Ignored("topic")


def command(
    order: FamilyOrder,
    updated_at: datetime,
    cancelled: bool,
    items: Sequence[L],
    price_vnd: Callable[[L], int | None],
) -> OrderCommand:
    """The canonical command of an order; `price_vnd` says what the customer pays for one item. Raises Malformed."""
    refunded = order.refunded()
    wanted = lines(
        [
            Sold(item.id, sku(item.sku, item.variant_id, item.product_id), _left(item, refunded), price_vnd(item))
            for item in items
        ]
    )
    gone = cancelled or order.financial_status in CANCELLED or not wanted
    rank = 4 if order.fulfillment_status == "fulfilled" else _RANK.get(order.financial_status or "", 0)
    return OrderCommand.make(
        str(order.id),
        updated_at,
        9 if gone else rank,
        Kind.CANCEL if gone else Kind.UPSERT,
        order.delivery_day(),
        wanted,
        order.customer_told(),
    )


def _left(item: FamilyLine, refunded: dict[int, Decimal]) -> Decimal:
    if item.current_quantity is not None:
        return item.current_quantity
    return max(item.quantity - refunded.get(item.id or 0, Decimal()), Decimal())
