"""A cooperative with a shop at each of the three platforms that push without the lines."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from starlette.responses import JSONResponse, Response

from infra.local.stack import Stack
from tests.integration.orders.conftest import CANONICAL_SKUS, Orders, Shop, market
from tests.support import platform_apis as fakes
from tests.support.platform_apis import Item, Order, Platform, Platforms, mac

ADAPTERS = ("tiktok", "shopee", "lazada")
AT = 1_795_000_000
"""Seconds since 1970, in November 2026."""

each_platform = pytest.mark.parametrize("adapter", ADAPTERS)

REFUSALS: dict[str, Response] = {
    "tiktok": JSONResponse({"code": 105005, "data": None}, 403),
    "shopee": JSONResponse({"error": "error_param", "message": "ordersn is invalid"}, 200),
    "lazada": JSONResponse({"code": "InvalidParameter", "type": "ISV", "message": "order_ids"}, 200),
}
"""What each platform says to a request for an order that it refuses."""

_PARTNERS: dict[str, dict[str, Any]] = {
    "tiktok": {
        "secret": fakes.APP_SECRET,
        "settings": {"app_key": fakes.APP_KEY, "shop_cipher": fakes.SHOP_CIPHER, "shop_id": "74940"},
    },
    "shopee": {
        "secret": fakes.PARTNER_KEY,
        "settings": {"partner_id": fakes.PARTNER_ID, "shop_id": fakes.SHOP_ID},
    },
    "lazada": {"secret": fakes.APP_SECRET, "settings": {"app_key": fakes.APP_KEY}},
}


def an_order(ref: str = "5764", quantity: int = 3, minute: int = 0, cancelled: bool = False) -> Order:
    """An order of su su that was updated so many minutes after `AT`."""
    return Order(ref, AT + 60 * minute, [Item("SU-SU", quantity)], cancelled=cancelled)


def push_of(adapter: str, order: Order, key: str = "") -> bytes:
    """What the platform pushes of an order as it is."""
    if adapter == "tiktok":
        status = "CANCEL" if order.cancelled else order.status or "AWAITING_SHIPMENT"
        said: dict[str, Any] = {"order_id": order.ref, "order_status": status, "update_time": order.updated_at}
        return json.dumps(
            {"type": 1, "tts_notification_id": key, "shop_id": "74940", "timestamp": order.updated_at, "data": said}
        ).encode()
    if adapter == "shopee":
        status = "CANCELLED" if order.cancelled else order.status or "READY_TO_SHIP"
        said = {"ordersn": order.ref, "status": status, "update_time": order.updated_at, "items": []}
        return json.dumps({"msg_id": key, "code": 3, "shop_id": int(fakes.SHOP_ID), "data": said}).encode()
    status = "canceled" if order.cancelled else order.status or "pending"
    said = {"trade_order_id": order.ref, "trade_order_line_id": order.ref + "001", "order_status": status}
    said |= {"status_update_time": order.updated_at}
    return json.dumps({"seller_id": "1", "message_type": 0, "data": said, "site": "lazada_vn"}).encode()


@dataclass
class Thin:
    """What a test works with. Time for jobs runs ahead, so that nothing has to be waited for."""

    orders: Orders
    platforms: Platforms
    shops: dict[str, Shop]
    ahead: timedelta = timedelta(0)

    def platform(self, adapter: str) -> Platform:
        """The adapter's platform."""
        return self.platforms.of(adapter)

    async def push(self, adapter: str, order: Order, key: str = "", secret: str | None = None) -> httpx.Response:
        """A push, signed as the platform does."""
        shop, raw = self.shops[adapter], push_of(adapter, order, key)
        url = f"http://orders{shop.path}"
        message = f"{url}|" if adapter == "shopee" else fakes.APP_KEY
        signature = mac(secret or shop.secret, message + raw.decode())
        headers = {"authorization": signature, "content-type": "application/json"}
        return await self.orders.running.client.post(shop.path, content=raw, headers=headers)

    async def push_hint(self, at: int, key: str, ref: str = "5764") -> None:
        """TikTok says that somebody asks to cancel the order: when the push was made, not when the order changed."""
        shop, said = self.shops["tiktok"], {"order_id": ref, "cancel_status": "CANCELLATION_REQUEST_PENDING"}
        push = {"type": 11, "tts_notification_id": key, "shop_id": "74940", "timestamp": at, "data": said}
        raw = json.dumps(push)
        headers = {"authorization": mac(shop.secret, fakes.APP_KEY + raw), "content-type": "application/json"}
        answer = await self.orders.running.client.post(shop.path, content=raw.encode(), headers=headers)
        assert (answer.status_code, answer.content) == (200, b"")

    async def tell(self, adapter: str, *orders: Order) -> None:
        """The platform has these orders now, and says so."""
        for order in orders:
            self.platform(adapter).put(order)
            answer = await self.push(adapter, order)
            assert (answer.status_code, answer.content) == (200, b"")

    async def authorise(self, adapter: str, **given: Any) -> None:
        """Staff hand over what the platform gave."""
        platform = self.platform(adapter)
        token = {
            "access_token": platform.access,
            "refresh_token": platform.refresh,
            "expires_at": (datetime.now(UTC) + timedelta(days=1)).isoformat(),
        }
        await self.orders.ask("PUT", self.credentials(adapter), token | given)

    def credentials(self, adapter: str) -> str:
        """Where credentials are handed over."""
        return f"/v1/partners/{self.shops[adapter].partner_id}/api-credentials"

    async def pull_once(self) -> bool:
        """One batch, of what is due a minute after the last one."""
        self.ahead += timedelta(minutes=1)
        return await self.orders.run("pull_orders", datetime.now(UTC) + self.ahead)

    async def pull_all(self) -> None:
        """Until nothing waits; each time at a later hour, so that whatever has to wait has waited."""
        for _ in range(200):
            if not await self.orders.fetch("select from pull where due_at is not null"):
                return
            self.ahead += timedelta(hours=1)
            await self.orders.run("pull_orders", datetime.now(UTC) + self.ahead)
        raise AssertionError("something is not pulled")

    async def waiting(self) -> dict[str, str | None]:
        """The orders that are not pulled, each with its last error."""
        rows = await self.orders.fetch("select partner_ref, last_error from pull where due_at is not null")
        return {row["partner_ref"]: row["last_error"] for row in rows}

    async def books(self, adapter: str) -> dict[str, tuple[str, dict[str, int]]]:
        """reference → (kind, SKU → steps ordered) of the orders that came through the shop."""
        rows = await self.orders.fetch(
            "select o.partner_ref, o.kind, l.sku, l.quantity_steps from customer_order o "
            "left join order_line l on l.order_id = o.order_id and l.state = 'ordered' where o.partner_id = $1",
            self.shops[adapter].partner_id,
        )
        found: dict[str, tuple[str, dict[str, int]]] = {}
        for row in rows:
            _, lines = found.setdefault(row["partner_ref"], (row["kind"], {}))
            if row["sku"]:
                lines[row["sku"]] = row["quantity_steps"]
        return found

    def counted(self, name: str, **labels: str) -> float:
        """A metric's value."""
        return self.orders.running.runtime.metrics.registry.get_sample_value(name, labels) or 0.0


@asynccontextmanager
async def thin_market(stack: Stack, *, authorised: bool = True) -> AsyncIterator[Thin]:
    """Vân Hồ with its three shops, whose SKUs are mapped; and the platforms, in this event loop."""
    async with (
        fakes.platforms() as servers,
        market(stack, public_url="http://orders", pull_calls_per_s=50, **servers.settings) as orders,
    ):
        shops = {adapter: await orders.register(adapter, **_PARTNERS[adapter]) for adapter in ADAPTERS}
        for shop in shops.values():
            await orders.ask("PUT", f"/v1/partners/{shop.partner_id}/skus", CANONICAL_SKUS)
        found = Thin(orders, servers, shops)
        if authorised:
            for adapter in ADAPTERS:
                await found.authorise(adapter)
        yield found


def partner_id(thin: Thin, adapter: str) -> UUID:
    """The partner of an adapter."""
    return thin.shops[adapter].partner_id
