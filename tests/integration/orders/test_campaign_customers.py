"""Customers of a campaign who are erased: gone from the whole, and from no other cooperative."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from infra.local.stack import Stack
from tests.integration.orders.campaigns import Campaign, campaign_market, item
from tests.integration.orders.conftest import line, order


@pytest.fixture
async def campaign(stack: Stack) -> AsyncIterator[Campaign]:
    async with campaign_market(stack) as found:
        yield found


async def test_an_erased_customer_is_gone_from_the_whole_and_does_not_come_back_with_another_part(
    campaign: Campaign,
) -> None:
    contact = {"name": "Nguyễn Thị Hoa", "phone": "0912345678"}
    wanted = (line("CAI-KG", "4"), line("CAI-TUI", "10"))
    await campaign.push("A-1", *wanted, contact=contact)
    await campaign.push("A-2", line("CAI-TUI", "5"), contact=contact)  # no cooperative has a part of it yet
    digests = await campaign.orders.fetch("select partner_ref, digest from campaign_order")
    await campaign.orders.run("link_customers", datetime.now(UTC))
    (customer,) = await campaign.orders.fetch("select customer_id from customer")
    await campaign.orders.ask("DELETE", f"/v1/customers/{customer['customer_id']}?reason=customer_request")
    rows = await campaign.orders.fetch("select partner_ref, digest from campaign_order")
    assert not {row["digest"] for row in rows} & {row["digest"] for row in digests}
    repeated = await campaign.orders.push(order("A-1", *wanted, contact=contact), campaign.shop)
    assert repeated.status_code == 200
    assert (await campaign.set_items(item(sku="CAI-TUI", factor="0.3")))["released_orders"] == 2
    waited = await campaign.orders.ask("GET", f"{campaign.url}/orders/A-1", key=campaign.operator)
    assert [one["quantity"] for one in waited["lines"]] == ["4", "3"]
    await campaign.push("A-1", line("CAI-KG", "14"), line("CAI-TUI", "10"), minute=1, contact=contact)
    for table in ("campaign_order", "customer_order"):
        rows = await campaign.orders.fetch(f"select contact_name, contact_phone from {table}")  # noqa: S608
        assert {tuple(row.values()) for row in rows} == {(None, None)}, table


async def test_a_cooperative_that_erases_takes_the_customer_from_no_other(campaign: Campaign) -> None:
    contact = {"name": "Nguyễn Thị Hoa", "phone": "0912345678"}
    await campaign.push("A-1", line("CAI-KG", "14"), contact=contact)
    await campaign.orders.run("link_customers", datetime.now(UTC))
    (customer,) = await campaign.orders.fetch(
        "select customer_id from customer where cooperative_id = $1", campaign.orders.van_ho
    )
    await campaign.orders.ask("DELETE", f"/v1/customers/{customer['customer_id']}?reason=customer_request")
    await campaign.push("A-1", line("CAI-KG", "13"), minute=1, contact=contact)
    rows = await campaign.orders.fetch("select cooperative_id, contact_name from customer_order")
    named = {row["cooperative_id"]: row["contact_name"] for row in rows}
    assert named == {campaign.orders.van_ho: None, campaign.chieng_mai: "Nguyễn Thị Hoa"}
