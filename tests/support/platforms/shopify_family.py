"""The story of one order in shops of Shopify, Haravan and Sapo, whose orders are of one family."""

from typing import Any

from tests.support.platforms.base import SECRET, Platform, Told, in_base64, in_header, who


def family_order(minute: int, times: tuple[str, str], **other: Any) -> dict[str, Any]:
    """An order of the family; `times`: the names of its times of update and of cancellation."""
    updated, cancelled = times
    return {
        "id": 5678901234567,
        "name": "#1001",
        "currency": "VND",
        "financial_status": "pending",
        "fulfillment_status": None,
        "created_on": "2026-11-23T08:00:00Z",
        updated: f"2026-11-23T08:{minute:02d}:00.1234567Z",
        cancelled: None,
        "note_attributes": [],
        "refunds": [],
        "shipping_address": {
            "name": "Lò Thị Mai",
            "phone": "0912345678",
            "address1": "Bản Hua Tạt",
            "ward": "Xã Vân Hồ",
            "district": None,
            "province": "Sơn La",
        },
        "line_items": [
            {"id": 866550311766439020, "sku": "CAI", "quantity": 2, "price": "15000.00", "variant_id": 808950810},
            {"id": 866550311766439021, "sku": "SU-SU", "quantity": 3, "price": "8000.00", "variant_id": 808950811},
        ],
    } | other


SHOPIFY_TIMES = ("updated_at", "cancelled_at")
SAPO_TIMES = ("modified_on", "cancelled_on")
PARTIAL_REFUND = [{"id": 1, "refund_line_items": [{"id": 2, "line_item_id": 866550311766439021, "quantity": 1}]}]


def _family(topic: str, times: tuple[str, str]) -> tuple[Told, ...]:
    cancelled = {times[1]: "2026-11-23T08:30:00Z", "financial_status": "refunded"}
    return (
        Told(family_order(0, times), {topic: "orders/create"}),
        Told(family_order(0, times, financial_status="paid"), {topic: "orders/paid"}),
        Told(family_order(20, times, financial_status="paid", refunds=PARTIAL_REFUND), {topic: "orders/updated"}),
        Told(family_order(30, times, **cancelled), {topic: "orders/cancelled"}),
    )


SHOPIFY = Platform(
    "shopify", who(SECRET), _family("x-shopify-topic", SHOPIFY_TIMES), in_header("x-shopify-hmac-sha256", in_base64)
)
HARAVAN = Platform(
    "haravan",
    who(SECRET, verify_token="mã của chúng tôi"),
    _family("x-haravan-topic", SHOPIFY_TIMES),
    in_header("x-haravan-hmacsha256", in_base64),
)
SAPO = Platform("sapo", who(SECRET), _family("x-sapo-topic", SAPO_TIMES), in_header("x-sapo-hmac-sha256", in_base64))
