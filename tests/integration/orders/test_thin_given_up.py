"""Orders that cannot be had from their platform: given up after days, shown to staff, and asked for again."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from infra.local.stack import Stack
from services.orders.domain.pulls import GIVE_UP_AFTER
from tests.integration.orders.thin import REFUSALS, Thin, an_order, each_platform, partner_id, thin_market


@pytest.fixture
async def thin(stack: Stack) -> AsyncIterator[Thin]:
    async with thin_market(stack) as found:
        yield found


async def days_later(thin: Thin) -> None:
    """As if everything had been asked for in vain since."""
    await thin.orders.fetch("update pull set told_at = told_at - $1::interval, attempts = $2", GIVE_UP_AFTER, 20)


@each_platform
async def test_an_order_that_comes_to_nothing_for_days_is_given_up_shown_and_asked_for_again(
    thin: Thin, adapter: str
) -> None:
    platform = thin.platform(adapter)
    platform.poison, platform.poison_answer = "2", REFUSALS[adapter]
    await thin.tell(adapter, an_order("1"), an_order("2"))
    await thin.pull_once()
    path = f"/v1/partners/{partner_id(thin, adapter)}/pulls"
    assert (await thin.orders.ask("GET", path))["orders"] == []
    (waits,) = (await thin.orders.ask("GET", f"{path}?state=waiting"))["orders"]
    assert (waits["partner_ref"], waits["attempts"], waits["given_up_at"]) == ("2", 1, None)
    await days_later(thin)
    thin.ahead += timedelta(hours=1)
    await thin.pull_once()
    assert await thin.waiting() == {}
    (lost,) = (await thin.orders.ask("GET", path))["orders"]
    assert (lost["partner_ref"], lost["state"], lost["next_at"]) == ("2", "given_up", None)
    assert lost["reason"] == waits["reason"] != None  # noqa: E711 - compared with what was said before
    await thin.orders.run("count_pulls", datetime.now(UTC))
    assert thin.counted("orders_pulls_given_up", adapter=adapter) == 1
    assert thin.counted("orders_pulls_waiting", adapter=adapter) == 0
    platform.poison = ""
    assert await thin.orders.ask("POST", f"{path}/retry", {"partner_refs": ["1", "9"]}) == {"retried": 0}
    assert await thin.orders.ask("POST", f"{path}/retry", {}) == {"retried": 1}
    thin.ahead += timedelta(hours=1)
    await thin.pull_once()
    assert set(await thin.books(adapter)) == {"1", "2"}
    await thin.orders.run("count_pulls", datetime.now(UTC))
    assert thin.counted("orders_pulls_given_up", adapter=adapter) == 0


async def test_an_order_that_was_given_up_is_pulled_after_another_push_and_with_other_credentials(thin: Thin) -> None:
    async def give_up() -> None:
        await thin.pull_once()
        await days_later(thin)
        thin.ahead += timedelta(hours=1)
        await thin.pull_once()
        assert await thin.waiting() == {}

    tiktok = thin.platforms.tiktok
    tiktok.authorised, tiktok.access = False, "another-than-ours"
    await thin.tell("tiktok", an_order("1"))
    await give_up()
    await thin.tell("tiktok", an_order("1", minute=1))
    assert list(await thin.waiting()) == ["1"]
    await give_up()
    tiktok.authorised = True
    await thin.authorise("tiktok")
    await thin.pull_once()
    assert set(await thin.books("tiktok")) == {"1"}


async def test_an_order_that_its_platform_does_not_know_is_given_up_and_raises_no_alarm(thin: Thin) -> None:
    await thin.push("shopee", an_order("7"))
    await thin.pull_once()
    await days_later(thin)
    thin.ahead += timedelta(hours=1)
    await thin.pull_once()
    path = f"/v1/partners/{partner_id(thin, 'shopee')}/pulls"
    assert [one["reason"] for one in (await thin.orders.ask("GET", path))["orders"]] == ["not_found"]
    await thin.orders.run("count_pulls", datetime.now(UTC))
    assert thin.counted("orders_pulls_given_up", adapter="shopee") == 0
    await thin.orders.ask("DELETE", f"{path}/7")
    assert (await thin.orders.ask("GET", path)) == {"orders": [], "next": None}
    answer = await thin.orders.running.client.delete(f"{path}/7", headers=thin.orders.staff)
    assert answer.status_code == 404


async def test_orders_that_were_given_up_are_listed_in_pages_and_to_nobody_else(thin: Thin) -> None:
    refs = [str(number) for number in range(100, 107)]
    await thin.tell("lazada", *(an_order(ref) for ref in refs))
    await thin.orders.fetch("update pull set due_at = null, gave_up_at = now()")
    path, found, after = f"/v1/partners/{partner_id(thin, 'lazada')}/pulls", [], ""
    while after is not None:
        page = await thin.orders.ask("GET", f"{path}?limit=3&after={after}")
        found += [one["partner_ref"] for one in page["orders"]]
        after = page["next"]
    assert found == refs
    stranger = await thin.orders.running.key("staff", partner_id(thin, "lazada"))
    for method, url in (("GET", path), ("POST", f"{path}/retry"), ("DELETE", f"{path}/100")):
        answer = await thin.orders.running.client.request(method, url, json={}, headers=stranger)
        assert answer.status_code == 404
