"""A Shopify shop: webhooks of the Admin API for orders.

Signature: base64 HMAC-SHA256 of the raw body with the app's client secret. `orders/updated` follows every change, so
`refunds/create` and `orders/edited`, whose bodies are no orders, are passed over. The admin's test notification has
always the same order id. https://shopify.dev/docs/apps/build/webhooks
"""

import hmac
from datetime import datetime
from decimal import Decimal
from typing import Annotated

from services.orders.adapters import shopify_family as family
from services.orders.adapters.base import BadSignature, Credentials, Declaration, Ignored, Read, Request
from services.orders.adapters.fields import Lenient, Moment, Money, parse, whole_vnd
from services.orders.adapters.signatures import mac_base64, require

DECLARATION = Declaration(
    name="shopify",
    title="Shopify",
    format="Webhook of an order, Admin API JSON",
    signature="`X-Shopify-Hmac-Sha256`: base64 HMAC-SHA256 of the body",
    dedupe_key="order `id` + `updated_at` + status + content (the same for every delivery of an `X-Shopify-Event-Id`)",
    answer_within="5 s, then 8 more times in 4 hours",
    tested_against="Shopify's own test notification, bodies of the documentation",
    settings=("shop_domain?",),
    on_malformed=200,
    on_taken=200,
    large=True,
)
TEST_ORDER = 820982911946154508


class _Discount(Lenient):
    amount: Money = None


class _Line(family.FamilyLine):
    total_discount: Money = None
    discount_allocations: list[_Discount] | None = None


class _Order(family.FamilyOrder):
    updated_at: Moment
    cancelled_at: str | None = None
    line_items: Annotated[list[_Line], family.SomeLines]


def verify(credentials: Credentials, request: Request, now: datetime) -> None:
    """Raises BadSignature; also where the push is of another shop of the same app."""
    expected = [mac_base64(secret, request.raw) for secret in credentials.secrets]
    require(request.headers.get("x-shopify-hmac-sha256", ""), expected, "x-shopify-hmac-sha256")
    shop = credentials.settings.get("shop_domain")
    if shop and not hmac.compare_digest(shop.encode(), request.headers.get("x-shopify-shop-domain", "").encode()):
        raise BadSignature("x-shopify-shop-domain is another shop")


def read(credentials: Credentials, request: Request) -> Read:
    """The order as the shop has it now. Raises Malformed."""
    return family.read_topic(request.headers.get("x-shopify-topic", ""), request.raw, _read_order)


def _read_order(raw: bytes) -> Read:
    order = parse(_Order, raw)
    if order.id == TEST_ORDER:
        return Ignored("test")

    def price_vnd(line: _Line) -> int | None:
        """What the customer pays for one item: `price` is before discounts."""
        if line.price is None or not line.quantity:
            return None
        amounts = [one.amount or Decimal() for one in line.discount_allocations or ()] or [
            line.total_discount or Decimal()
        ]
        return whole_vnd(line.price - sum(amounts) / line.quantity, order.currency)

    return family.command(order, order.updated_at, order.cancelled_at is not None, order.line_items, price_vnd)
