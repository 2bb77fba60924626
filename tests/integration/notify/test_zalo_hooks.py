"""The route that Zalo reports to, and the provider's own reports to it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI

from infra.local.providers import Trouble, serve
from infra.local.providers.zalo import Account, ApprovedTemplate, Zalo
from services.chassis import problems
from services.notify.domain.messages import Receipt, Said
from services.notify.http import zalo_hooks
from services.notify.inbound.zalo import ZaloReader

NUMBER, USER = "84912345678", "246845883529197922"
HOOK = "/v1/hooks/zalo"


@dataclass
class Taken:
    """Takes reports in, and stops for a while where a test wants that."""

    reports: list[Receipt | Said] = field(default_factory=list)
    hold: asyncio.Event | None = None

    async def take(self, reports: Sequence[Receipt | Said]) -> None:
        if self.hold is not None:
            await self.hold.wait()
        self.reports += reports


@dataclass
class Side:
    """Both sides, and what crossed over."""

    zalo: Zalo
    taken: Taken
    app: FastAPI
    client: httpx.AsyncClient
    at_zalo: httpx.AsyncClient

    async def send(self, tracking_id: str) -> httpx.Response:
        body = {"phone": NUMBER, "template_id": "1", "template_data": {"a": "b"}, "tracking_id": tracking_id}
        token = next(iter(self.zalo.access_tokens))
        return await self.at_zalo.post("/message/template", json=body, headers={"access_token": token})


@pytest.fixture
async def side() -> AsyncIterator[Side]:
    noon = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)
    zalo = Zalo(clock=lambda: noon, templates={"1": ApprovedTemplate("<a>", {"a": "name"})})
    zalo.accounts.append(Account(USER, NUMBER))
    zalo.access_tokens["good"] = datetime(2027, 1, 1, tzinfo=UTC)
    app, taken = FastAPI(), Taken()
    problems.install(app)
    app.include_router(zalo_hooks.router)
    app.state.zalo_reader, app.state.inbound = ZaloReader(zalo.app_id, zalo.oa_secret_key), taken
    transport = httpx.ASGITransport(app=app)
    async with (
        httpx.AsyncClient(transport=transport, base_url="http://notify") as client,
        serve(zalo.app) as url,
        httpx.AsyncClient(base_url=url, trust_env=False, timeout=30) as at_zalo,
    ):
        zalo.hook_url, zalo.hook_client = f"http://notify{HOOK}", client
        yield Side(zalo, taken, app, client, at_zalo)


async def test_what_arrived_is_reported_at_once_under_our_id(side: Side) -> None:
    message_id = uuid4()
    provider_id = (await side.send(message_id.hex)).json()["data"]["msg_id"]
    while not side.zalo.statuses:  # noqa: ASYNC110 - it reports when it has answered, and tells nobody of it
        await asyncio.sleep(0)
    assert side.zalo.statuses == [200]
    assert side.taken.reports == [Receipt("zalo", side.zalo.clock(), True, message_id, provider_id)]


async def test_a_receipt_comes_although_the_answer_was_lost(side: Side) -> None:
    message_id = uuid4()
    side.zalo.troubles.append(Trouble(drop=True, taken=True))
    with pytest.raises(httpx.TransportError):
        await side.send(message_id.hex)
    [receipt] = side.taken.reports
    assert isinstance(receipt, Receipt)
    assert receipt.message_id == message_id


async def test_receipts_are_held_back_until_they_are_wanted(side: Side) -> None:
    side.zalo.reports_at_once = False
    await side.send(uuid4().hex)
    assert side.taken.reports == []
    await side.zalo.report()
    assert len(side.taken.reports) == 1


async def test_a_household_writes_its_answer(side: Side) -> None:
    assert await side.zalo.write(USER, "chỉ có 5 cân") == 200
    [said] = side.taken.reports
    assert isinstance(said, Said)
    assert (said.channel, said.sender, said.text) == ("zalo_oa", USER, "chỉ có 5 cân")
    assert side.zalo.accounts[0].wrote_at == side.zalo.clock()


async def test_a_message_is_opened_in_the_conversation(side: Side) -> None:
    await side.zalo.write(USER, "xin chào")
    asked = {"recipient": {"user_id": USER}, "message": {"text": "Mang 12 kg"}}
    side.zalo.reports_at_once = False
    answer = await side.at_zalo.post("/v3.0/oa/message/cs", json=asked, headers={"access_token": "good"})
    await side.zalo.report()
    assert await side.zalo.open_conversation(USER) == 200
    received, seen = side.taken.reports[1:]
    assert received == seen
    assert isinstance(received, Receipt)
    assert (received.channel, received.provider_id) == ("zalo_oa", answer.json()["data"]["message_id"])


async def test_a_forged_report_changes_nothing(side: Side) -> None:
    body, headers = side.zalo.signed({"event_name": "user_send_text", "message": {}, "timestamp": "1"})
    answer = await side.client.post(HOOK, content=body + b" ", headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (403, "urn:cho-phien:problem:forged")
    assert side.taken.reports == []


async def test_the_consoles_test_is_answered_well_and_says_nothing(side: Side) -> None:
    for body in (b"", b"{}", b'{"event_name": "user_send_text", "message": {"text": "gi\xe1\xba\xa3"}}'):
        assert (await side.client.post(HOOK, content=body)).status_code == 200
    assert side.taken.reports == []


async def test_what_zalo_does_not_document_is_named(side: Side) -> None:
    body, headers = side.zalo.signed({"event_name": "user_send_text", "message": {}, "timestamp": "1"})
    answer = await side.client.post(HOOK, content=body, headers=headers)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "message.text")


async def test_zalo_is_asked_to_come_again_where_taking_lasts_too_long(side: Side) -> None:
    side.taken.hold = asyncio.Event()
    assert await side.zalo.write(USER, "có") == 503
    assert side.taken.reports == []


async def test_there_is_no_hook_where_zalo_is_not_set_up(side: Side) -> None:
    side.app.state.zalo_reader = None
    assert (await side.client.post(HOOK, content=b"{}")).status_code == 404
