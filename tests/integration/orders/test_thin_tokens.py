"""Tokens of platforms: renewed once and in time, kept until they are saved, and seen when a seller takes them back."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from infra.local.stack import Stack
from services.orders.platforms.calls import Caller, open_client
from services.orders.platforms.shopee import Shopee
from services.orders.store.partners import get_partner
from services.orders.tokens import Tokens
from tests.integration.orders.thin import Thin, an_order, each_platform, partner_id, thin_market


@pytest.fixture
async def thin(stack: Stack) -> AsyncIterator[Thin]:
    async with thin_market(stack) as found:
        yield found


@each_platform
async def test_an_expired_token_is_renewed_once_and_its_refresh_token_replaced(thin: Thin, adapter: str) -> None:
    thin.platform(adapter).access = "another-than-ours"
    await thin.tell(adapter, an_order())
    await thin.pull_once()
    assert await thin.books(adapter) != {}
    await thin.tell(adapter, an_order(minute=1))
    await thin.pull_all()
    assert (thin.platform(adapter).refreshed, thin.platform(adapter).refused) == (1, [])
    ((row),) = await thin.orders.fetch(
        "select access_token, refresh_token from platform_token where partner_id = $1", partner_id(thin, adapter)
    )
    assert tuple(row) == ("access-1", "refresh-1")


@each_platform
async def test_a_token_that_is_about_to_end_is_renewed_before_it_is_used(thin: Thin, adapter: str) -> None:
    await thin.authorise(adapter, expires_at=(datetime.now(UTC) + timedelta(minutes=1)).isoformat())
    await thin.tell(adapter, an_order())
    await thin.pull_once()
    assert thin.platform(adapter).refreshed == 1
    told = await thin.orders.ask("GET", thin.credentials(adapter))
    assert datetime.fromisoformat(told["valid_until"]) > datetime.now(UTC) + timedelta(hours=3)


async def test_of_many_who_find_the_token_over_one_renews_it(thin: Thin) -> None:
    partner = await get_partner(thin.orders.running.runtime.pool, partner_id(thin, "shopee"))
    assert partner is not None
    async with open_client(5) as client:
        platform = Shopee(Caller(client, 5), f"{thin.platforms.url}/shopee")
        tokens = Tokens(thin.orders.running.runtime.ledger, lambda: datetime.now(UTC), asyncio.Event())
        refused = (await tokens.access(partner, platform)).token
        found = await asyncio.gather(*(tokens.access(partner, platform, refused) for _ in range(6)))
    assert {one.token.access for one in found} == {"access-1"}
    assert (thin.platforms.shopee.refreshed, thin.platforms.shopee.refused) == (1, [])


async def test_a_token_that_cannot_be_saved_at_once_is_kept_until_it_is(thin: Thin) -> None:
    await thin.orders.fetch("create sequence failed_commits")
    await thin.orders.fetch(
        "create function fail_at_first() returns trigger language plpgsql as $$ begin "
        "if nextval('failed_commits') <= 2 then raise exception 'away' using errcode = '57P03'; end if; "
        "return null; end $$"
    )
    await thin.orders.fetch(
        "create constraint trigger fails after update of refresh_token on platform_token deferrable initially deferred "
        "for each row execute function fail_at_first()"
    )
    thin.platforms.tiktok.access = "another-than-ours"
    await thin.tell("tiktok", an_order())
    await thin.pull_once()
    assert await thin.books("tiktok") != {}
    ((stored,),) = await thin.orders.fetch(
        "select refresh_token from platform_token where partner_id = $1", partner_id(thin, "tiktok")
    )
    assert (stored, thin.platforms.tiktok.refreshed) == ("refresh-1", 1)


async def test_a_process_that_stops_does_not_wait_for_ever_to_save_a_token(
    thin: Thin, caplog: pytest.LogCaptureFixture
) -> None:
    """The database is away, and stays away."""
    await thin.orders.fetch(
        "create function fail() returns trigger language plpgsql as $$ begin "
        "raise exception 'away' using errcode = '57P03'; end $$"
    )
    await thin.orders.fetch(
        "create trigger fails before update of refresh_token on platform_token for each row execute function fail()"
    )
    runtime, tiktok = thin.orders.running.runtime, thin.platforms.tiktok
    tiktok.access, tiktok.hold = "another-than-ours", asyncio.Event()
    await thin.tell("tiktok", an_order())
    pulling = asyncio.create_task(thin.pull_once())
    await tiktok.holding.wait()
    runtime.stopping.set()
    pulling.cancel()
    tiktok.hold.set()
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(30):
            await pulling
    assert tiktok.refreshed == 1
    assert "a new token is lost" in caplog.text
    assert "refresh-1" not in caplog.text


async def test_no_transaction_waits_for_a_platform_that_gives_a_token(thin: Thin) -> None:
    tiktok = thin.platforms.tiktok
    tiktok.access, tiktok.hold = "another-than-ours", asyncio.Event()
    await thin.tell("tiktok", an_order())
    pulling = asyncio.create_task(thin.pull_once())
    await tiktok.holding.wait()
    async with asyncio.timeout(20):
        await thin.authorise("tiktok", access_token="access-1", refresh_token="of-staff")
    tiktok.hold.set()
    await pulling
    ((stored,),) = await thin.orders.fetch(
        "select refresh_token from platform_token where partner_id = $1", partner_id(thin, "tiktok")
    )
    assert (stored, await thin.books("tiktok")) == ("of-staff", {"5764": ("upsert", {"SU-SU": 3})})


@each_platform
async def test_a_seller_who_takes_the_authorisation_back_is_seen_and_nothing_is_lost(thin: Thin, adapter: str) -> None:
    platform = thin.platform(adapter)
    platform.access, platform.authorised = "another-than-ours", False
    await thin.tell(adapter, an_order())
    await thin.pull_once()
    told = await thin.orders.ask("GET", thin.credentials(adapter))
    assert (told["is_set"], told["needs_authorisation"]) == (True, True)
    assert thin.counted("orders_pulls_total", adapter=adapter, outcome="unauthorised") == 1
    platform.authorised = True
    await thin.authorise(adapter)
    assert not (await thin.orders.ask("GET", thin.credentials(adapter)))["needs_authorisation"]
    assert await thin.orders.run("pull_orders", datetime.now(UTC))
    assert await thin.books(adapter) != {}
