"""Credentials for platforms: handed over by staff, checked, taken back, and never shown."""

import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from infra.local.stack import Stack
from tests.integration.orders.thin import ADAPTERS, Thin, an_order, partner_id, thin_market


@pytest.fixture
async def thin(stack: Stack) -> AsyncIterator[Thin]:
    async with thin_market(stack) as found:
        yield found


async def test_without_credentials_orders_wait_and_the_metrics_say_how_long(stack: Stack) -> None:
    async with thin_market(stack, authorised=False) as thin:
        await thin.tell("tiktok", an_order())
        assert not await thin.pull_once()
        assert (await thin.orders.ask("GET", thin.credentials("tiktok"))) == {
            "is_set": False,
            "valid_until": None,
            "needs_authorisation": False,
        }
        await thin.orders.run("count_pulls", datetime.now(UTC) + timedelta(minutes=10))
        assert thin.counted("orders_pulls_waiting", adapter="tiktok") == 1
        assert 600 <= thin.counted("orders_pull_oldest_due_seconds", adapter="tiktok") < 700
        await thin.authorise("tiktok")
        assert await thin.orders.run("pull_orders", datetime.now(UTC))
        await thin.orders.run("count_pulls", datetime.now(UTC))
        assert thin.counted("orders_pull_oldest_due_seconds", adapter="tiktok") == 0


async def test_a_refresh_token_alone_gets_the_first_token(stack: Stack) -> None:
    async with thin_market(stack, authorised=False) as thin:
        await thin.orders.ask("PUT", thin.credentials("lazada"), {"refresh_token": "refresh-0"})
        await thin.tell("lazada", an_order())
        await thin.pull_once()
        assert await thin.books("lazada") != {}


async def test_an_app_secret_of_its_own_signs_the_requests(stack: Stack) -> None:
    async with thin_market(stack, authorised=False) as thin:
        path = f"/v1/partners/{partner_id(thin, 'shopee')}/secrets"
        await thin.orders.ask("POST", path, {"secret": "push-key-of-its-own"})
        await thin.authorise("shopee", app_secret="partner-key-of-a-test")
        thin.platforms.shopee.put(an_order())
        assert (await thin.push("shopee", an_order(), secret="push-key-of-its-own")).status_code == 200
        await thin.pull_once()
        assert (await thin.books("shopee"), thin.platforms.shopee.refused) != ({}, [])
        assert thin.platforms.shopee.refused == []


async def test_credentials_are_checked_and_never_shown(thin: Thin) -> None:
    async def refused(path: str, body: object) -> int:
        answer = await thin.orders.running.client.put(path, json=body, headers=thin.orders.staff)
        assert "secret-in-the-body" not in answer.text
        return answer.status_code

    path = thin.credentials("tiktok")
    for body in (
        {},
        {"refresh_token": ""},
        {"refresh_token": "a b"},
        {"refresh_token": "secret-in-the-body", "expires_at": "2026-11-23T00:00:00"},
        {"refresh_token": "secret-in-the-body", "access_token": "x", "expires_at": "0001-01-01T00:00:00+14:00"},
        {"refresh_token": "secret-in-the-body", "scope": "x"},
        {"consumer_key": "ck_secret-in-the-body", "consumer_secret": "cs_x"},
    ):
        assert await refused(path, body) == 422
    canonical = f"/v1/partners/{thin.orders.shop.partner_id}/api-credentials"
    assert await refused(canonical, {"refresh_token": "secret-in-the-body"}) == 409
    stranger = await thin.orders.running.key("staff", partner_id(thin, "tiktok"))
    for method in ("GET", "PUT", "DELETE"):
        answer = await thin.orders.running.client.request(method, path, json={"refresh_token": "x"}, headers=stranger)
        assert answer.status_code == 404
    told = (await thin.orders.running.client.get(path, headers=thin.orders.staff)).text
    assert "access-0" not in told
    assert "refresh-0" not in told


async def test_nothing_secret_gets_into_logs_and_errors(thin: Thin, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="services")
    for adapter in ADAPTERS:
        platform = thin.platform(adapter)
        platform.access, platform.authorised = "another-than-ours", False
        await thin.tell(adapter, an_order())
    for _ in range(6):
        await thin.pull_once()
    errors = " ".join(str(error) for error in (await thin.waiting()).values())
    for secret in ("access-0", "refresh-0", "app-secret-of-a-test", "partner-key-of-a-test"):
        assert secret not in caplog.text + errors
    assert "left alone" in caplog.text


async def test_credentials_can_be_taken_back(thin: Thin) -> None:
    await thin.orders.ask("DELETE", thin.credentials("tiktok"))
    await thin.tell("tiktok", an_order())
    assert not await thin.pull_once()
    assert await thin.waiting() == {"5764": None}


async def test_a_shop_whose_number_is_none_cannot_be_asked(thin: Thin) -> None:
    settings = {"partner_id": "1000639", "shop_id": "mine"}
    shop = await thin.orders.register("shopee", secret="a-partner-key", settings=settings)
    path = f"/v1/partners/{shop.partner_id}/api-credentials"
    answer = await thin.orders.running.client.put(path, json={"refresh_token": "x"}, headers=thin.orders.staff)
    assert (answer.status_code, "shop_id" in answer.json()["detail"]) == (409, True)
