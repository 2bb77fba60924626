"""A WooCommerce shop: its webhooks for orders, as class-wc-webhook.php sends them (REST API v3 bodies).

Signature: base64 HMAC-SHA256 of the raw body; the key is the secret after wp_specialchars_decode(ENT_QUOTES). The
ping that activates a webhook is unsigned. Delivery ids repeat within a second, so they do not tell pushes apart.
"""

import html
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from services.orders.adapters.base import (
    MOST_LINES,
    MOST_TEXT,
    Credentials,
    Declaration,
    Ignored,
    Malformed,
    Ping,
    Read,
    Request,
    parse,
)
from services.orders.adapters.signatures import mac_base64, require
from services.orders.domain.command import UNTIMED, CommandLine, Contact, Kind, OrderCommand

TOPICS = ("order.created", "order.updated", "order.restored")
CANCELLED = ("cancelled", "refunded", "failed", "trash")
UNBORN = ("checkout-draft", "auto-draft", "draft")
_RANK = {"pending": 0, "on-hold": 1, "processing": 2, "completed": 4}
_PING = re.compile(rb"webhook_id=[0-9]{1,20}")
_ENTITY = re.compile(r"&(?:#0*(?:38|39|34|60|62)|#[xX]0*(?:26|27|22)|amp|lt|gt|quot);")
_MONEY = re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})?")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]+")
_MOST_LINE_NO = 2_000_000_000
_Id = Annotated[int, Field(ge=0, lt=2**63)]


class _Lenient(BaseModel):
    """Strict about the fields that we read, blind to the many others."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


class _Person(_Lenient):
    first_name: str | None = None
    last_name: str | None = None
    phone: str | None = None
    address_1: str | None = None
    address_2: str | None = None
    city: str | None = None
    state: str | None = None


class _Item(_Lenient):
    id: _Id | None = None
    product_id: _Id | None = None
    variation_id: _Id | None = None
    sku: Annotated[str, Field(max_length=100)] | None = None
    quantity: Annotated[int, Field(ge=0, le=999_999)]
    total: str | None = None


class _Meta(_Lenient):
    key: str | None = None
    value: Any = None


class _Deleted(_Lenient):
    id: Annotated[_Id, Field(ge=1)]


class _Order(_Deleted):
    status: Annotated[str, Field(min_length=1)]
    currency: str | None = None
    date_modified_gmt: Annotated[datetime, Field(strict=True)]
    line_items: Annotated[tuple[_Item, ...], Field(max_length=MOST_LINES)]
    meta_data: tuple[_Meta, ...] = ()
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
    cancelled = order.status in CANCELLED
    return OrderCommand.make(
        str(order.id),
        _utc(order.date_modified_gmt),
        9 if cancelled else _RANK.get(order.status, 3),  # a shop's own status is taken for an order on its way
        Kind.CANCEL if cancelled else Kind.UPSERT,
        _delivery_day(order),
        _lines(order),
        _contact(order),
        restores=topic == "order.restored",
    )


def _is_ping(request: Request) -> bool:
    form = request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
    return form and _PING.fullmatch(request.raw) is not None


def _key(secret: str) -> bytes:
    return _ENTITY.sub(lambda entity: html.unescape(entity[0]), secret).encode()


def _utc(moment: datetime) -> datetime:
    """`date_modified_gmt` has no zone suffix. Raises Malformed outside of the years that a shop can mean."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if not 2000 <= aware.year < 2200:
        raise Malformed([("date_modified_gmt", "is outside of the years 2000 to 2199")])
    return aware


def _lines(order: _Order) -> tuple[CommandLine, ...]:
    """The items by their lasting ids, so that a line keeps its number when others go; else by position."""
    ids = [item.id or 0 for item in order.line_items]
    lasting = len(set(ids)) == len(ids) and all(1 <= number <= _MOST_LINE_NO for number in ids)
    return tuple(
        CommandLine(
            item.id if lasting and item.id else position,
            _sku(item),
            Decimal(item.quantity),
            _price_vnd(item) if order.currency == "VND" else None,
        )
        for position, item in enumerate(order.line_items, 1)
        if item.quantity
    )


def _sku(item: _Item) -> str:
    """An item without a SKU goes by the shop's product id, so that staff can map it all the same."""
    written = _CONTROLS.sub(" ", item.sku or "").strip()
    return written or f"product:{item.variation_id or item.product_id or 0}"


def _price_vnd(item: _Item) -> int | None:
    """What the customer paid per item, where that is whole VND; the shop's own `price` is a float."""
    if item.total is None or not _MONEY.fullmatch(item.total):
        return None
    price = Decimal(item.total) / item.quantity
    return int(price) if price == int(price) else None


def _delivery_day(order: _Order) -> date | None:
    """WooCommerce has no such field; shops that ask the customer put it into this one."""
    for position, meta in enumerate(order.meta_data):
        if meta.key == "_delivery_day" and meta.value not in (None, ""):
            try:
                return date.fromisoformat(str(meta.value))
            except ValueError:
                raise Malformed([(f"meta_data[{position}].value", "must be a day such as 2026-11-24")]) from None
    return None


def _contact(order: _Order) -> Contact:
    """Vietnamese shops often have the whole name in last_name and the address only in `_shipping_address`."""
    to, by = order.shipping, order.billing
    name = _join(" ", to.first_name, to.last_name) or _join(" ", by.first_name, by.last_name)
    address = _join(", ", to.address_1, to.address_2, to.city, to.state)
    if not to.address_1:
        written = next((m.value for m in order.meta_data if m.key == "_shipping_address"), None)
        billed = _join(", ", by.address_1, by.address_2, by.city, by.state)
        address = _join(" ", written if isinstance(written, str) else None) or billed or address
    return Contact(name, _join(" ", to.phone or by.phone), address)


def _join(between: str, *parts: str | None) -> str | None:
    words = (_CONTROLS.sub(" ", part or "").strip() for part in parts)
    return between.join(word for word in words if word)[:MOST_TEXT] or None
