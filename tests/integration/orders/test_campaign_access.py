"""Who may do what with a campaign: the platform by its secret, cooperatives nothing, and nobody at a seat."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import httpx
import pytest

from infra.local.stack import Stack
from services.chassis import standard_webhooks
from tests.integration.orders.campaigns import Campaign, campaign_market, item
from tests.integration.orders.conftest import Shop, line, order


@pytest.fixture
async def campaign(stack: Stack) -> AsyncIterator[Campaign]:
    async with campaign_market(stack) as found:
        yield found


async def test_the_platform_reads_its_orders_and_their_parts_with_the_campaigns_secret(campaign: Campaign) -> None:
    made = await campaign.push("Đơn/1", line("CAI-KG", "1"))

    async def read(path: str, secret: str) -> httpx.Response:
        signed = standard_webhooks.headers(secret, "msg_1", datetime.now(UTC), path.encode())
        return await campaign.orders.running.client.get(path, headers=signed)

    whole = await read(made["url"], campaign.shop.secret)
    assert (whole.status_code, whole.json()["partner_ref"]) == (200, "Đơn/1")
    part = await read(made["parts"][0]["url"], campaign.shop.secret)
    assert part.status_code == 200
    for path in (made["url"], made["parts"][0]["url"]):
        assert (await read(path, campaign.orders.shop.secret)).status_code == 401


async def test_cooperatives_neither_see_a_campaign_nor_change_its_skus(campaign: Campaign) -> None:
    client, staff = campaign.orders.running.client, campaign.orders.staff
    assert (await client.get(campaign.url, headers=staff)).status_code == 403
    assert (await client.put(f"{campaign.url}/items", json=[item()], headers=staff)).status_code == 403
    body = {"cooperative": None, "name": "Phiên chợ", "adapter": "canonical"}
    assert (await client.post("/v1/partners", json=body, headers=staff)).status_code == 403
    (seat,) = await campaign.orders.fetch(
        "select partner_id from partner where campaign_id is not null and cooperative_id = $1", campaign.orders.van_ho
    )
    meaning = [{"sku": "CAI-KG", "product_code": "su-su", "factor": "1"}]
    answer = await client.put(f"/v1/partners/{seat['partner_id']}/skus", json=meaning, headers=staff)
    assert answer.status_code == 409
    for path in ("secrets", "amqp-account"):
        answer = await client.post(f"/v1/partners/{seat['partner_id']}/{path}", headers=staff)
        assert answer.status_code == 409, path
    at_the_seat = Shop(seat["partner_id"], campaign.shop.secret, f"/v1/partners/{seat['partner_id']}/orders")
    assert (await campaign.orders.push(order("A-1", line("CAI-KG")), at_the_seat)).status_code == 401


async def test_nobody_pushes_to_a_seat_even_with_its_secret(campaign: Campaign) -> None:
    (seat,) = await campaign.orders.fetch(
        "select partner_id, secret from partner where campaign_id is not null and cooperative_id = $1",
        campaign.orders.van_ho,
    )
    shop = Shop(seat["partner_id"], seat["secret"], f"/v1/partners/{seat['partner_id']}/orders")
    assert (await campaign.orders.push(order("A-1", line("CAI-KG")), shop)).status_code == 401
