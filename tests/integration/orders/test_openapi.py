"""Whatever fits the OpenAPI document of orders, or just does not, gets an answer of which the document tells."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import cast
from urllib.parse import urlsplit

import pytest
import requests

from services.chassis import standard_webhooks
from services.chassis.ids import uuid7
from tests.integration.orders.conftest import TOMORROW, line, order
from tests.integration.orders.test_campaigns import Campaign, campaign
from tests.support.openapi import Asker

__all__ = ["campaign"]


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

    def sign(request: requests.PreparedRequest) -> Mapping[str, str]:
        path = urlsplit(str(request.url)).path.encode()
        told = cast("str | bytes", request.body or b"") if request.method == "POST" else path
        raw = told.encode() if isinstance(told, str) else told
        return standard_webhooks.headers(orders.shop.secret, f"msg_{uuid7().hex}", datetime.now(UTC), raw)

    return Asker(orders.running.client, [orders.staff, campaign.operator], known, sign)


def test_every_answer_is_one_of_which_the_document_tells(asker: Asker, subtests: pytest.Subtests) -> None:
    asker.ask_all("orders", subtests)
