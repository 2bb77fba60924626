"""A KiotViet shop's story of one order."""

from typing import Any

from tests.support.platforms.base import SECRET, Platform, Told, in_header, in_hex, who


def kiot_order(minute: int, status: int, quantity: Any = 1.5, **other: Any) -> dict[str, Any]:
    """An order as `order.update` has it."""
    return {
        "Id": 26254255,
        "Code": "DH000150",
        "PurchaseDate": "2026-11-23T08:00:00.1470000+07:00",
        "ModifiedDate": f"2026-11-23T08:{minute:02d}:00.1470000+07:00",
        "CustomerName": "Lò Thị Mai",
        "Total": 45000.0,
        "Discount": 0,
        "Status": status,
        "StatusValue": "Phiếu tạm",
        "OrderDetails": [
            {"ProductId": 7, "ProductCode": "CAI", "Quantity": quantity, "Price": 30000.0, "Discount": 0},
            {"ProductId": 8, "ProductCode": "SU-SU", "Quantity": 2, "Price": 8000, "Discount": 500},
        ],
    } | other


def kiot_push(*orders: Any, action: str = "order.update.500400541") -> dict[str, Any]:
    """A push of several orders."""
    return {"Id": "d42dcce1", "Attempt": 1, "Notifications": [{"Action": action, "Data": list(orders)}]}


KIOTVIET = Platform(
    "kiotviet",
    who(SECRET),
    (
        Told(kiot_push(kiot_order(0, 1))),
        Told(kiot_push(kiot_order(0, 5))),
        Told(kiot_push(kiot_order(20, 5, quantity=2.5))),
        Told(kiot_push(kiot_order(30, 4, quantity=2.5))),
    ),
    in_header("x-hub-signature", in_hex),
)
