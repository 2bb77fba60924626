"""A household lets a browser be told, by the link of its notice, and the browser says what it has shown."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace
from pydantic import SecretStr

from infra.local.providers.push import Browser
from infra.local.stack import Stack
from services.notify.app import service
from services.notify.domain.hooks import Hooks
from services.notify.store.contacts import list_contacts
from tests.integration.notify.peers import Mailbox
from tests.integration.notify.world import DAY, LINKS, REACHED, World
from tests.support.servers import fresh_database
from tests.support.service import running

REPLY_BY = datetime.now(UTC) + timedelta(hours=5)
AT = "https://push.example"


@dataclass
class Browsing(World):
    """With the link that the household got."""

    browser: Browser = field(default_factory=lambda: Browser("mai"))

    @property
    def page(self) -> str:
        return LINKS.url(self.household, DAY, REPLY_BY).removeprefix(LINKS.public_url) + "/push"

    async def subscribe(self, browser: Browser | None = None) -> int:
        given = (browser or self.browser).subscription(AT)
        return (await self.service.client.post(self.page, json=given)).status_code


@pytest.fixture
async def world(stack: Stack, mail: Mailbox) -> AsyncIterator[Browsing]:
    smtp = {"smtp_host": "127.0.0.1", "smtp_port": mail.port, "smtp_tls": "none", "smtp_sender": "no-reply@cho.example"}
    push = {
        "vapid_private_key": SecretStr("2nrKjNZo7OULyi0uVcQJrrcW2BLp32trZpBEBeigiB4"),
        "vapid_subject": "mailto:a@cho.example",
    }
    async with fresh_database(stack, "notify") as dsn, running(service, dsn, **REACHED, **smtp, **push) as made:
        world = Browsing(made)
        await world.open()
        await world.apply(replace(world.basket(), reply_by_at=REPLY_BY))
        yield world


async def test_the_page_may_run_its_own_script_and_nothing_else(world: Browsing) -> None:
    answer = await world.service.client.get(world.page)
    assert answer.status_code == 200
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert 'data-key="' in answer.text
    assert "<script>" not in answer.text
    for path in ("/push.js", "/push-worker.js"):
        script = await world.service.client.get(path)
        assert script.headers["content-type"].startswith("text/javascript")
    basket = await world.service.client.get(world.page.removesuffix("/push"))
    assert "/push" in basket.text


async def test_a_subscription_is_a_way_to_the_household_with_its_own_consent(world: Browsing) -> None:
    assert await world.subscribe() == 204
    assert await world.subscribe() == 204
    async with world.service.runtime.pool.acquire() as conn:
        (contact,) = await list_contacts(conn, world.household)
        given = await conn.fetch("select channel, purpose, recorded_by from consent")
    assert list(contact.places) == ["web_push"]
    assert [tuple(one) for one in given] == [("web_push", "work", None)]
    assert [n["state"] for n in await world.notices()] == ["queued"], "what reached nobody is told now"


async def test_a_link_lets_only_a_few_browsers_in(world: Browsing) -> None:
    assert [await world.subscribe(Browser(f"b{n}")) for n in range(6)] == [204] * 5 + [409]


async def test_a_browser_that_is_gone_makes_room_for_another(world: Browsing) -> None:
    for n in range(5):
        await world.subscribe(Browser(f"b{n}"))
    await world.service.runtime.pool.execute("update contact_address set gone_at = now() where address like '%/b3%'")
    assert [await world.subscribe(Browser(name)) for name in ("new", "too-many")] == [204, 409]
    async with world.service.runtime.pool.acquire() as conn:
        known = await list_contacts(conn, world.household)
    assert len(known) == 5
    assert not any(one.addresses[0].gone_at for one in known)


async def test_who_had_enough_and_subscribes_again_is_told_again(world: Browsing) -> None:
    await world.subscribe()
    pool = world.service.runtime.pool
    await pool.execute("update consent set withdrawn_at = now(), withdrawn_source = 'asked us to'")
    renewed = Browser(world.browser.name)
    assert await world.subscribe(renewed) == 204
    assert await pool.fetchval("select count(*) from consent where withdrawn_at is null") == 1
    assert (
        await pool.fetchval("select address::jsonb #>> '{keys,p256dh}' from contact_address")
        == (renewed.subscription(AT)["keys"]["p256dh"])
    )


async def test_a_subscription_that_is_none_is_refused_by_name(world: Browsing) -> None:
    answer = await world.service.client.post(world.page, json={"endpoint": "http://push.example/x"})
    assert answer.status_code == 422
    answer = await world.service.client.post(world.page, json={"endpoint": "https://push.example/x"})
    assert answer.json()["errors"][0]["field"] == "keys"
    for body in (b"{", b"[" * 2000):
        assert (await world.service.client.post(world.page, content=body)).status_code == 400


async def test_a_browser_s_report_is_the_receipt_and_a_forged_one_is_none(world: Browsing) -> None:
    await world.subscribe()
    pool = world.service.runtime.pool
    delivery = await pool.fetchval("update delivery set state = 'sent' returning delivery_id")
    url = Hooks(LINKS.public_url, LINKS.secrets).shown_url("push", delivery).removeprefix(LINKS.public_url)
    assert (await world.service.client.post(url[:-4] + "0000")).status_code == 403
    assert [n["state"] for n in await world.notices()] == ["queued"]
    assert (await world.service.client.post(url)).status_code == 204
    assert [(n["state"], n["channel"]) for n in await world.notices()] == [("told", "web_push")]
