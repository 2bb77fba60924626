"""A campaign of the union: offers pooled over two cooperatives, pushed to as one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from infra.local.stack import Stack
from services.chassis.ids import uuid7
from tests.integration.orders.conftest import TOMORROW, Orders, Shop, market, order, product, published, registered

CHIENG_MAI_CAI_MEO, CHIENG_MAI_OFFER = UUID(int=3), UUID(int=31)


def shares(van_ho: str, chieng_mai: str) -> list[dict[str, str]]:
    """What each of the two gives, in kg."""
    given = [("van-ho", "cai-meo", van_ho), ("chieng-mai", "cai", chieng_mai)]
    return [{"cooperative": slug, "product_code": code, "quantity": kg} for slug, code, kg in given]


def item(van_ho: str = "10", chieng_mai: str = "5", sku: str = "CAI-KG", factor: str = "1") -> dict[str, Any]:
    """One pooled offer of tomorrow."""
    day = TOMORROW.isoformat()
    return {"sku": sku, "factor": factor, "delivery_day": day, "shares": shares(van_ho, chieng_mai)}


@dataclass
class Campaign:
    """A campaign of the union over Vân Hồ and Chiềng Mai."""

    orders: Orders
    operator: dict[str, str]
    shop: Shop
    chieng_mai: UUID

    @property
    def url(self) -> str:
        return f"/v1/campaigns/{self.shop.partner_id}"

    async def set_items(self, *items: dict[str, Any]) -> Any:
        return await self.orders.ask("PUT", f"{self.url}/items", list(items), self.operator)

    async def push(self, *args: Any, **other: Any) -> Any:
        """One order, which must be answered 2xx."""
        answer = await self.orders.push(order(*args, **other), self.shop)
        assert answer.is_success, answer.text
        return answer.json()

    async def ordered(self) -> dict[str, str]:
        """By cooperative: how much of its share is ordered, in kg, as the union sees it."""
        (found,) = (await self.orders.ask("GET", self.url, key=self.operator))["items"]
        return {share["cooperative"]: share["ordered"] for share in found["shares"]}

    async def in_books(self) -> dict[str, int]:
        """By cooperative: steps that are ordered in the books."""
        rows = await self.orders.fetch(
            "select c.slug, sum(l.quantity_steps)::int as steps"
            " from order_line l join customer_order o using (order_id)"
            " join cooperative c using (cooperative_id) where l.state = 'ordered' group by 1"
        )
        return {row["slug"]: row["steps"] for row in rows}


def steps(kg: dict[str, str]) -> dict[str, int]:
    """Those that have any, in steps of 500 g."""
    return {slug: int(float(text) * 2) for slug, text in kg.items() if text != "0"}


def parts(answer: Any) -> list[str]:
    """How much each part is, in kg."""
    return [one["quantity"] for part in answer["parts"] for one in part["lines"] if one["state"] == "ordered"]


@asynccontextmanager
async def campaign_market(stack: Stack) -> AsyncIterator[Campaign]:
    """A campaign that is set for tomorrow, with 10 kg from Vân Hồ and 5 kg from Chiềng Mai."""
    async with market(stack) as orders:
        chieng_mai, operator = uuid7(), await orders.running.key("operator", None)
        await orders.hear(
            registered(chieng_mai, "chieng-mai"),
            product(CHIENG_MAI_CAI_MEO, "cai", "kg", 500),
            published(CHIENG_MAI_OFFER, CHIENG_MAI_CAI_MEO, TOMORROW),
            stream=chieng_mai,
        )
        body = {"cooperative": None, "name": "Ngày đặc sản Sơn La", "adapter": "canonical", "tier": 2}
        made = await orders.ask("POST", "/v1/partners", body, operator)
        shop = Shop(UUID(made["partner_id"]), made["secret"], made["push_url"])
        found = Campaign(orders, operator, shop, chieng_mai)
        await found.set_items(item())
        yield found
