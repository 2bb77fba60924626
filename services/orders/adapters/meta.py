"""Meta: orders that customers put together from a WhatsApp catalogue, as messages of the Cloud API.

Signature: X-Hub-Signature-256, `sha256=` and the hex HMAC-SHA256 of the raw body with the app's secret. The address is
tried with a GET challenge. Pushes are batches of entries of many kinds; each message of type `order` is an order by
itself, which can be neither changed nor cancelled through WhatsApp: a customer who wants that writes to the shop. A
push is always answered 200; what is signed but faulty is set aside.
https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks/payload-examples
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from services.orders.adapters import hub
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
    Lenient,
    Money,
    Quantity,
    Sold,
    UnixMoment,
    Words,
    check,
    contact,
    join,
    lines,
    parse,
    whole_vnd,
)
from services.orders.adapters.signatures import mac_hex, require
from services.orders.domain.command import Kind, OrderCommand

DECLARATION = Declaration(
    name="meta",
    title="Meta (WhatsApp catalogue)",
    format="Webhook of WhatsApp messages, JSON with many entries",
    signature="`X-Hub-Signature-256`: hex HMAC-SHA256 of the body; GET challenge with `hub.verify_token`",
    dedupe_key="`messages[].id`",
    answer_within="5 s to 20 s (unconfirmed), always 200",
    tested_against="A published signature vector, an order message by shape",
    settings=("verify_token", "phone_number_id?"),
    on_malformed=200,
    on_taken=200,
    large=True,
    answers_get=True,
)
MOST_ORDERS = 500
MOST_REF = 200


class _Product(Lenient):
    product_retailer_id: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")]
    quantity: Quantity
    item_price: Money = None
    currency: str | None = None


class _Cart(Lenient):
    product_items: Annotated[list[_Product], Field(min_length=1, max_length=MOST_LINES)]


class _Message(Lenient):
    id: Annotated[str, Field(min_length=1, max_length=MOST_REF, pattern=r"^[^\x00-\x1f\x7f]+$")]
    sender: Annotated[Words, Field(alias="from")] = None
    timestamp: UnixMoment
    order: _Cart


class _Profile(Lenient):
    name: Words = None


class _Contact(Lenient):
    wa_id: Words = None
    profile: _Profile | None = None


class _Metadata(Lenient):
    phone_number_id: Words = None


class _Value(Lenient):
    metadata: _Metadata | None = None
    contacts: list[_Contact] | None = None
    messages: list[Any] | None = None


class _Change(Lenient):
    field: str | None = None
    value: Any = None


class _Entry(Lenient):
    changes: list[_Change] | None = None


class _Push(Lenient):
    entry: list[_Entry]


def verify(credentials: Credentials, request: Request, now: datetime) -> None:
    """Raises BadSignature."""
    if request.method == "GET":
        hub.verify(credentials, request)
        return
    expected = ["sha256=" + mac_hex(secret, request.raw) for secret in credentials.secrets]
    require(request.headers.get("x-hub-signature-256", ""), expected, "x-hub-signature-256")


def read(credentials: Credentials, request: Request) -> Read:
    """Each of the orders, or what is wrong with it; or the challenge. Raises Malformed."""
    if request.method == "GET":
        return hub.challenge(request)
    number = credentials.settings.get("phone_number_id")
    items = [item for change in _changes(parse(_Push, request.raw)) for item in _items(change, number)]
    if len(items) > MOST_ORDERS:
        raise Malformed([("entry", f"has {len(items)} orders; the most is {MOST_ORDERS}")])
    return Batch(tuple(items)) if items else Ignored("no order")


def _changes(push: _Push) -> Iterator[object]:
    return (change.value for entry in push.entry for change in entry.changes or () if change.field == "messages")


def _items(change: object, number: str | None) -> Iterator[Item]:
    """The orders among the messages to the shop's number; one app may serve many."""
    try:
        value = check(_Value, change)
    except Malformed as error:
        yield Item("value", error)
        return
    told = value.metadata.phone_number_id if value.metadata else None
    if number is None or told == number:
        for position, message in enumerate(value.messages or ()):
            if isinstance(message, dict) and message.get("type") == "order":
                yield _item(position, message, value)


def _item(position: int, found: object, value: _Value) -> Item:
    try:
        message = check(_Message, found)
    except Malformed as error:
        return Item(f"messages[{position}]", error)
    return Item(message.id, _command(message, value))


def _command(message: _Message, value: _Value) -> OrderCommand:
    sold = [
        Sold(None, item.product_retailer_id, item.quantity, whole_vnd(item.item_price, item.currency))
        for item in message.order.product_items
    ]
    profile = next((one.profile for one in value.contacts or () if one.wa_id == message.sender), None)
    phone = join(" ", message.sender)
    customer = contact(
        join(" ", profile.name) if profile else None, f"+{phone}" if phone and phone.isdecimal() else phone, None
    )
    return OrderCommand.make(message.id, message.timestamp, 0, Kind.UPSERT, None, lines(sold), customer)
