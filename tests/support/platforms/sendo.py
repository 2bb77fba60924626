"""A Sendo shop's story of one order."""

from typing import Any

from tests.support.platforms.base import SECRET, Platform, Told, who


def sendo_order(second: int, status: int = 2, **other: Any) -> dict[str, Any]:
    """An order as SALESORDER.CREATE has it."""
    return {
        "id": 1,
        "order_number": "142873645429",
        "order_status": status,
        "updated_date_time_stamp": 1795410000 + second,
        "ship_to_contact_name": "Lò Thị Mai",
        "shipping_contact_phone": "0912345678",
        "ship_to_address": "Bản Hua Tạt",
        "sales_order_details": [
            {"product_variant_id": 5, "store_sku": "CAI", "quantity": 2, "price": 15000.0},
            {"product_variant_id": 6, "store_sku": "", "quantity": 1, "price": 8000.5},
        ],
    } | other


def sendo_push(kind: str, data: Any) -> dict[str, Any]:
    """A push of the shop whose key this is."""
    return {"type": kind, "store_id": 31, "shop_key": "fe83e4e71f3d23121fc6def5faca1d", "data": data}


SENDO_CANCEL = {
    "order_action": "CANCEL",
    "order_number": "142873645429",
    "data": {"order_status": 13, "cancel_date_timestamp": 1795400000, "cancel_by": "buyer"},
}
SENDO = Platform(
    "sendo",
    who(SECRET, shop_key="fe83e4e71f3d23121fc6def5faca1d"),
    (
        Told(sendo_push("SALESORDER.CREATE", sendo_order(0))),
        Told(sendo_push("SALESORDER.UPDATE", {"order_action": "UNLOCK", "order_number": "142873645429"})),
        Told(sendo_push("SALESORDER.CREATE", sendo_order(60, 3))),
        Told(sendo_push("SALESORDER.UPDATE", SENDO_CANCEL)),
    ),
    lambda raw: ({}, {"key": SECRET}),
)
