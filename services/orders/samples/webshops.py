"""WooCommerce, and the family of Shopify, Haravan and Sapo."""

import html
from datetime import UTC
from typing import Any

from services.orders.adapters.signatures import mac_base64
from services.orders.samples.base import JSON, Request, SampleOrder, Shop, encoded


def woocommerce(shop: Shop, order: SampleOrder) -> Request:
    """REST API v3."""
    body = {
        "id": order.number,
        "status": "cancelled" if order.cancelled else "processing",
        "currency": "VND",
        "date_modified_gmt": shop.now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S"),
        "line_items": [{"id": 1, "sku": order.sku, "quantity": order.quantity}],
    }
    raw = encoded(body)
    headers = {
        "x-wc-webhook-topic": "order.updated" if order.cancelled else "order.created",
        "x-wc-webhook-delivery-id": f"test-{order.number}",
        "x-wc-webhook-signature": mac_base64(html.unescape(shop.secret), raw),  # as WordPress undoes what it escaped
    }
    return Request(str(order.number), JSON | headers, raw)


def shopify(shop: Shop, order: SampleOrder) -> Request:
    """Admin API."""
    raw = encoded(_family(shop, order, "updated_at", "cancelled_at"))
    headers = {
        "x-shopify-topic": _topic(order),
        "x-shopify-shop-domain": shop.setting("shop_domain", "test.myshopify.com"),
        "x-shopify-event-id": f"test-{order.number}-{order.cancelled:d}",
        "x-shopify-hmac-sha256": mac_base64(shop.secret, raw),
    }
    return Request(str(order.number), JSON | headers, raw)


def haravan(shop: Shop, order: SampleOrder) -> Request:
    """Omni API."""
    body = _family(shop, order, "updated_at", "cancelled_at")
    raw = encoded(body | {"cancelled_status": "cancelled" if order.cancelled else "uncancelled"})
    headers = {
        "x-haravan-topic": _topic(order),
        "x-haravan-org-id": shop.setting("org_id", "1"),
        "x-haravan-hmacsha256": mac_base64(shop.secret, raw),
    }
    return Request(str(order.number), JSON | headers, raw)


def sapo(shop: Shop, order: SampleOrder) -> Request:
    """Sapo web."""
    raw = encoded(_family(shop, order, "modified_on", "cancelled_on"))
    headers = {"x-sapo-topic": _topic(order), "x-sapo-hmac-sha256": mac_base64(shop.secret, raw)}
    return Request(str(order.number), JSON | headers, raw)


def _topic(order: SampleOrder) -> str:
    return "orders/cancelled" if order.cancelled else "orders/create"


def _family(shop: Shop, order: SampleOrder, updated: str, cancelled: str) -> dict[str, Any]:
    """`updated`, `cancelled`: what the platform calls these times."""
    now = shop.now.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return {
        "id": order.number,
        "name": f"#{order.number}",
        "currency": "VND",
        "financial_status": "pending",
        updated: now,
        cancelled: now if order.cancelled else None,
        "line_items": [{"id": 1, "sku": order.sku, "quantity": order.quantity, "price": None}],
    }
