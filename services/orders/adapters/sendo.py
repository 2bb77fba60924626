"""A Sendo shop: what it registers to get, `SALESORDER.CREATE` and `SALESORDER.UPDATE`.

Nothing is signed: our secret is the `key` in the registered address, and `shop_key` in the body must be the shop's.
An update says only that an order can be worked on, or that it is cancelled, which is for good: a cancellation comes
after everything else, however the clocks of both messages were meant. The order stands in `data` itself with
`sales_order_details`, or as the pull interface has it, in `sales_order` and `sku_details`.
https://help-seller.sendo.vn (Kết nối API)
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from services.orders.adapters.base import (
    MOST_LINES,
    BadSignature,
    Credentials,
    Declaration,
    Ignored,
    Malformed,
    Read,
    Request,
)
from services.orders.adapters.fields import (
    Lenient,
    MaybeId,
    Money,
    Name,
    Quantity,
    Sku,
    Sold,
    UnixMoment,
    Words,
    check,
    contact,
    join,
    lines,
    parse,
    sku,
    whole_vnd,
)
from services.orders.adapters.signatures import require
from services.orders.adapters.token import require_key, told
from services.orders.domain.command import UNTIMED, Kind, OrderCommand

DECLARATION = Declaration(
    name="sendo",
    title="Sendo",
    format="Push `SALESORDER.CREATE`, `SALESORDER.UPDATE`, JSON",
    signature="None: our secret as `?key=` of the address, and the shop's `shop_key` in the body",
    dedupe_key="`order_number` + `updated_date_time_stamp` + status + content; a cancellation is final",
    answer_within="undocumented",
    tested_against="The documented schema",
    settings=("shop_key",),
    on_taken=200,
    large=True,
)
CREATE, UPDATE = "SALESORDER.CREATE", "SALESORDER.UPDATE"
CANCELLED = 13
_RANK = {2: 0, 3: 1, 6: 2, 7: 3, 8: 4}


class _Detail(Lenient):
    product_variant_id: MaybeId = None
    store_sku: Sku = None
    sku: Sku = None
    quantity: Quantity
    price: Money = None


class _Order(Lenient):
    order_number: Name
    order_status: int
    updated_date_time_stamp: UnixMoment
    ship_to_contact_name: Words = None
    receiver_name: Words = None
    buyer_name: Words = None
    shipping_contact_phone: Words = None
    buyer_phone: Words = None
    ship_to_address: Words = None
    ship_to_ward: Words = None
    buyer_address: Words = None


_Details = Annotated[list[_Detail], Field(max_length=MOST_LINES)]


class _Flat(_Order):
    sales_order_details: _Details


class _Nested(Lenient):
    sales_order: _Order
    sku_details: _Details


class _Change(Lenient):
    order_number: Name
    order_action: str


class _Push(Lenient):
    type: str
    data: Any = None


def verify(credentials: Credentials, request: Request, now: datetime) -> None:
    """Raises BadSignature."""
    require_key(credentials, request)
    shop_key = told(request.raw).get("shop_key")
    if not isinstance(shop_key, str):
        raise BadSignature("shop_key is missing")
    require(shop_key, [credentials.settings.get("shop_key", "")], "shop_key")


def read(credentials: Credentials, request: Request) -> Read:
    """The new order, or that it is cancelled. Raises Malformed."""
    push = parse(_Push, request.raw)
    if push.type == CREATE:
        return _created(push.data)
    if push.type != UPDATE:
        return Ignored("type")
    change = check(_Change, push.data)
    if change.order_action != "CANCEL":
        return Ignored("action")
    return OrderCommand.make(change.order_number, UNTIMED, 9, Kind.CANCEL)


def _created(data: object) -> OrderCommand:
    if isinstance(data, dict) and "sales_order" in data:
        nested = check(_Nested, data)
        return _command(nested.sales_order, nested.sku_details)
    flat = check(_Flat, data)
    return _command(flat, flat.sales_order_details)


def _command(order: _Order, details: Sequence[_Detail]) -> OrderCommand:
    cancelled = order.order_status == CANCELLED
    if not details and not cancelled:
        raise Malformed([("sales_order_details", "must not be empty")])
    sold = [
        Sold(None, sku(one.store_sku or one.sku, one.product_variant_id), one.quantity, whole_vnd(one.price))
        for one in details
    ]
    customer = contact(
        join(" ", order.ship_to_contact_name) or join(" ", order.receiver_name) or join(" ", order.buyer_name),
        join(" ", order.shipping_contact_phone) or join(" ", order.buyer_phone),
        join(", ", order.ship_to_address, order.ship_to_ward) or join(" ", order.buyer_address),
    )
    return OrderCommand.make(
        order.order_number,
        UNTIMED if cancelled else order.updated_date_time_stamp,
        9 if cancelled else _RANK.get(order.order_status, 1),
        Kind.CANCEL if cancelled else Kind.UPSERT,
        None,
        lines(sold),
        customer,
    )
