"""A KiotViet shop: its webhooks `order.update`, several orders in one push.

Signature: HMAC-SHA256 of the raw body in X-Hub-Signature. The documentation leaves open whether the key is the
registered secret as it is written or what it is the base64 of, and how the result is written; all four are tried. It
sends no more after 400, 401, 403, 404 or 405, so nothing is refused: what proves nothing is counted, what is signed
but faulty is set aside. There is no `order.create`: the first sight of an order creates it. Invoices are the shop's
later documents of the same sales, and are passed over. An order without time of update is as old as its purchase,
but never newer than its arrival, as a shop may date a purchase ahead.
https://www.kiotviet.vn/huong-dan-su-dung-public-api
"""

import base64
import binascii
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from services.orders.adapters.base import (
    MOST_LINES,
    Batch,
    Credentials,
    Declaration,
    Ignored,
    Item,
    Malformed,
    Read,
    Request,
)
from services.orders.adapters.fields import (
    HanoiMoment,
    Id,
    Lenient,
    MaybeId,
    Money,
    Quantity,
    Sku,
    Sold,
    Words,
    check,
    contact,
    join,
    lines,
    parse,
    sku,
    undiscounted_vnd,
)
from services.orders.adapters.signatures import mac, require
from services.orders.domain.command import Kind, OrderCommand

DECLARATION = Declaration(
    name="kiotviet",
    title="KiotViet",
    format="Webhook `order.update`, JSON with many orders",
    signature="`X-Hub-Signature`: HMAC-SHA256 of the body, in hex or base64, by the secret or what it encodes",
    dedupe_key="order `Id` + `ModifiedDate` + status + content (the same for every `Attempt` of a push's `Id`)",
    answer_within="5 s, always 200",
    tested_against="The documented schema, a captured `product.update`",
    on_bad_signature=200,
    on_malformed=200,
    on_taken=200,
    large=True,
)
CANCELLED = 4
_RANK = {1: 0, 5: 1, 2: 2, 3: 3}
"""Phiếu tạm, đã xác nhận, đang giao hàng, hoàn thành; 4 is đã hủy."""
MOST_ORDERS = 500


class _Detail(Lenient):
    ProductId: MaybeId = None
    ProductCode: Sku = None
    Quantity: Quantity
    Price: Money = None
    Discount: Money = None


class _Order(Lenient):
    Id: Id
    Status: int
    PurchaseDate: HanoiMoment
    ModifiedDate: HanoiMoment | None = None
    CustomerName: Words = None
    OrderDetails: Annotated[list[_Detail], Field(max_length=MOST_LINES)]


class _Notification(Lenient):
    Action: str
    Data: list[Any] | None = None


class _Push(Lenient):
    Notifications: list[_Notification]


def verify(credentials: Credentials, request: Request, now: datetime) -> None:
    """Raises BadSignature."""
    given = request.headers.get("x-hub-signature", "").removeprefix("sha256=")
    expected = [text for secret in credentials.secrets for key in _keys(secret) for text in _written(key, request.raw)]
    require(given, expected, "x-hub-signature")


def _keys(secret: str) -> Iterator[bytes]:
    yield secret.encode()
    try:
        yield base64.b64decode(secret, validate=True)
    except (binascii.Error, ValueError):
        return


def _written(key: bytes, raw: bytes) -> tuple[str, str, str]:
    digest = mac(key, raw)
    return digest.hex(), digest.hex().upper(), base64.b64encode(digest).decode()


def read(credentials: Credentials, request: Request) -> Read:
    """Each of the orders, or what is wrong with it. Raises Malformed where the push itself cannot be read."""
    notifications = parse(_Push, request.raw).Notifications
    found = [order for one in notifications if _is_order(one.Action) for order in one.Data or ()]
    if len(found) > MOST_ORDERS:
        raise Malformed([("Notifications", f"have {len(found)} orders; the most is {MOST_ORDERS}")])
    if not found:
        return Ignored("action")
    return Batch(tuple(_item(position, order, request.received_at) for position, order in enumerate(found)))


def _is_order(action: str) -> bool:
    """The action is followed by the shop's id: `order.update.500400541`."""
    return action == "order.update" or action.startswith("order.update.")


def _item(position: int, found: object, received_at: datetime | None) -> Item:
    try:
        command = _command(check(_Order, found), received_at)
    except Malformed as error:
        return Item(f"orders[{position}]", error)
    return Item(command.partner_ref, command)


def _command(order: _Order, received_at: datetime | None) -> OrderCommand:
    cancelled = order.Status == CANCELLED
    sold = [
        Sold(None, sku(item.ProductCode, item.ProductId), item.Quantity, undiscounted_vnd(item.Price, item.Discount))
        for item in order.OrderDetails
    ]
    return OrderCommand.make(
        str(order.Id),
        order.ModifiedDate or min(order.PurchaseDate, received_at or order.PurchaseDate),
        9 if cancelled else _RANK.get(order.Status, 1),
        Kind.CANCEL if cancelled else Kind.UPSERT,
        None,
        lines(sold),
        contact(join(" ", order.CustomerName), None, None),
    )
