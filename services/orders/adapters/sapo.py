"""A shop of Sapo web (mysapo.net, once Bizweb): its webhooks for orders, of the same family as Shopify's.

Signature: base64 HMAC-SHA256 of the raw body, under the new or the old brand's header. Times are `…_on`. The bodies
of Sapo GO (mysapogo.com) are different ones, which are nowhere documented in public; they are refused by name.
"""

from datetime import datetime
from typing import Annotated

from services.orders.adapters import shopify_family as family
from services.orders.adapters.base import Credentials, Declaration, Ignored, Malformed, Read, Request
from services.orders.adapters.fields import Money, UtcMoment, parse, whole_vnd
from services.orders.adapters.signatures import mac_base64, require

DECLARATION = Declaration(
    name="sapo",
    title="Sapo web",
    format="Webhook of an order, Sapo web JSON",
    signature="`X-Sapo-Hmac-SHA256` (or `X-Bizweb-Hmac-SHA256`): base64 HMAC-SHA256 of the body",
    dedupe_key="order `id` + `modified_on` + status + content",
    answer_within="undocumented",
    tested_against="An order object of a real shop",
    on_malformed=200,
    on_taken=200,
    large=True,
)
HEADERS = ("x-sapo-hmac-sha256", "x-bizweb-hmac-sha256")
GO = "x-sapo-tenant-domain"
"""Only Sapo GO sends this header."""


class _Line(family.FamilyLine):
    discounted_unit_price: Money = None


class _Order(family.FamilyOrder):
    modified_on: UtcMoment
    cancelled_on: str | None = None
    status: str | None = None
    test: bool | None = None
    line_items: Annotated[list[_Line], family.SomeLines]


def verify(credentials: Credentials, request: Request, now: datetime) -> None:
    """Raises BadSignature."""
    given = next((request.headers[name] for name in HEADERS if name in request.headers), "")
    require(given, [mac_base64(secret, request.raw) for secret in credentials.secrets], HEADERS[0])


def read(credentials: Credentials, request: Request) -> Read:
    """The order as the shop has it now. Raises Malformed."""
    if GO in request.headers:
        raise Malformed([("body", "is of Sapo GO, whose orders this adapter cannot read")])
    topic = request.headers.get("x-sapo-topic") or request.headers.get("x-bizweb-topic", "")
    return family.read_topic(topic, request.raw, _read_order)


def _read_order(raw: bytes) -> Read:
    order = parse(_Order, raw)
    if order.test:
        return Ignored("test")

    def price_vnd(line: _Line) -> int | None:
        """What the customer pays for one item; `price` is before discounts."""
        paid = line.price if line.discounted_unit_price is None else line.discounted_unit_price
        return whole_vnd(paid, order.currency)

    cancelled = order.cancelled_on is not None or order.status == "cancelled"
    return family.command(order, order.modified_on, cancelled, order.line_items, price_vnd)
