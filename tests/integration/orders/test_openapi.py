"""Whatever fits the OpenAPI document of orders, or just does not, gets an answer of which the document tells."""

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime

import pytest

from infra.local.stack import Stack
from services.chassis import standard_webhooks
from services.chassis.ids import uuid7
from tests.integration.orders.campaigns import Campaign, campaign_market
from tests.integration.orders.conftest import TOMORROW, line, order
from tests.support.openapi import Asker


@pytest.fixture
async def campaign(stack: Stack) -> AsyncIterator[Campaign]:
    async with campaign_market(stack) as found:
        yield found


@pytest.fixture
async def asker(campaign: Campaign) -> Asker:
    """Knows a partner and a campaign, with an order of each, a customer, and a line that waits for a meaning."""
    orders = campaign.orders
    lines = line("CAI-KG"), line("NOBODY-KNOWS")
    await orders.push(order("A-1", *lines, contact={"name": "Lò Thị Mai", "phone": "0912 345 678"}))
    await orders.promise_when_placed("A-1")
    await orders.run("link_customers", datetime.now(UTC))
    await campaign.push("B-1", line("CAI-KG", "4"))
    known = {
        "partner_id": [str(orders.shop.partner_id)],
        "partner": [str(orders.shop.partner_id)],
        "campaign_id": [str(campaign.shop.partner_id)],
        "order_id": [str(row["order_id"]) for row in await orders.fetch("select order_id from customer_order")],
        "customer_id": [str(row["customer_id"]) for row in await orders.fetch("select customer_id from customer")],
        "partner_ref": ["B-1"],
        "slug": ["van-ho"],
        "cooperative": ["van-ho"],
        "delivery_day": [TOMORROW.isoformat()],
        "sku": ["CAI-KG", "NOBODY-KNOWS"],
        "product_code": ["cai-meo"],
        "adapter": ["canonical", "woocommerce"],
    }

    def sign(method: str, path: str, body: bytes) -> Mapping[str, str]:
        told = body if method == "POST" else path.encode()
        return standard_webhooks.headers(orders.shop.secret, f"msg_{uuid7().hex}", datetime.now(UTC), told)

    return Asker(orders.running.client, [orders.staff, campaign.operator], known, sign)


def test_every_answer_is_one_of_which_the_document_tells(asker: Asker, subtests: pytest.Subtests) -> None:
    asker.ask_all("orders", subtests)
