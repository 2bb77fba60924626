"""The story of one order on TikTok Shop, Shopee and Lazada, which push without lines."""

from collections.abc import Callable, Mapping
from typing import Any

from tests.support.platforms.base import SECRET, URL, Headers, Platform, Told, in_hex, who


def _with_hex(message: Callable[[bytes], bytes]) -> Callable[[bytes], tuple[Headers, Mapping[str, str]]]:
    return lambda raw: ({"authorization": in_hex(message(raw))}, {})


def tiktok_push(kind: int, minute: int, key: str, **data: Any) -> dict[str, Any]:
    """A webhook of an order; `data` beside its number. What is no change of status has no time of its own."""
    at = 1795410000 + 60 * minute
    said = {"order_id": "576461413038785752"} | data | ({"update_time": at} if kind == 1 else {})
    return {"type": kind, "tts_notification_id": key, "shop_id": "7494049642642441621", "timestamp": at, "data": said}


TIKTOK = Platform(
    "tiktok",
    who(SECRET, app_key="29a39d", shop_cipher="TTP_7", shop_id="7494049642642441621"),
    (
        Told(tiktok_push(1, 0, "7327112393057371909", order_status="UNPAID", is_on_hold_order=False)),
        Told(tiktok_push(1, 5, "7327112393057371910", order_status="AWAITING_SHIPMENT", is_on_hold_order=False)),
        Told(tiktok_push(3, 6, "7327112393057371911")),
        Told(tiktok_push(11, 8, "7327112393057371912", cancel_status="CANCELLATION_REQUEST_PENDING", cancel_id="9")),
        Told(tiktok_push(1, 9, "7327112393057371913", order_status="CANCEL", is_on_hold_order=False)),
    ),
    _with_hex(lambda raw: b"29a39d" + raw),
)


def shopee_push(minute: int, status: str, code: int = 3) -> dict[str, Any]:
    """A push of an order's status."""
    at = 1795410000 + 60 * minute
    said = {"ordersn": "240716R9SYG4X5", "status": status, "update_time": at, "completed_scenario": "", "items": []}
    return {"code": code, "shop_id": 323233231, "timestamp": at, "msg_id": "", "data": said}


SHOPEE = Platform(
    "shopee",
    who(SECRET, partner_id="1000639", shop_id="323233231"),
    (
        Told(shopee_push(0, "UNPAID")),
        Told(shopee_push(5, "READY_TO_SHIP")),
        Told(shopee_push(7, "SHIPPED", code=4)),
        Told(shopee_push(9, "CANCELLED")),
    ),
    _with_hex(lambda raw: URL.encode() + b"|" + raw),
)


def lazada_push(minute: int, status: str, line: int = 1) -> dict[str, Any]:
    """A push of the status of an order's line; its times are of two kinds."""
    at = 1795410000 + 60 * minute
    order = "260422900198363"
    said = {"trade_order_id": order, "trade_order_line_id": f"{order}{line}", "order_status": status}
    return {
        "seller_id": "1234567",
        "message_type": 0,
        "timestamp": at * 1000,
        "site": "lazada_vn",
        "data": said | {"status_update_time": at, "buyer_id": 9},
    }


LAZADA = Platform(
    "lazada",
    who(SECRET, app_key="100132", seller_id="1234567"),
    (
        Told(lazada_push(0, "unpaid")),
        Told(lazada_push(5, "pending")),
        Told(lazada_push(5, "pending", line=2)),
        Told(lazada_push(9, "canceled", line=2)),
    ),
    _with_hex(lambda raw: b"100132" + raw),
)
