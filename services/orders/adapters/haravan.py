"""A Haravan shop: webhooks of its Omni API for orders, of the same family as Shopify's.

Signature: base64 HMAC-SHA256 of the raw body with the app's secret; the header is spelt in two ways. The address is
tried with GET `hub.mode=subscribe&hub.verify_token=…&hub.challenge=…`. Prices are after the discounts of their lines,
and times in UTC with up to seven places. There is no delivery id. https://docs.haravan.com
"""

import hmac
from datetime import datetime
from typing import Annotated

from services.orders.adapters import hub
from services.orders.adapters import shopify_family as family
from services.orders.adapters.base import BadSignature, Credentials, Declaration, Read, Request
from services.orders.adapters.fields import UtcMoment, parse, whole_vnd
from services.orders.adapters.signatures import mac_base64, require

DECLARATION = Declaration(
    name="haravan",
    title="Haravan",
    format="Webhook of an order, Omni API JSON",
    signature="`X-Haravan-HmacSha256`: base64 HMAC-SHA256 of the body; GET challenge with `hub.verify_token`",
    dedupe_key="order `id` + `updated_at` + status + content",
    answer_within="5 s (unconfirmed)",
    tested_against="Bodies of the official documentation",
    settings=("verify_token?", "org_id?"),
    on_malformed=200,
    on_taken=200,
    large=True,
    answers_get=True,
)
HEADERS = ("x-haravan-hmacsha256", "x-haravan-hmac-sha256")


class _Order(family.FamilyOrder):
    updated_at: UtcMoment
    cancelled_at: str | None = None
    cancelled_status: str | None = None
    line_items: Annotated[list[family.FamilyLine], family.SomeLines]


def verify(credentials: Credentials, request: Request, now: datetime) -> None:
    """Raises BadSignature; also where the push is of another shop of the same app."""
    if request.method == "GET":
        hub.verify(credentials, request)
        return
    given = next((request.headers[name] for name in HEADERS if name in request.headers), "")
    require(given, [mac_base64(secret, request.raw) for secret in credentials.secrets], HEADERS[0])
    shop = credentials.settings.get("org_id")
    if shop and not hmac.compare_digest(shop.encode(), request.headers.get("x-haravan-org-id", "").encode()):
        raise BadSignature("x-haravan-org-id is another shop")


def read(credentials: Credentials, request: Request) -> Read:
    """The order as the shop has it now, or the challenge. Raises Malformed."""
    if request.method == "GET":
        return hub.challenge(request)
    return family.read_topic(request.headers.get("x-haravan-topic", ""), request.raw, _read_order)


def _read_order(raw: bytes) -> Read:
    order = parse(_Order, raw)
    cancelled = order.cancelled_status == "cancelled" or order.cancelled_at is not None
    return family.command(
        order, order.updated_at, cancelled, order.line_items, lambda line: whole_vnd(line.price, order.currency)
    )
