"""Local servers that speak the documented protocols of TikTok Shop, Shopee, Lazada and WooCommerce.

They compute every signature by themselves, hand out tokens that are good for a while and refresh tokens that are good
for one use, know the orders of one shop, and answer with trouble first where a test wants it.
"""

import asyncio
import base64
import hashlib
import hmac
import json
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from infra.local.ports import choose_ports

APP_KEY, APP_SECRET, SHOP_CIPHER = "app-key-1", "app-secret-of-a-test", "ROW_cipher"
PARTNER_ID, PARTNER_KEY, SHOP_ID = "1000639", "partner-key-of-a-test", "323233231"
CONSUMER_KEY, CONSUMER_SECRET = "ck_0123456789abcdef", "cs_fedcba9876543210"


@dataclass
class Item:
    """`quantity` units of a SKU."""

    sku: str
    quantity: int
    price_vnd: int = 15000


@dataclass
class Order:
    """An order as its platform has it now; `updated_at` in seconds since 1970."""

    ref: str
    updated_at: int
    items: list[Item]
    status: str = ""
    cancelled: bool = False


@dataclass
class Platform:
    """One shop at one platform. `troubles` are answered first, one for each request."""

    orders: dict[str, Order] = field(default_factory=dict)
    troubles: deque[Response] = field(default_factory=deque)
    asked: list[list[str]] = field(default_factory=list)
    """The orders of each request for details that was let in."""
    refused: list[str] = field(default_factory=list)
    """Why requests were not let in."""
    access: str = "access-0"
    refresh: str = "refresh-0"
    refreshed: int = 0
    authorised: bool = True
    poison: str = ""
    """The order at which it fails."""
    poison_answer: Response | None = None
    hold: asyncio.Event | None = None
    """Answers with details, or a token, wait for this, and `holding` says that one does."""
    holding: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, order: Order) -> None:
        """The order as it is from now on."""
        self.orders[order.ref] = order

    def renew(self, given: str) -> bool:
        """Uses up a refresh token; a used one is worth nothing."""
        if not self.authorised or given != self.refresh:
            self.refused.append("refresh token")
            return False
        self.refreshed += 1
        self.access, self.refresh = f"access-{self.refreshed}", f"refresh-{self.refreshed}"
        return True

    def hold_back(self) -> Response | None:
        """The next trouble, if there is one."""
        return self.troubles.popleft() if self.troubles else None

    async def pause(self) -> None:
        """Waits where a test wants it."""
        if self.hold is not None:
            self.holding.set()
            await self.hold.wait()

    def bad(self, why: str, answer: object, status: int = 200) -> Response:
        """A refusal, written down."""
        self.refused.append(why)
        return JSONResponse(answer, status)


def mac(key: str, message: str) -> str:
    """Lower-case hex HMAC-SHA256."""
    return hmac.new(key.encode(), message.encode(), hashlib.sha256).hexdigest()


def limited(wait_s: int | None = None) -> Response:
    """429."""
    return JSONResponse({"code": 36009002}, 429, {"retry-after": str(wait_s)} if wait_s is not None else {})


def broken() -> Response:
    """500 with a page for people."""
    return Response("<html>sorry</html>", 500, media_type="text/html")


def _now_s() -> int:
    return int(datetime.now(UTC).timestamp())


def _sorted(params: Mapping[str, str], *without: str) -> str:
    return "".join(key + params[key] for key in sorted(params) if key not in without)


# -- TikTok Shop ---------------------------------------------------------------------------------------------


class TikTok(Platform):
    """https://partner.tiktokshop.com/docv2/page/get-order-detail"""

    def routes(self) -> list[Route]:
        return [Route("/order/202309/orders", self.details), Route("/api/v2/token/refresh", self.token)]

    async def details(self, request: Request) -> Response:
        if trouble := self.hold_back():
            return trouble
        asked = dict(request.query_params)
        message = f"{APP_SECRET}/order/202309/orders{_sorted(asked, 'sign', 'access_token')}{APP_SECRET}"
        if asked.get("sign") != mac(APP_SECRET, message):
            return self.bad("sign", {"code": 106001, "message": "sign invalid", "data": None}, 401)
        if asked["app_key"] != APP_KEY or asked["shop_cipher"] != SHOP_CIPHER:
            return self.bad("shop", {"code": 101000, "message": "shop", "data": None}, 400)
        if not -300 <= int(asked["timestamp"]) - _now_s() <= 30:
            return self.bad("timestamp", {"code": 36009004, "message": "timestamp", "data": None}, 401)
        if request.headers.get("x-tts-access-token") != self.access:
            return JSONResponse({"code": 105002, "message": "Expired credentials.", "data": None}, 401)
        refs = asked["ids"].split(",")
        if self.poison in refs:
            return self.poison_answer or broken()
        if len(refs) > 50:
            return self.bad("too many ids", {"code": 36009003, "message": "ids", "data": None}, 400)
        self.asked.append(refs)
        found = [self._detail(self.orders[ref]) for ref in refs if ref in self.orders]
        await self.pause()
        return JSONResponse({"code": 0, "message": "Success", "data": {"orders": found}, "request_id": "1"})

    def _detail(self, order: Order) -> dict[str, Any]:
        units = [item for item in order.items for _ in range(item.quantity)]
        items = [
            {"id": f"{order.ref}{number:03d}", "sku_id": "1", "seller_sku": item.sku, "sale_price": str(item.price_vnd),
             "currency": "VND", "display_status": "CANCELLED" if order.cancelled else "TO_SHIP"}
            for number, item in enumerate(units, 1)
        ]  # fmt: skip
        status = "CANCELLED" if order.cancelled else order.status or "AWAITING_SHIPMENT"
        return {
            "id": order.ref,
            "status": status,
            "update_time": order.updated_at,
            "line_items": items,
            "payment": {"currency": "VND", "total_amount": "0"},
            "recipient_address": {"name": "N*** A", "phone_number": "(+84)9*****64", "full_address": "Vân Hồ"},
        }

    async def token(self, request: Request) -> Response:
        if trouble := self.hold_back():
            return trouble
        asked = dict(request.query_params)
        if (asked["app_key"], asked["app_secret"], asked["grant_type"]) != (APP_KEY, APP_SECRET, "refresh_token"):
            return self.bad("app", {"code": 36004004, "message": "app"})
        if not self.renew(asked["refresh_token"]):
            return JSONResponse({"code": 36004005, "message": "refresh token is invalid"})
        await self.pause()
        told = {
            "access_token": self.access,
            "access_token_expire_in": _now_s() + 604_800,
            "refresh_token": self.refresh,
        }
        return JSONResponse({"code": 0, "message": "success", "data": told | {"refresh_token_expire_in": 2**31}})


# -- Shopee --------------------------------------------------------------------------------------------------


class Shopee(Platform):
    """https://open.shopee.com/documents/v2/v2.order.get_order_detail"""

    def routes(self) -> list[Route]:
        return [
            Route("/api/v2/order/get_order_detail", self.details),
            Route("/api/v2/auth/access_token/get", self.token, methods=["POST"]),
        ]

    async def details(self, request: Request) -> Response:
        if trouble := self.hold_back():
            return trouble
        asked = request.query_params
        path = "/api/v2/order/get_order_detail"
        message = f"{asked['partner_id']}{path}{asked['timestamp']}{asked['access_token']}{asked['shop_id']}"
        if asked["sign"] != mac(PARTNER_KEY, message) or (asked["partner_id"], asked["shop_id"]) != (
            PARTNER_ID,
            SHOP_ID,
        ):
            return self.bad("sign", {"error": "error_sign", "message": "Wrong sign."}, 403)
        if abs(int(asked["timestamp"]) - _now_s()) > 300:
            return self.bad("timestamp", {"error": "error_param", "message": "Invalid timestamp"}, 403)
        if asked["access_token"] != self.access:
            return JSONResponse({"error": "invalid_acceess_token", "message": "Invalid access_token."}, 403)
        refs = asked["order_sn_list"].split(",")
        if self.poison in refs:
            return self.poison_answer or broken()
        if len(refs) > 50 or "item_list" not in asked["response_optional_fields"].split(","):
            return self.bad("parameters", {"error": "error_param", "message": "parameter invalid"})
        self.asked.append(refs)
        if unknown := [ref for ref in refs if ref not in self.orders]:
            return JSONResponse({"error": "error_not_found", "message": f"Wrong parameters, detail: {unknown}"})
        found = [self._detail(self.orders[ref]) for ref in refs]
        return JSONResponse({"error": "", "message": "", "request_id": "1", "response": {"order_list": found}})

    def _detail(self, order: Order) -> dict[str, Any]:
        items = [
            {"item_id": 1, "model_id": number, "item_sku": "", "model_sku": item.sku,
             "model_quantity_purchased": item.quantity, "model_discounted_price": float(item.price_vnd)}
            for number, item in enumerate(order.items, 1)
        ]  # fmt: skip
        status = "CANCELLED" if order.cancelled else order.status or "READY_TO_SHIP"
        to = {"name": "P******n", "phone": "******64", "full_address": "Ấp******"}
        return {
            "order_sn": order.ref, "order_status": status, "update_time": order.updated_at, "currency": "VND",
            "item_list": items, "recipient_address": to, "region": "VN",
        }  # fmt: skip

    async def token(self, request: Request) -> Response:
        if trouble := self.hold_back():
            return trouble
        asked, body = request.query_params, await request.json()
        message = f"{asked['partner_id']}/api/v2/auth/access_token/get{asked['timestamp']}"
        if asked["sign"] != mac(PARTNER_KEY, message):
            return self.bad("sign", {"error": "error_sign", "message": "Wrong sign."}, 403)
        if (body["partner_id"], body["shop_id"]) != (int(PARTNER_ID), int(SHOP_ID)):
            return self.bad("shop", {"error": "error_param", "message": "shop"}, 403)
        if not self.renew(body["refresh_token"]):
            return JSONResponse({"error": "error_auth", "message": "Your refresh_token is wrong."}, 403)
        told = {"access_token": self.access, "refresh_token": self.refresh, "expire_in": 14_400, "error": ""}
        return JSONResponse(told | {"message": "", "request_id": "1"})


# -- Lazada --------------------------------------------------------------------------------------------------


class Lazada(Platform):
    """https://open.lazada.com/apps/doc/api?path=/orders/items/get"""

    def routes(self) -> list[Route]:
        return [
            Route("/rest/orders/items/get", self.items),
            Route("/rest/order/get", self.order),
            Route("/rest/auth/token/refresh", self.token),
        ]

    def _judge(self, request: Request, path: str, needs_token: bool = True) -> Response | None:
        if trouble := self.hold_back():
            return trouble
        asked = dict(request.query_params)
        if asked.get("sign") != mac(APP_SECRET, path + _sorted(asked, "sign")).upper():
            return self.bad("sign", {"code": "IncompleteSignature", "type": "ISV", "message": "no"})
        if asked["app_key"] != APP_KEY or asked["sign_method"] != "sha256":
            return self.bad("app", {"code": "InvalidAppKey", "type": "ISV", "message": "no"})
        if abs(int(asked["timestamp"]) // 1000 - _now_s()) > 7200:
            return self.bad("timestamp", {"code": "IllegalTimestamp", "type": "ISV", "message": "no"})
        if needs_token and asked["access_token"] != self.access:
            return JSONResponse({"code": "IllegalAccessToken", "type": "ISV", "message": "expired"})
        return None

    async def items(self, request: Request) -> Response:
        if refusal := self._judge(request, "/orders/items/get"):
            return refusal
        refs = [str(ref) for ref in json.loads(request.query_params["order_ids"])]
        if self.poison in refs:
            return self.poison_answer or broken()
        self.asked.append(refs)
        if any(ref not in self.orders for ref in refs):
            return JSONResponse({"code": "37", "type": "ISP", "message": "E037: One or more order id are incorrect"})
        found = [self._items(self.orders[ref]) for ref in refs]
        return JSONResponse({"code": "0", "data": found, "request_id": "1"})

    def _items(self, order: Order) -> dict[str, Any]:
        units = [item for item in order.items for _ in range(item.quantity)]
        written = datetime.fromtimestamp(order.updated_at, UTC).strftime("%Y-%m-%d %H:%M:%S +0000")
        items = [
            {"order_item_id": int(f"{order.ref}{number:03d}"), "order_id": int(order.ref), "sku": item.sku,
             "status": "canceled" if order.cancelled else order.status or "pending", "updated_at": written,
             "item_price": f"{item.price_vnd}.00", "currency": "VND"}
            for number, item in enumerate(units, 1)
        ]  # fmt: skip
        return {"order_id": int(order.ref), "order_number": int(order.ref), "order_items": items}

    async def order(self, request: Request) -> Response:
        if refusal := self._judge(request, "/order/get"):
            return refusal
        if request.query_params["order_id"] not in self.orders:
            return JSONResponse({"code": "16", "type": "ISP", "message": "E016: Invalid Order ID"})
        to = {"first_name": "N***", "last_name": "", "phone": "94***48", "address1": "Bản 1", "city": "Vân Hồ"}
        return JSONResponse({"code": "0", "data": {"address_shipping": to}, "request_id": "1"})

    async def token(self, request: Request) -> Response:
        if refusal := self._judge(request, "/auth/token/refresh", needs_token=False):
            return refusal
        if not self.renew(request.query_params["refresh_token"]):
            return JSONResponse({"code": "IllegalRefreshToken", "type": "ISV", "message": "no"})
        told = {"access_token": self.access, "refresh_token": self.refresh, "expires_in": 604_800}
        return JSONResponse(told | {"code": "0", "refresh_expires_in": 2_592_000, "country": "vn"})


# -- WooCommerce ---------------------------------------------------------------------------------------------


@dataclass
class Shop:
    """A WooCommerce shop: its orders as the REST API writes them."""

    orders: dict[int, dict[str, Any]] = field(default_factory=dict)
    troubles: deque[Response] = field(default_factory=deque)
    asked: list[dict[str, str]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    on_page: Any = None
    """Called with each page's number before it is made."""

    def routes(self) -> list[Route]:
        return [Route("/wp-json/wc/v3/orders", self.list)]

    async def list(self, request: Request) -> Response:
        if self.troubles:
            return self.troubles.popleft()
        login = base64.b64encode(f"{CONSUMER_KEY}:{CONSUMER_SECRET}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {login}":
            self.refused.append("key")
            return JSONResponse({"code": "woocommerce_rest_cannot_view", "data": {"status": 401}}, 401)
        asked = dict(request.query_params)
        self.asked.append(asked)
        assert (asked["dates_are_gmt"], asked["orderby"], asked["order"]) == ("true", "modified", "asc")
        if self.on_page:
            self.on_page(int(asked["page"]))
        in_trash = asked.get("status") == "trash"
        fitting = sorted(
            (order for order in self.orders.values()
             if (order["status"] == "trash") is in_trash and order["date_modified_gmt"] > asked["modified_after"]),
            key=lambda order: (order["date_modified_gmt"], order["id"]),
        )  # fmt: skip
        size = int(asked["per_page"])
        first = (int(asked["page"]) - 1) * size
        return JSONResponse(fitting[first : first + size])


@dataclass
class Platforms:
    """All of them behind one port."""

    port: int
    tiktok: TikTok = field(default_factory=TikTok)
    shopee: Shopee = field(default_factory=Shopee)
    lazada: Lazada = field(default_factory=Lazada)
    shop: Shop = field(default_factory=Shop)

    @property
    def url(self) -> str:
        """Where they listen."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def settings(self) -> dict[str, Any]:
        """Settings of `orders` with which it asks here, as often as it likes."""
        return {
            "tiktok_url": f"{self.url}/tiktok",
            "tiktok_auth_url": f"{self.url}/tiktok",
            "shopee_url": f"{self.url}/shopee",
            "lazada_url": f"{self.url}/lazada/rest",
            "lazada_auth_url": f"{self.url}/lazada/rest",
            "shop_private_networks": "127.0.0.0/8",
        }

    def of(self, name: str) -> Platform:
        """The platform of an adapter."""
        found: Platform = getattr(self, name)
        return found


@asynccontextmanager
async def platforms() -> AsyncIterator[Platforms]:
    """The servers on a free loopback port."""
    made = Platforms(choose_ports([None])[0])
    mounts = [
        Mount("/tiktok", routes=made.tiktok.routes()),
        Mount("/shopee", routes=made.shopee.routes()),
        Mount("/lazada", routes=made.lazada.routes()),
        Mount("/shop", routes=made.shop.routes()),
    ]
    config = uvicorn.Config(Starlette(routes=mounts), port=made.port, log_config=None, access_log=False, lifespan="off")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn has a flag and no event
        await asyncio.sleep(0.01)
    try:
        yield made
    finally:
        server.should_exit = True
        await serving
