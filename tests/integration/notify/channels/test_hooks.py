"""What the providers of SMS and Telegram report reaches us: from their servers to our routes, and no forgery does."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI

from infra.local.providers import Arrived, Provider
from infra.local.providers.esms import Esms
from infra.local.providers.speedsms import SpeedSms
from infra.local.providers.telegram import Telegram
from infra.local.providers.twilio import Twilio
from services.chassis import problems
from services.notify.domain.hooks import Hooks
from services.notify.domain.messages import Receipt, Said
from services.notify.http import sms_hooks, telegram_hooks
from services.notify.http.sms_hooks import SmsReaders
from services.notify.inbound.esms import ESMS, REPLIES, EsmsReader, ShortNumber
from services.notify.inbound.speedsms import REPORTS, SPEEDSMS, SpeedSmsReader
from services.notify.inbound.telegram import TelegramReader
from services.notify.inbound.twilio import TwilioReader
from tests.integration.notify.channels.messages import MAI, NOW, SettableClock

PUBLIC = "https://cho.example"
HOOKS = Hooks(PUBLIC, ("s" * 32,))
OURS = UUID(int=77)


@dataclass
class Inbound:
    """Takes what the routes hand on."""

    taken: list[Receipt | Said] = field(default_factory=list)

    async def take(self, reports: list[Receipt | Said]) -> None:
        assert reports
        self.taken += reports


@dataclass
class House:
    """Our routes alone, with a client that stands for the way through the internet."""

    app: FastAPI
    inbound: Inbound
    client: httpx.AsyncClient
    esms: Esms = field(default_factory=Esms)
    speedsms: SpeedSms = field(default_factory=SpeedSms)
    twilio: Twilio = field(default_factory=Twilio)
    telegram: Telegram = field(default_factory=Telegram)

    def __post_init__(self) -> None:
        for provider in (self.esms, self.speedsms, self.twilio, self.telegram):
            provider.hook_client = self.client
        account = self.esms.account
        short_number = ShortNumber(account.cp_id, account.private_key, "VANHO")
        self.app.state.sms_readers = SmsReaders(
            EsmsReader(HOOKS, short_number), SpeedSmsReader(HOOKS), TwilioReader(PUBLIC, self.twilio.auth_token)
        )
        self.app.state.telegram_reader = TelegramReader(self.telegram.secret_token)
        self.esms.reply_url = HOOKS.account_url(ESMS, REPLIES)
        self.speedsms.hook_url = HOOKS.account_url(SPEEDSMS, REPORTS)
        self.twilio.reply_url = f"{PUBLIC}/v1/hooks/sms/twilio/replies"
        self.telegram.hook_url = f"{PUBLIC}/v1/hooks/telegram"

    async def esms_took(self) -> str:
        """A message of ours at eSMS."""
        url = HOOKS.receipt_url(ESMS, OURS)
        return await _post(self.esms, "/MainService.svc/json/SendMultipleMessage_V4_post_json/", json={
            "ApiKey": "esms-key", "SecretKey": "esms-secret", "Brandname": "HTXVanHo", "SmsType": "2",
            "Phone": "84912345678", "Content": "hi", "RequestId": str(OURS), "CallbackUrl": url,
        })  # fmt: skip

    async def twilio_took(self) -> str:
        """A message of ours at Twilio."""
        url = TwilioReader(PUBLIC, "").receipt_url(OURS)
        form = {"To": MAI, "From": self.twilio.sender, "Body": "hi", "StatusCallback": url}
        path = f"/2010-04-01/Accounts/{self.twilio.account_sid}/Messages.json"
        return await _post(self.twilio, path, data=form, auth=(self.twilio.account_sid, self.twilio.auth_token))


async def _post(provider: Provider, path: str, **content: object) -> str:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(provider.app), base_url="http://provider") as client:
        (await client.post(path, **content)).raise_for_status()  # type: ignore[arg-type]
    return provider.arrived[-1].provider_id


@pytest.fixture
async def house() -> AsyncIterator[House]:
    app, inbound = FastAPI(), Inbound()
    app.include_router(sms_hooks.router)
    app.include_router(telegram_hooks.router)
    problems.install(app)
    app.state.inbound, app.state.clock = inbound, SettableClock()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=PUBLIC) as client:
        yield House(app, inbound, client)


async def test_esms_reports_on_a_message(house: House) -> None:
    sms_id = await house.esms_took()
    for status in (1, 2, 7):
        assert await house.esms.report(sms_id, status=status) == 200
    assert not house.inbound.taken
    assert await house.esms.report(sms_id) == 200
    assert await house.esms.report(sms_id, delivered=False) == 200
    assert await house.esms.report(sms_id, status=4) == 200
    assert house.inbound.taken == [
        Receipt("sms", NOW, True, OURS, sms_id),
        Receipt("sms", NOW, False, OURS, sms_id, "esms_not_delivered"),
        Receipt("sms", NOW, False, OURS, sms_id, "esms_rejected"),
    ]


async def test_twilio_reports_on_a_message(house: House) -> None:
    sid = await house.twilio_took()
    for status in ("queued", "sending", "sent"):
        assert await house.twilio.report(sid, status) == 200
    assert not house.inbound.taken
    assert await house.twilio.report(sid) == 200
    assert await house.twilio.report(sid, "undelivered", "30005") == 200
    assert await house.twilio.report(sid, "failed") == 200
    assert house.inbound.taken == [
        Receipt("sms", NOW, True, OURS, sid),
        Receipt("sms", NOW, False, OURS, sid, "twilio_30005"),
        Receipt("sms", NOW, False, OURS, sid, "twilio_failed"),
    ]


async def test_speedsms_reports_on_a_message(house: House) -> None:
    house.speedsms.arrived.append(Arrived(MAI, "hi", "4711"))
    for status in (1, 63, 0, 64):
        assert await house.speedsms.report("4711", status) == 200
    assert house.inbound.taken == [
        Receipt("sms", NOW, True, None, "4711"),
        Receipt("sms", NOW, False, None, "4711", "speedsms_64"),
    ]


async def test_what_people_write_arrives_by_every_way(house: House) -> None:
    answer = await house.esms.write(MAI, "chỉ có 5kg & hết", keyword="vanho")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/xml")
    assert "<Message></Message>" in answer.text
    assert await house.twilio.write(MAI, "ok\x00 em") == 200
    assert await house.speedsms.write(MAI, "hết rồi") == 200
    assert await house.telegram.write("70001", "/start AB12", date=int(NOW.timestamp())) == 200
    said = [one for one in house.inbound.taken if isinstance(one, Said)]
    assert [(one.channel, one.sender, one.text, one.at) for one in said] == [
        ("sms", MAI, "chỉ có 5kg & hết", NOW),
        ("sms", MAI, "ok em", NOW),
        ("sms", MAI, "hết rồi", NOW),
        ("telegram", "70001", "/start AB12", NOW),
    ]
    assert len({one.said_id for one in said}) == 4


async def test_the_same_report_again_has_the_same_id(house: House) -> None:
    for _ in range(2):
        await house.esms.write(MAI, "ok", sms_id="mo1")
        await house.speedsms.write(MAI, "ok")
    ids = [one.said_id for one in house.inbound.taken if isinstance(one, Said)]
    assert ids[:2] == ids[2:]


async def test_reports_to_addresses_that_are_not_ours_are_refused(house: House) -> None:
    good = urlsplit(HOOKS.receipt_url(ESMS, OURS)).path
    another_message = good.replace(str(OURS), str(UUID(int=78)))
    another_secret = urlsplit(Hooks(PUBLIC, ("t" * 32,)).receipt_url(ESMS, OURS)).path
    fields = "?SMSID=1&SendStatus=5&SendSuccess=1&SendFailed=0"
    for path in (another_message, another_secret, good[:-1] + "é", good[:-1]):
        answer = await house.client.get(path + fields)
        assert (answer.status_code, answer.headers["content-type"]) == (403, "application/problem+json")
    assert (await house.client.get(good + fields)).status_code == 200
    assert len(house.inbound.taken) == 1
    body = {"type": "report", "tranId": 1, "phone": "84912345678", "status": 0}
    forged = urlsplit(HOOKS.account_url(ESMS, REPORTS)).path.replace("/esms/", "/speedsms/")
    assert (await house.client.post(forged, json=body)).status_code == 403
    assert (await house.client.post("/v1/hooks/sms/speedsms/reports/" + "0" * 32, json=body)).status_code == 403
    assert len(house.inbound.taken) == 1


async def test_wrong_signatures_are_refused(house: House) -> None:
    sid = await house.twilio_took()
    house.twilio.auth_token = "another"
    assert await house.twilio.report(sid) == 403
    assert await house.twilio.write(MAI, "ok") == 403
    house.telegram.secret_token = "another"
    assert await house.telegram.write("70001", "ok") == 403
    house.esms.account.private_key = "another"
    assert (await house.esms.write(MAI, "ok")).status_code == 403
    house.esms.account.private_key, house.esms.account.cp_id = "esms-private-key", "another"
    assert (await house.esms.write(MAI, "ok")).status_code == 403
    no_signature = await house.client.post("/v1/hooks/sms/twilio/replies", content=b"From=%2B84912345678")
    assert no_signature.status_code == 403
    assert (await house.client.post("/v1/hooks/telegram", json={"update_id": 1})).status_code == 403
    assert not house.inbound.taken


async def test_what_is_not_as_documented_is_said_so_and_changes_nothing(house: House) -> None:
    receipts = urlsplit(HOOKS.receipt_url(ESMS, OURS)).path
    for query, name in (
        ("", "SendStatus"),
        ("SendStatus=9", "SendStatus"),
        ("SendStatus=5&SendSuccess=x&SendFailed=0", "SendSuccess"),
        (f"SendStatus=5&SendSuccess=1&SendFailed=0&RequestId={UUID(int=1)}", "RequestId"),
    ):
        answer = await house.client.get(f"{receipts}?{query}")
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, name)
    speedsms = urlsplit(HOOKS.account_url(SPEEDSMS, REPORTS)).path
    for body, name in (
        (b"{", "body"),
        (b'{"type": "report", "tranId": 1}', "status"),
        (b'{"type": "report", "status": 0}', "tranId"),
        (b'{"type": "sms", "phone": "abc", "content": "x"}', "phone"),
        (b'{"type": "sms", "phone": "0912345678"}', "content"),
    ):
        answer = await house.client.post(speedsms, content=body)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, name)
    headers = {"X-Telegram-Bot-Api-Secret-Token": house.telegram.secret_token}
    for body, name in (
        (b"[]", "body"),
        (b"{}", "update_id"),
        (b'{"update_id": 1, "message": 5}', "message"),
        (b'{"update_id": 1, "message": {}}', "message.chat"),
        (b'{"update_id": 1, "message": {"chat": {"id": 1, "type": "private"}}}', "message.date"),
    ):
        answer = await house.client.post("/v1/hooks/telegram", content=body, headers=headers)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, name)
    sid = await house.twilio_took()
    assert await house.twilio.report(sid, "exploded") == 422
    assert await house.twilio.write("abc", "ok") == 422
    assert not house.inbound.taken


async def test_a_report_that_speaks_for_both_sides_says_nothing(house: House) -> None:
    path = urlsplit(HOOKS.receipt_url(ESMS, OURS)).path
    for counts in ("SendSuccess=1&SendFailed=1", "SendSuccess=0&SendFailed=0"):
        assert (await house.client.get(f"{path}?SendStatus=5&{counts}")).status_code == 200
    assert not house.inbound.taken


async def test_providers_that_are_not_set_up_have_no_address(house: House) -> None:
    house.app.state.sms_readers, house.app.state.telegram_reader = SmsReaders(), None
    assert (await house.client.get(urlsplit(HOOKS.receipt_url(ESMS, OURS)).path)).status_code == 404
    assert (await house.client.get(urlsplit(HOOKS.account_url(ESMS, REPLIES)).path)).status_code == 404
    assert (await house.client.post(urlsplit(HOOKS.account_url(SPEEDSMS, REPORTS)).path)).status_code == 404
    assert await house.twilio.write(MAI, "ok") == 404
    assert await house.telegram.write("70001", "ok") == 404
    house.app.state.sms_readers = SmsReaders(esms=EsmsReader(HOOKS))
    assert (await house.esms.write(MAI, "ok")).status_code == 403


async def test_of_telegram_only_what_a_person_wrote_alone_with_the_bot_counts(house: House) -> None:
    headers = {"X-Telegram-Bot-Api-Secret-Token": house.telegram.secret_token}
    at = int(NOW.timestamp())
    alone = {"chat": {"id": 5, "type": "private"}, "date": at}
    updates: list[dict[str, Any]] = [
        {"my_chat_member": {}},
        {"message": {"chat": {"id": -5, "type": "group"}, "date": at, "text": "ok"}},
        {"message": {**alone, "from": {"is_bot": True}, "text": "ok"}},
        {"message": {**alone, "new_chat_title": "x"}},
        {"message": {**alone, "voice": {"file_id": "x"}}},
        {"message": {**alone, "photo": [], "caption": "hỏng hết"}},
        {"edited_message": {**alone, "edit_date": at, "text": "5kg"}},
    ]
    for number, update in enumerate(updates):
        answer = await house.client.post("/v1/hooks/telegram", json={"update_id": number, **update}, headers=headers)
        assert answer.status_code == 200
    assert [(one.text, one.said_id) for one in house.inbound.taken if isinstance(one, Said)] == [
        ("[voice]", "4"),
        ("hỏng hết", "5"),
        ("5kg", "6"),
    ]
