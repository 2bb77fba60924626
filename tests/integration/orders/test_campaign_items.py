"""What the union pools in a campaign: SKUs, what each cooperative gives of them, and what waits for a meaning."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from infra.local.stack import Stack
from services.orders import pooling
from services.orders.store import books
from tests.integration.orders.campaigns import Campaign, campaign_market, item, parts, shares
from tests.integration.orders.conftest import TOMORROW, line


@pytest.fixture
async def campaign(stack: Stack) -> AsyncIterator[Campaign]:
    async with campaign_market(stack) as found:
        yield found


async def test_a_line_of_an_unknown_sku_waits_until_the_union_says_what_it_is(campaign: Campaign) -> None:
    contact = {"name": "Nguyễn Thị Hoa", "phone": "0912345678"}
    answer = await campaign.push("A-1", line("CAI-KG", "1"), line("CAI-TUI", "10"), contact=contact)
    assert [(one["state"], one["reason"]) for one in answer["lines"]] == [("ordered", None), ("refused", "unknown_sku")]
    lone = await campaign.push("A-2", line("CAI-TUI", "5"), contact=contact)
    assert (lone["state"], lone["parts"]) == ("not_promised", [])
    done = await campaign.set_items(item(sku="CAI-TUI", factor="0.3"))
    assert done["released_orders"] == 2
    state = await campaign.orders.ask("GET", f"{campaign.url}/orders/A-2", key=campaign.operator)
    assert parts(state) == ["1.5"]
    kept = await campaign.orders.fetch("select contact_name, contact_phone from campaign_order")
    assert {tuple(row.values()) for row in kept} == {(None, None)}
    told = await campaign.orders.fetch("select distinct contact_name from customer_order")
    assert [row["contact_name"] for row in told] == ["Nguyễn Thị Hoa"]


async def test_what_the_union_sets_is_set_even_where_a_cooperative_closes_meanwhile(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    await campaign.push("A-1", line("CAI-TUI", "10"))
    turns = iter([False])

    async def enter(conn: Any, cooperatives: Any) -> set[UUID]:
        return await books.enter_free_gates(conn, cooperatives) if next(turns, True) else set()

    monkeypatch.setattr(pooling, "enter_free_gates", enter)
    done = await campaign.set_items(item(sku="CAI-TUI", factor="0.3"))
    assert done["released_orders"] == 1
    found = await campaign.orders.ask("GET", campaign.url, key=campaign.operator)
    assert [one["sku"] for one in found["items"]] == ["CAI-KG", "CAI-TUI"]


async def test_a_sku_means_the_same_for_every_cooperative_on_every_day(campaign: Campaign) -> None:
    later = item(factor="0.5") | {"delivery_day": "2026-11-25", "shares": shares("10", "5")[:1]}
    path = f"{campaign.url}/items"
    answer = await campaign.orders.running.client.put(path, json=[later], headers=campaign.operator)
    assert [error["field"] for error in answer.json()["errors"]] == ["[0].factor"]
    both = later | {"shares": shares("10", "5")}
    await campaign.set_items(both)
    assert parts(await campaign.push("A-1", line("CAI-KG", "4"), delivery_day=TOMORROW.isoformat())) == ["2"]


async def test_a_cooperative_that_is_named_no_more_gets_nothing_more(campaign: Campaign) -> None:
    await campaign.push("A-1", line("CAI-KG", "2"))
    await campaign.set_items(item() | {"shares": shares("10", "5")[1:]})
    answer = await campaign.push("A-2", line("CAI-KG", "20"))
    assert [part["cooperative_id"] for part in answer["parts"]] == [str(campaign.chieng_mai)]
    assert await campaign.ordered() == {"van-ho": "2", "chieng-mai": "20"}


async def test_the_union_sees_the_seats_and_what_waits_for_a_meaning(campaign: Campaign) -> None:
    found = await campaign.orders.ask("GET", campaign.url, key=campaign.operator)
    assert [seat["cooperative"] for seat in found["seats"]] == ["chieng-mai", "van-ho"]
    await campaign.push("A-1", line("GAO-5KG", "3"), delivery_day=TOMORROW.isoformat())
    waiting = await campaign.orders.ask("GET", f"{campaign.url}/review", key=campaign.operator)
    expected = {"partner_ref": "A-1", "line_no": 1, "sku": "GAO-5KG", "sold_quantity": "3"}
    assert waiting["lines"] == [expected | {"delivery_day": TOMORROW.isoformat()}]


@pytest.mark.parametrize(
    ("items", "faulty"),
    [
        ([item(), item()], "[1]"),
        ([item(), item(factor="2") | {"delivery_day": "2026-11-25"}], "[1].factor"),
        ([item(van_ho="0.3")], "[0].shares[0].quantity"),
        ([item(factor="0")], "[0].factor"),
        ([item() | {"shares": shares("1", "1") * 2}], "[0].shares[2].cooperative"),
        ([item() | {"shares": [shares("1", "1")[0] | {"product_code": "gao"}]}], "[0].shares[0].product_code"),
        (
            [item() | {"shares": [*shares("1", "1")[1:], shares("1", "1")[0] | {"product_code": "su-su"}]}],
            "[0].shares[1].product_code",
        ),
    ],
)
async def test_faulty_shares_are_refused_and_change_nothing(
    campaign: Campaign, items: list[dict[str, Any]], faulty: str
) -> None:
    before = await campaign.orders.ask("GET", campaign.url, key=campaign.operator)
    answer = await campaign.orders.running.client.put(f"{campaign.url}/items", json=items, headers=campaign.operator)
    assert answer.status_code == 422, answer.text
    assert faulty in [error["field"] for error in answer.json()["errors"]]
    assert await campaign.orders.ask("GET", campaign.url, key=campaign.operator) == before
