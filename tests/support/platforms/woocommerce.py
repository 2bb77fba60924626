"""A WooCommerce shop's story of one order."""

from typing import Any

from tests.support.platforms.base import SECRET, Headers, Platform, Told, in_base64, in_header, who


def _woo(second: int, status: str, *quantities: str) -> dict[str, Any]:
    return {
        "id": 727,
        "status": status,
        "currency": "VND",
        "date_modified_gmt": f"2026-11-23T01:02:{second:02d}",
        "billing": {"last_name": "Lò Thị Mai", "phone": "0912345678"},
        "line_items": [
            {"id": 315 + n, "sku": f"SKU-{n}", "quantity": quantity, "total": "30000.00"}
            for n, quantity in enumerate(quantities)
        ],
    }


def _woo_topic(topic: str) -> Headers:
    return {"x-wc-webhook-topic": topic}


WOOCOMMERCE = Platform(
    "woocommerce",
    who(SECRET),
    (
        Told(_woo(1, "pending", "2"), _woo_topic("order.created")),
        Told(_woo(1, "processing", "2"), _woo_topic("order.updated")),
        Told(_woo(7, "processing", "2", "1"), _woo_topic("order.updated")),
        Told(_woo(9, "cancelled", "2", "1"), _woo_topic("order.updated")),
    ),
    in_header("x-wc-webhook-signature", in_base64),
)
