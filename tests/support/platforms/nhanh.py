"""A Nhanh.vn shop's story of one order."""

from typing import Any

from tests.support.platforms.base import SECRET, Platform, Told, who


def nhanh_push(event: str, data: Any, **other: Any) -> dict[str, Any]:
    """A webhook; the token in its body is the shop's secret."""
    return {"event": event, "businessId": 10000, "webhooksVerifyToken": SECRET, "data": data} | other


def nhanh_order(status: str, quantity: Any = 2.0, **other: Any) -> dict[str, Any]:
    """An order as `orderAdd` has it."""
    return {
        "orderId": 125123098,
        "shopOrderId": "S-1",
        "status": status,
        "customerName": "Lò Thị Mai",
        "customerMobile": "0912345678",
        "customerAddress": "Bản Hua Tạt",
        "customerWard": "Xã Vân Hồ",
        "customerCity": "Sơn La",
        "products": [{"id": 31, "code": "CAI", "quantity": quantity, "price": 15000.0, "discount": 0}],
    } | other


NHANH = Platform(
    "nhanh",
    who(SECRET, business_id="10000"),
    (
        Told(nhanh_push("orderAdd", nhanh_order("New"))),
        Told(nhanh_push("orderUpdate", nhanh_order("Confirmed", quantity=3.0))),
        Told(nhanh_push("orderUpdate", {"orderId": 125123098, "status": "Packing"})),
        Told(nhanh_push("orderUpdate", {"orderId": 125123098, "status": "Canceled", "reason": "Duplicated"})),
    ),
    lambda raw: ({"verifytoken": SECRET}, {}),
)
