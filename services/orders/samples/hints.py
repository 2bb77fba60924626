"""TikTok Shop, Shopee and Lazada: that there is an order. What it is of has to be pulled."""

from services.orders.adapters.signatures import mac_hex
from services.orders.samples.base import JSON, NoSample, Request, SampleOrder, Shop, encoded, seconds


def tiktok(shop: Shop, order: SampleOrder) -> Request:
    """An order's status (type 1)."""
    ref, now = str(order.number), seconds(shop.now)
    push = {
        "type": 1,
        "tts_notification_id": f"test-{order.number}",
        "shop_id": shop.setting("shop_id", "1"),
        "timestamp": now,
        "data": {"order_id": ref, "order_status": "AWAITING_SHIPMENT", "update_time": now},
    }
    raw = encoded(push)
    return _signed(shop, ref, raw, shop.setting("app_key").encode() + raw)


def shopee(shop: Shop, order: SampleOrder) -> Request:
    """An order's status (code 3); a number of as many characters as Shopee's own."""
    ref, now, shop_id = f"T{order.number}", seconds(shop.now), shop.setting("shop_id")
    if not shop_id.isdecimal():
        raise NoSample("the partner's setting shop_id is no number, as which Shopee pushes it")
    told = {"ordersn": ref, "status": "READY_TO_SHIP", "update_time": now, "items": []}
    raw = encoded({"code": 3, "shop_id": int(shop_id), "timestamp": now, "msg_id": "", "data": told})
    over_body = shop.setting("signature_base") == "body"
    return _signed(shop, ref, raw, raw if over_body else f"{shop.url}|".encode() + raw)


def lazada(shop: Shop, order: SampleOrder) -> Request:
    """The status of an order's line (message type 0)."""
    ref, now = str(order.number), seconds(shop.now)
    told = {
        "trade_order_id": ref,
        "trade_order_line_id": f"{ref}1",
        "order_status": "pending",
        "status_update_time": now,
    }
    push = {"seller_id": shop.setting("seller_id", "1"), "message_type": 0, "timestamp": now, "site": "lazada_vn"}
    raw = encoded(push | {"data": told})
    return _signed(shop, ref, raw, shop.setting("app_key").encode() + raw)


def _signed(shop: Shop, ref: str, raw: bytes, message: bytes) -> Request:
    return Request(ref, JSON | {"authorization": mac_hex(shop.secret, message)}, raw, has_lines=False)
