"""One shop on each platform, and the story of one order there as the platform tells it: in the right order.

Bodies are written to the documented shapes; signatures are computed here by hand, not by the adapters' own code.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from services.orders.adapters.base import Batch, Credentials, Pull, Request, Thin
from services.orders.domain.command import OrderCommand

URL = "https://orders.example.vn/v1/partners/01890a5d-ac96-774b-bcce-b302099a8057/orders"
NOW = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
SECRET = "whsec_c29tZSBvdGhlciBzZWNyZXQgb2YgMzIgYnl0ZXMuLi4="

Headers = Mapping[str, str]


def asked(raw: bytes = b"", headers: Headers | None = None, **query: str) -> Request:
    """A POST with this body; header names in lower case."""
    return Request("POST", URL, query, headers or {}, raw, NOW)


def tried(**query: str) -> Request:
    """A GET with these parameters."""
    return Request("GET", URL, query, {}, b"", NOW)


def who(*secrets: str, **settings: str) -> Credentials:
    """What a partner registered; the newest secret first."""
    return Credentials(secrets, settings)


def hmac_sha256(key: bytes, message: bytes) -> bytes:
    """RFC 2104 written out: the tests must not lean on what the adapters use."""
    padded = (key if len(key) <= 64 else hashlib.sha256(key).digest()).ljust(64, b"\0")
    inner = hashlib.sha256(bytes(one ^ 0x36 for one in padded) + message).digest()
    return hashlib.sha256(bytes(one ^ 0x5C for one in padded) + inner).digest()


def in_base64(raw: bytes) -> str:
    """HMAC-SHA256 with the shop's secret, in base64."""
    return base64.b64encode(hmac_sha256(SECRET.encode(), raw)).decode()


def in_hex(raw: bytes) -> str:
    """The same in hexadecimal."""
    return hmac_sha256(SECRET.encode(), raw).hex()


@dataclass(frozen=True)
class Told:
    """One push of a story: what the platform puts into headers, and the body."""

    body: Any
    headers: Headers = field(default_factory=dict)


@dataclass(frozen=True)
class Platform:
    """A shop on a platform. `sign`: the headers and the query with which the platform proves a body."""

    name: str
    credentials: Credentials
    story: tuple[Told, ...]
    sign: Callable[[bytes], tuple[Headers, Mapping[str, str]]]

    def push(self, told: Told) -> Request:
        """The push of the story as it comes."""
        return self.push_raw(json.dumps(told.body, ensure_ascii=False).encode(), told.headers)

    def push_raw(self, raw: bytes, headers: Headers) -> Request:
        """Any bytes as the platform would sign them."""
        signed, query = self.sign(raw)
        return asked(raw, {"content-type": "application/json", **headers, **signed}, **query)


def pulls(read: object) -> list[Pull]:
    """The orders that are to be pulled."""
    return [*read.pulls] if isinstance(read, Thin) else []


def commands(read: object) -> list[OrderCommand]:
    """The orders that were read."""
    if isinstance(read, Batch):
        return [item.command for item in read.items if isinstance(item.command, OrderCommand)]
    return [read] if isinstance(read, OrderCommand) else []


def _headers(name: str, value: Callable[[bytes], str]) -> Callable[[bytes], tuple[Headers, Mapping[str, str]]]:
    return lambda raw: ({name: value(raw)}, {})


# -- WooCommerce ---------------------------------------------------------------------------------------------


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
    _headers("x-wc-webhook-signature", in_base64),
)


# -- Shopify, Haravan, Sapo ----------------------------------------------------------------------------------


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
    "shopify", who(SECRET), _family("x-shopify-topic", SHOPIFY_TIMES), _headers("x-shopify-hmac-sha256", in_base64)
)
HARAVAN = Platform(
    "haravan",
    who(SECRET, verify_token="mã của chúng tôi"),
    _family("x-haravan-topic", SHOPIFY_TIMES),
    _headers("x-haravan-hmacsha256", in_base64),
)
SAPO = Platform("sapo", who(SECRET), _family("x-sapo-topic", SAPO_TIMES), _headers("x-sapo-hmac-sha256", in_base64))


# -- KiotViet ------------------------------------------------------------------------------------------------


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
    _headers("x-hub-signature", in_hex),
)


# -- Nhanh.vn ------------------------------------------------------------------------------------------------


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


# -- Sendo ---------------------------------------------------------------------------------------------------


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


# -- Meta ----------------------------------------------------------------------------------------------------


def meta_message(**other: Any) -> dict[str, Any]:
    """An order that a customer has put together from the catalogue."""
    return {
        "from": "84912345678",
        "id": "wamid.HBgLODQ5MTIzNDU2NzgVAgASGCA3",
        "timestamp": "1795410000",
        "type": "order",
        "order": {
            "catalog_id": "538971028364699",
            "product_items": [
                {"product_retailer_id": "CAI", "quantity": 2, "item_price": 15000, "currency": "VND"},
                {"product_retailer_id": "SU-SU", "quantity": 1, "item_price": 0.5, "currency": "USD"},
            ],
        },
    } | other


def meta_push(*messages: Any) -> dict[str, Any]:
    """An entry with messages to the shop's number."""
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "842123", "phone_number_id": "108578266683441"},
        "contacts": [{"profile": {"name": "Lò Thị Mai"}, "wa_id": "84912345678"}],
        "messages": list(messages),
    }
    entry = {"id": "108103872212677", "changes": [{"field": "messages", "value": value}]}
    return {"object": "whatsapp_business_account", "entry": [entry]}


META = Platform(
    "meta",
    who(SECRET, verify_token="mã của chúng tôi", phone_number_id="108578266683441"),
    (Told(meta_push(meta_message())), Told(meta_push({"id": "wamid.2", "type": "text"}, meta_message()))),
    _headers("x-hub-signature-256", lambda raw: "sha256=" + in_hex(raw)),
)


# -- Open Food Network and DFC -------------------------------------------------------------------------------


def ofn_push(minute: int, state: str, *quantities: int, event: str = "payment.complete", **order: Any) -> Any:
    """A payment's webhook with its order."""
    line = {"price": "15000.0", "product_name": "Cải mèo", "tax_category_name": None, "name_to_display": None}
    lines = [line | {"quantity": quantity, "unit_to_display": f"{n}00g"} for n, quantity in enumerate(quantities, 3)]
    payment = {"updated_at": f"2026-11-23T08:{minute:02d}:00.000+07:00", "amount": "30000.0", "state": state}
    placed = {"number": "R123456789", "total": "30000.0", "currency": "VND", "line_items": lines} | order
    return {"id": "7f3", "event": event, "at": payment["updated_at"], "data": {"payment": payment, "order": placed}}


OPEN_FOOD_NETWORK = Platform(
    "open_food_network",
    who(SECRET),
    (
        Told(ofn_push(0, "pending", 2)),
        Told(ofn_push(0, "completed", 2)),
        Told(ofn_push(20, "completed", 2, 1)),
        Told(ofn_push(30, "void")),
    ),
    lambda raw: ({}, {"key": SECRET}),
)


def dfc_order(status: str, *quantities: Any, **other: Any) -> dict[str, Any]:
    """A graph of an order, its lines, offers and products."""
    base = "https://ofn.example.org/api/dfc/Enterprises/10000"
    order = {
        "@id": f"{base}/Orders/10001",
        "@type": "dfc-b:Order",
        "dfc-b:hasOrderStatus": f"dfc-v:{status}",
        "dfc-b:orderedBy": "http://ofn.example.org/api/dfc/enterprises/1003",
        "dfc-b:belongsTo": f"{base}/SalesSession/#",
        "dfc-b:hasPart": [f"{base}/Orders/10001/OrderLines/{n}" for n, _ in enumerate(quantities)],
    } | other
    graph: list[dict[str, Any]] = [order]
    for n, quantity in enumerate(quantities):
        product = f"{base}/SuppliedProducts/4451{n}"
        graph += [
            {
                "@id": f"{base}/Orders/10001/OrderLines/{n}",
                "@type": "dfc-b:OrderLine",
                "dfc-b:quantity": quantity,
                "dfc-b:concerns": f"{product}/Offer",
            },
            {
                "@id": f"{product}/Offer",
                "@type": "dfc-b:Offer",
                "dfc-b:offeredItem": product,
                "dfc-b:hasPrice": {"dfc-b:value": "15000", "dfc-b:hasUnit": "dfc-m:VietnameseDong"},
            },
            {"@id": product, "@type": "dfc-b:SuppliedProduct", "dfc-b:name": "Cải mèo"},
        ]
    return {"@context": "https://www.datafoodconsortium.org", "@graph": graph}


def _dated(minute: int) -> Headers:
    return {"date": f"Mon, 23 Nov 2026 01:{minute:02d}:00 GMT"}


DFC = Platform(
    "dfc",
    who(SECRET),
    (
        Told(dfc_order("Held", 3), _dated(0)),
        Told(dfc_order("Held", 5, "2"), _dated(10)),
        Told(dfc_order("Complete", 5, "2"), _dated(20)),
        Told(dfc_order("Cancelled"), _dated(30)),
    ),
    lambda raw: ({"authorization": f"Bearer {SECRET}"}, {}),
)


# -- Our own -------------------------------------------------------------------------------------------------


def _standard_webhooks(raw: bytes) -> tuple[Headers, Mapping[str, str]]:
    key, stamp = base64.b64decode(SECRET.removeprefix("whsec_")), str(int(NOW.timestamp()))
    signed = hmac.new(key, b"msg_1." + stamp.encode() + b"." + raw, hashlib.sha256).digest()
    signature = "v1," + base64.b64encode(signed).decode()
    return {"webhook-id": "msg_1", "webhook-timestamp": stamp, "webhook-signature": signature}, {}


def _own(minute: int, status: str, *quantities: str) -> dict[str, Any]:
    lines = [{"sku": f"SKU-{n}", "quantity": quantity} for n, quantity in enumerate(quantities)]
    updated_at = f"2026-11-23T06:{minute:02d}:00+07:00"
    return {"ref": "A-1001", "updated_at": updated_at, "status": status, "lines": lines}


_EVENT = {"specversion": "1.0", "id": "e-1", "source": "/sap", "type": "vn.chophien.order.v1"}

CANONICAL = Platform(
    "canonical",
    who(SECRET),
    (
        Told({"order": _own(0, "placed", "2")}),
        Told(_EVENT | {"data": _own(5, "placed", "1.5", "2")}, {"content-type": "application/cloudevents+json"}),
        Told([_EVENT | {"data": _own(9, "placed", "3")}], {"content-type": "application/cloudevents-batch+json"}),
        Told(_own(9, "cancelled"), {f"ce-{name}": value for name, value in _EVENT.items()}),
    ),
    _standard_webhooks,
)

# -- TikTok Shop, Shopee, Lazada: pushes without lines ---------------------------------------------------------


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

PLATFORMS = {
    one.name: one
    for one in (
        CANONICAL,
        WOOCOMMERCE,
        SHOPIFY,
        HARAVAN,
        SAPO,
        KIOTVIET,
        NHANH,
        SENDO,
        META,
        OPEN_FOOD_NETWORK,
        DFC,
        TIKTOK,
        SHOPEE,
        LAZADA,
    )
}
THIN = ("tiktok", "shopee", "lazada")
"""Those whose stories say only which order has changed."""
