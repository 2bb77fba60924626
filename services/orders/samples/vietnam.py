"""KiotViet, Nhanh.vn and Sendo."""

from services.orders.adapters.signatures import mac_hex
from services.orders.samples.base import JSON, Request, SampleOrder, Shop, encoded, seconds


def kiotviet(shop: Shop, order: SampleOrder) -> Request:
    """`order.update`: a draft (1), or cancelled (4)."""
    line = {"ProductCode": order.sku, "ProductName": order.sku, "Quantity": order.quantity, "Discount": 0}
    told = {
        "Id": order.number,
        "Code": f"DH{order.number}",
        "PurchaseDate": shop.now.isoformat(),
        "ModifiedDate": shop.now.isoformat(),
        "Status": 4 if order.cancelled else 1,
        "OrderDetails": [line],
    }
    push = {"Id": f"test-{order.number}", "Attempt": 1, "Notifications": [{"Action": "order.update.1", "Data": [told]}]}
    raw = encoded(push)
    return Request(str(order.number), JSON | {"x-hub-signature": mac_hex(shop.secret, raw)}, raw)


def nhanh(shop: Shop, order: SampleOrder) -> Request:
    """`orderAdd`, or `orderUpdate` with the status that ends it."""
    told: dict[str, object] = {"orderId": order.number, "status": "Canceled" if order.cancelled else "New"}
    if not order.cancelled:
        told["products"] = [{"code": order.sku, "quantity": order.quantity, "discount": 0}]
    business = shop.setting("business_id", "1")
    push = {
        "event": "orderUpdate" if order.cancelled else "orderAdd",
        "businessId": int(business) if business.isdecimal() else business,
        "webhooksVerifyToken": shop.secret,
        "data": told,
    }
    return Request(str(order.number), JSON, encoded(push))


def sendo(shop: Shop, order: SampleOrder) -> Request:
    """`SALESORDER.CREATE`, or the update that cancels it."""
    ref = str(order.number)
    created: dict[str, object] = {
        "order_number": ref,
        "order_status": 2,
        "updated_date_time_stamp": seconds(shop.now),
        "sales_order_details": [{"store_sku": order.sku, "quantity": order.quantity}],
    }
    cancelled = {"order_action": "CANCEL", "order_number": ref, "data": {"order_status": 13}}
    push = {
        "type": "SALESORDER.UPDATE" if order.cancelled else "SALESORDER.CREATE",
        "store_id": 1,
        "shop_key": shop.setting("shop_key"),
        "data": cancelled if order.cancelled else created,
    }
    return Request(ref, JSON, encoded(push), {"key": shop.secret})
