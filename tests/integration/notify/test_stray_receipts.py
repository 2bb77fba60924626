"""Receipts under a provider's id that cross with our own commit of that id."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import SecretStr

from infra.local.providers import serve
from infra.local.providers.speedsms import SpeedSms
from infra.local.stack import Stack
from services.chassis.ledger import Transaction
from services.notify.app import service
from services.notify.domain.messages import Receipt
from services.notify.receiving import take_receipts
from tests.integration.notify.world import REACHED, World
from tests.support.servers import fresh_database
from tests.support.service import running

PHONE = "+84912345678"
BY_MAIL = {"smtp_host": "127.0.0.1", "smtp_port": 9, "smtp_tls": "none", "smtp_sender": "no-reply@cho.example"}


@pytest.fixture
async def by_sms(stack: Stack) -> AsyncIterator[World]:
    """A household that is told by SMS."""
    provider = SpeedSms()
    async with serve(provider.app) as url, fresh_database(stack, "notify") as dsn:
        account: dict[str, Any] = {"speedsms_url": url, "speedsms_token": SecretStr(provider.token)}
        settings = {"sms_provider": "speedsms", "speedsms_sender": "ChoPhien", **account, **REACHED, **BY_MAIL}
        async with running(service, dsn, **settings) as made:
            world = World(made)
            await world.open()
            consent = {"purposes": ["work"], "source": "signed form"}
            way = {"channel": "sms", "address": PHONE, "consent": consent}
            path = f"/v1/households/{world.household}/contacts"
            body = {"display_name": "bà Dợ", "addresses": [way]}
            answer = await made.client.post(path, json=body, headers=await world.staff())
            assert answer.status_code == 201, answer.text
            await world.apply(world.basket())
            yield world


async def test_a_receipt_that_crosses_with_the_commit_of_its_id_is_matched_soon_after(by_sms: World) -> None:
    world, ledger, ladder = by_sms, by_sms.service.runtime.ledger, by_sms.service.parts.state["ladder"]
    looked, sent = asyncio.Event(), asyncio.Event()
    receipt = Receipt("sms", datetime.now(UTC), arrived=True, provider_id="100000")

    async def take(tx: Transaction) -> None:
        await take_receipts(tx, ladder, [receipt], datetime.now(UTC))
        looked.set()
        await sent.wait()

    taking = asyncio.create_task(ledger.transact(take))
    await looked.wait()
    await world.run("send_sms")
    sent.set()
    await taking
    assert [state for state, *_ in await world.states()] == ["queued"]
    await world.run("match_strays")
    assert [state for state, *_ in await world.states()] == ["told"]
    assert await world.service.runtime.pool.fetchval("select count(*) from stray_receipt") == 0


async def test_a_receipt_of_a_message_that_is_not_ours_stays_a_stray(by_sms: World) -> None:
    await by_sms.service.parts.state["inbound"].take([Receipt("sms", datetime.now(UTC), True, provider_id="7")])
    await by_sms.run("send_sms")
    await by_sms.run("match_strays")
    assert [state for state, *_ in await by_sms.states()] == ["queued"]
    assert await by_sms.service.runtime.pool.fetchval("select count(*) from stray_receipt") == 1
