"""A WooCommerce shop: its webhooks for orders, as class-wc-webhook.php sends them (REST API v3 bodies).

Signature: base64 HMAC-SHA256 of the raw body; the key is the secret after wp_specialchars_decode(ENT_QUOTES). The
ping that activates a webhook is unsigned. Delivery ids repeat within a second, so they do not tell pushes apart.

A refund has an amount and no quantities, so a refund of some of the items cannot be seen: the order stays as it was
placed. Only where the refunds come to the total exactly, nothing is left of the order, and it is cancelled.
"""

import html
import re
from datetime import date, datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from services.orders.adapters.base import MOST_LINES, Credentials, Declaration, Ignored, Ping, Read, Request
from services.orders.adapters.fields import (
    Id,
    Lenient,
    MaybeId,
    Money,
    Quantity,
    Sku,
    Sold,
    UtcMoment,
    Words,
    day,
    join,
    lines,
    parse,
    sku,
    whole_vnd,
)
from services.orders.adapters.signatures import mac_base64, require
from services.orders.domain.command import UNTIMED, Contact, Kind, OrderCommand

TOPICS = ("order.created", "order.updated", "order.restored")
CANCELLED = ("cancelled", "refunded", "failed", "trash")
UNBORN = ("checkout-draft", "auto-draft", "draft")
_RANK = {"pending": 0, "on-hold": 1, "processing": 2, "completed": 4}
_PING = re.compile(rb"webhook_id=[0-9]{1,20}")
_ENTITY = re.compile(r"&(?:#0*(?:38|39|34|60|62)|#[xX]0*(?:26|27|22)|amp|lt|gt|quot);")


class _Person(Lenient):
    first_name: Words = None
    last_name: Words = None
    phone: Words = None
    address_1: Words = None
    address_2: Words = None
    city: Words = None
    state: Words = None


class _Item(Lenient):
    id: MaybeId = None
    product_id: MaybeId = None
    variation_id: MaybeId = None
    sku: Sku = None
    quantity: Quantity
    total: Money = None
    total_tax: Money = None


class _Refund(Lenient):
    total: Annotated[Money, BeforeValidator(lambda value: str(value).removeprefix("-"))] = None  # written as negative


class _Meta(Lenient):
    key: Any = None
    value: Any = None


class _Deleted(Lenient):
    id: Id


class _Order(_Deleted):
    status: Annotated[str, Field(min_length=1)]
    currency: str | None = None
    total: Money = None
    refunds: list[_Refund] | None = None
    date_modified_gmt: UtcMoment  # without a zone
    line_items: Annotated[list[_Item], Field(max_length=MOST_LINES)]
    meta_data: list[_Meta] | None = None
    billing: _Person = _Person()
    shipping: _Person = _Person()


DECLARATION = Declaration(
    name="woocommerce",
    title="WooCommerce",
    format="Webhook of an order, REST API v3 JSON",
    signature="`X-WC-Webhook-Signature`: base64 HMAC-SHA256 of the body; the ping that activates it is unsigned",
    dedupe_key="order `id` + `date_modified_gmt` + status + content (delivery ids repeat within a second)",
    answer_within="60 s, never sent again: with `shop_url` and an API key, missed orders are asked for",
    tested_against="Bodies of the official documentation, captured headers, signatures computed with openssl",
    settings=("shop_url?",),
    on_malformed=200,
    large=True,
)


def verify(credentials: Credentials, request: Request, now: datetime) -> None:
    """Raises BadSignature; lets the unsigned ping through, which is read as nothing else."""
    if _is_ping(request):
        return
    expected = [mac_base64(_key(secret), request.raw) for secret in credentials.secrets]
    require(request.headers.get("x-wc-webhook-signature", ""), expected, "x-wc-webhook-signature")


def read(credentials: Credentials, request: Request) -> Read:
    """The order as the shop has it now. Raises Malformed."""
    if _is_ping(request):
        return Ping()
    topic = request.headers.get("x-wc-webhook-topic", "")
    if topic == "order.deleted":
        deleted = parse(_Deleted, request.raw)
        return OrderCommand.make(str(deleted.id), UNTIMED, 0, Kind.CANCEL)
    if topic not in TOPICS:
        return Ignored("topic")
    order = parse(_Order, request.raw)
    if order.status in UNBORN:
        return Ignored("status")
    cancelled = order.status in CANCELLED or _is_refunded(order)
    return OrderCommand.make(
        str(order.id),
        order.date_modified_gmt,
        9 if cancelled else _RANK.get(order.status, 3),  # a shop's own status is taken for an order on its way
        Kind.CANCEL if cancelled else Kind.UPSERT,
        _delivery_day(order),
        lines([_sold(item, order.currency) for item in order.line_items]),
        _contact(order),
        restores=topic == "order.restored",
    )


def _is_ping(request: Request) -> bool:
    form = request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
    return form and _PING.fullmatch(request.raw) is not None


def _key(secret: str) -> bytes:
    return _ENTITY.sub(lambda entity: html.unescape(entity[0]), secret).encode()


def _is_refunded(order: _Order) -> bool:
    """Whether all that the order cost was given back. What is no amount counts nothing."""
    return bool(order.total) and sum(one.total or 0 for one in order.refunds or ()) == order.total


def _sold(item: _Item, currency: str | None) -> Sold:
    """With what the customer paid per item: `total` is after discounts and before tax, and `price` is a float."""
    paid = None if item.total is None else item.total + (item.total_tax or 0)
    price = paid / item.quantity if paid is not None and item.quantity else None
    name = sku(item.sku, item.variation_id, item.product_id)
    return Sold(item.id, name, item.quantity, whole_vnd(price, currency))


def _delivery_day(order: _Order) -> date | None:
    """WooCommerce has no such field; shops that ask the customer put it into this one."""
    for position, meta in enumerate(order.meta_data or ()):
        if meta.key == "_delivery_day":
            return day(meta.value, f"meta_data[{position}].value")
    return None


def _contact(order: _Order) -> Contact:
    """Vietnamese shops often have the whole name in last_name and the address only in `_shipping_address`."""
    to, by = order.shipping, order.billing
    name = join(" ", to.first_name, to.last_name) or join(" ", by.first_name, by.last_name)
    address = join(", ", to.address_1, to.address_2, to.city, to.state)
    if not to.address_1:
        written = next((m.value for m in order.meta_data or () if m.key == "_shipping_address"), None)
        billed = join(", ", by.address_1, by.address_2, by.city, by.state)
        address = join(" ", written if isinstance(written, str) else None) or billed or address
    return Contact(name, join(" ", to.phone or by.phone), address)
