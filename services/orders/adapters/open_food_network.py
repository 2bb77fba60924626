"""A shop of the Open Food Network: its webhooks of payments, the only ones that say what was ordered.

Nothing is signed; our secret is the `key` in the registered address. Lines have neither SKU nor id: they go by product
name and unit. A payment that is pending or completed places the order. One that was voided does not cancel it, since a
payment is also voided when another takes its place, and the body does not say which it was; only where no item is
left it does. Other states say nothing of the order, and a cancellation has no webhook. Older versions leave out the
order's number, without which it cannot be told from others. The newest payment by its `updated_at` counts.
https://github.com/openfoodfoundation/openfoodnetwork/blob/master/app/services/payments/webhook_payload.rb
"""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from services.orders.adapters.base import MOST_LINES, Credentials, Declaration, Ignored, Read, Request
from services.orders.adapters.fields import (
    Lenient,
    Moment,
    Money,
    Name,
    Quantity,
    Sold,
    Words,
    join,
    lines,
    parse,
    sku_of_name,
    whole_vnd,
)
from services.orders.adapters.token import require_key
from services.orders.domain.command import Kind, OrderCommand

DECLARATION = Declaration(
    name="open_food_network",
    title="Open Food Network",
    format="Webhook `payment.…`, JSON",
    signature="None: our secret as `?key=` of the address",
    dedupe_key="order `number` + `payment.updated_at` + `payment.state` + content",
    answer_within="30 s, sent again after any failure",
    tested_against="The code that makes the body",
    on_taken=200,
    large=True,
)
_RANK = {"pending": 0, "completed": 1, "void": 9}


class _Line(Lenient):
    quantity: Quantity
    price: Money = None
    product_name: Words = None
    name_to_display: Words = None
    unit_to_display: Words = None


class _Order(Lenient):
    number: Name
    currency: str | None = None
    line_items: Annotated[list[_Line], Field(max_length=MOST_LINES)]


class _Payment(Lenient):
    updated_at: Moment
    state: str


class _Paid(Lenient):
    payment: _Payment
    order: _Order


class _Push(Lenient):
    event: str


class _PaymentPush(Lenient):
    data: _Paid


def verify(credentials: Credentials, request: Request, now: datetime) -> None:
    """Raises BadSignature."""
    require_key(credentials, request)


def read(credentials: Credentials, request: Request) -> Read:
    """The order of a payment. Raises Malformed."""
    if not parse(_Push, request.raw).event.startswith("payment."):
        return Ignored("event")
    paid = parse(_PaymentPush, request.raw).data
    payment, order = paid.payment, paid.order
    if payment.state not in _RANK:
        return Ignored("state")
    sold = lines(
        [
            Sold(
                None,
                sku_of_name(join(" ", one.product_name) or one.name_to_display, one.unit_to_display),
                one.quantity,
                whole_vnd(one.price, order.currency),
            )
            for one in order.line_items
        ]
    )
    voided = payment.state == "void"
    if voided and sold:
        return Ignored("voided")
    kind = Kind.CANCEL if voided else Kind.UPSERT
    return OrderCommand.make(order.number, payment.updated_at, _RANK[payment.state], kind, None, sold, None)
