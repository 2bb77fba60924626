"""SMS by each provider: what is asked of it, what its answers mean, and that nobody gets a message twice."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from infra.local.ports import choose_ports
from infra.local.providers import Provider, Trouble, serve
from infra.local.providers.esms import Esms
from infra.local.providers.speedsms import SpeedSms
from infra.local.providers.twilio import Twilio
from services.notify.channels import Batch, PeopleChannel, esms, speedsms, twilio
from services.notify.channels.esms import EsmsChannel
from services.notify.channels.http_api import HttpApi
from services.notify.channels.speedsms import SpeedSmsChannel
from services.notify.channels.twilio import TwilioChannel
from services.notify.domain.delivery import Failed, Outcome, Refused, Sent, Throttled, Unknown
from tests.integration.notify.channels.messages import (
    MAI,
    NOW,
    SHORT,
    SUA,
    SettableClock,
    message,
    no_wait,
    sent,
    sent_one,
)

AT_ONCE = (timedelta(0), timedelta(0))


@dataclass
class Kit:
    """A provider, our channel to it, and the table of its codes."""

    provider: Provider
    channel: PeopleChannel
    clock: SettableClock
    codes: dict[str, Outcome]

    def script(self, code: str) -> None:
        is_twilio = isinstance(self.provider, Twilio)
        status = {"20003": 401, "20404": 404, "20429": 429}.get(code, 400) if is_twilio else 200
        self.provider.fail_next(1, int(code) if is_twilio else code, status=status)


def receipt_url(message_id: UUID) -> str:
    return f"https://cho.example/receipts/{message_id}"


def channel_of(name: str, url: str, clock: SettableClock, timeout_s: float = 5) -> tuple[PeopleChannel, HttpApi]:
    if name == "esms":
        api = HttpApi(url, no_wait, timeout_s)
        return EsmsChannel(api, "esms-key", "esms-secret", "HTXVanHo", receipt_url, clock, AT_ONCE), api
    if name == "speedsms":
        api = HttpApi(url, no_wait, timeout_s, ("speedsms-token", "x"))
        return SpeedSmsChannel(api, "HTXVanHo", 3, clock), api
    account = "AC" + "0" * 32
    api = HttpApi(url, no_wait, timeout_s, (account, "twilio-token"))
    return TwilioChannel(api, account, "+12025550100", receipt_url, clock), api


@asynccontextmanager
async def kit_of(name: str, timeout_s: float = 5) -> AsyncIterator[Kit]:
    provider = {"esms": Esms, "speedsms": SpeedSms, "twilio": Twilio}[name]()
    codes: dict[str, Outcome] = {
        "esms": dict[str, Outcome](esms.CODES),
        "speedsms": speedsms.CODES,
        "twilio": {str(code): outcome for code, outcome in twilio.CODES.items()},
    }[name]
    clock = SettableClock()
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(serve(provider.app))
        channel, api = channel_of(name, url, clock, timeout_s)
        stack.push_async_callback(api.close)
        yield Kit(provider, channel, clock, codes)


@pytest.fixture(params=["esms", "speedsms", "twilio"])
async def kit(request: pytest.FixtureRequest) -> AsyncIterator[Kit]:
    async with kit_of(request.param) as made:
        yield made


@pytest.fixture
async def by_esms() -> AsyncIterator[Kit]:
    async with kit_of("esms") as made:
        yield made


@pytest.fixture
async def by_speedsms() -> AsyncIterator[Kit]:
    async with kit_of("speedsms") as made:
        yield made


@pytest.fixture
async def by_twilio() -> AsyncIterator[Kit]:
    async with kit_of("twilio") as made:
        yield made


async def test_each_person_gets_the_short_text_once(kit: Kit) -> None:
    outcomes = await sent(kit.channel, message(1), message(2, SUA, "Het hang"))
    assert kit.channel.name == "sms"
    assert [one.text for one in kit.provider.to(MAI)] == [SHORT]
    assert [one.text for one in kit.provider.to(SUA)] == ["Het hang"]
    ids = {one.to: one.provider_id for one in kit.provider.arrived}
    assert outcomes == [Sent(ids[MAI]), Sent(ids[SUA])]


async def test_what_is_left_of_diacritics_is_taken_away(kit: Kit) -> None:
    await sent(kit.channel, message(1, short="Mang 3 bó rau mùi – đúng giờ… 🥬"))
    assert [one.text for one in kit.provider.to(MAI)] == ["Mang 3 bo rau mui - dung gio... ?"]


async def test_an_empty_text_is_not_sent(kit: Kit) -> None:
    assert await sent(kit.channel, message(1, short=" ")) == [Refused("cannot_be_composed")]
    assert not kit.provider.arrived


async def test_every_code_has_its_outcome_and_nothing_is_sent(kit: Kit) -> None:
    for number, (code, expected) in enumerate(kit.codes.items(), 1):
        kit.script(code)
        assert await sent_one(kit.channel, number) == expected, code
    assert not kit.provider.arrived


async def test_an_unknown_code_is_no_success(kit: Kit) -> None:
    is_twilio = isinstance(kit.provider, Twilio)
    for _ in range(3):
        kit.script("777")
    due = Refused("twilio_777", ours=True) if is_twilio else None
    outcome = await sent_one(kit.channel)
    assert outcome == due or isinstance(outcome, Unknown)
    assert not kit.provider.arrived


async def test_a_wrong_key_is_our_fault(kit: Kit) -> None:
    if isinstance(kit.provider, Esms):
        kit.provider.account.secret_key = "another"
    elif isinstance(kit.provider, SpeedSms):
        kit.provider.token = "another"
    elif isinstance(kit.provider, Twilio):
        kit.provider.auth_token = "another"
    outcome = await sent_one(kit.channel)
    assert isinstance(outcome, Refused)
    assert outcome.ours
    assert not outcome.gone


async def test_one_that_asks_for_a_pause_is_not_asked_for_the_rest(kit: Kit) -> None:
    kit.provider.troubles.extend([Trouble(429, headers={"retry-after": "40"})] * 100)
    outcomes = await sent(kit.channel, *[message(number) for number in range(1, 31)])
    assert set(outcomes) == {Throttled("http_429", timedelta(seconds=40), asked=True)}
    assert len(kit.provider.troubles) >= 70


async def test_one_that_is_overloaded_has_a_pause(kit: Kit) -> None:
    kit.provider.fail_next(1, status=503)
    assert await sent_one(kit.channel) == Throttled("http_503", timedelta(seconds=30), asked=False)


@pytest.mark.parametrize("status", [301, 404, 410])
async def test_an_address_that_is_no_api_is_our_fault(kit: Kit, status: int) -> None:
    kit.provider.troubles.append(Trouble(status, headers={"location": "/elsewhere"}))
    assert await sent_one(kit.channel) == Refused(f"http_{status}", ours=True)


async def test_nobody_there_is_certainly_not_delivered() -> None:
    (port,) = choose_ports([None])
    for name in ("esms", "speedsms", "twilio"):
        channel, api = channel_of(name, f"http://127.0.0.1:{port}", SettableClock())
        outcomes = await sent(channel, *[message(number) for number in range(1, 21)])
        assert set(outcomes) == {Failed("connection_failed")}
        await api.close()


async def test_a_batch_that_may_not_begin_is_left_alone(kit: Kit) -> None:
    batch = Batch(lambda: False)
    await kit.channel.send([message(1)], batch)
    assert not batch.begun
    assert not batch.outcomes
    assert not kit.provider.arrived


@pytest.mark.parametrize("name", ["speedsms", "twilio"])
@pytest.mark.parametrize("taken", [True, False])
@pytest.mark.parametrize("trouble", [Trouble(drop=True), Trouble(502), Trouble(200)])
async def test_without_an_answer_it_is_unknown_where_nothing_recognises_a_repetition(
    name: str, trouble: Trouble, taken: bool
) -> None:
    """`Trouble(200)` without a code is an answer that is no JSON."""
    async with kit_of(name) as kit:
        kit.provider.troubles.append(Trouble(trouble.status, drop=trouble.drop, taken=taken))
        assert isinstance(await sent_one(kit.channel), Unknown)
        assert not kit.channel.resend_is_safe
        assert len(kit.provider.arrived) == taken


@pytest.mark.parametrize("name", ["esms", "speedsms", "twilio"])
async def test_one_that_hangs_leaves_it_unknown(name: str) -> None:
    async with kit_of(name, timeout_s=0.3) as kit:
        kit.provider.troubles.extend([Trouble(hang=True, taken=True)] * 3)
        async with asyncio.timeout(20):
            assert await sent_one(kit.channel) == Unknown()
        assert len(kit.provider.to(MAI)) == 1


@pytest.mark.parametrize("taken", [True, False])
@pytest.mark.parametrize("trouble", [Trouble(drop=True), Trouble(502), Trouble(200)])
async def test_esms_is_asked_again_on_the_same_day_and_sends_once(by_esms: Kit, trouble: Trouble, taken: bool) -> None:
    by_esms.provider.troubles.append(Trouble(trouble.status, drop=trouble.drop, taken=taken))
    outcome = await sent_one(by_esms.channel)
    (arrived,) = by_esms.provider.to(MAI)
    assert outcome == Sent(str(UUID(int=1)) if taken else arrived.provider_id)
    assert by_esms.provider.refused == (["124"] if taken else [])


async def test_after_a_lost_answer_a_refusal_says_nothing_about_the_first_attempt(by_esms: Kit) -> None:
    by_esms.provider.troubles.extend([Trouble(drop=True, taken=True), Trouble(code="103"), Trouble(503)])
    assert await sent_one(by_esms.channel) == Unknown()
    assert len(by_esms.provider.to(MAI)) == 1


async def test_over_midnight_esms_is_not_asked_again(by_esms: Kit) -> None:
    """It has forgotten the id by then, and would send it again."""
    assert isinstance(by_esms.provider, Esms)
    by_esms.clock.at = datetime(2026, 11, 24, 16, 59, 30, tzinfo=UTC)  # 23:59:30 in Vietnam
    by_esms.clock.step = timedelta(minutes=1)
    by_esms.provider.troubles.append(Trouble(drop=True, taken=True))
    assert await sent_one(by_esms.channel) == Unknown()
    assert len(by_esms.provider.to(MAI)) == 1
    assert not by_esms.channel.resend_is_safe


@pytest.mark.parametrize(
    ("began_at", "now", "same"),
    [
        (NOW, NOW, True),
        (NOW, NOW + timedelta(hours=13), True),
        (NOW, NOW + timedelta(hours=14), False),
        (datetime(2026, 11, 24, 16, 57, tzinfo=UTC), datetime(2026, 11, 24, 16, 57, 30, tzinfo=UTC), True),
        (datetime(2026, 11, 24, 16, 59, tzinfo=UTC), datetime(2026, 11, 24, 16, 59, 1, tzinfo=UTC), False),
        (datetime(2026, 11, 24, 17, 1, tzinfo=UTC), datetime(2026, 11, 24, 17, 1, 1, tzinfo=UTC), False),
    ],
)
def test_near_midnight_nobody_knows_which_day_it_is_at_the_provider(
    began_at: datetime, now: datetime, same: bool
) -> None:
    assert esms.same_day(began_at, now) is same


async def test_a_repetition_is_a_success(by_esms: Kit) -> None:
    assert await sent_one(by_esms.channel) == Sent(by_esms.provider.arrived[0].provider_id)
    assert await sent_one(by_esms.channel) == Sent(str(UUID(int=1)))
    assert len(by_esms.provider.to(MAI)) == 1


async def test_esms_knows_our_id_and_where_to_report(by_esms: Kit) -> None:
    assert isinstance(by_esms.provider, Esms)
    await sent_one(by_esms.channel)
    (sms,) = by_esms.provider.sent
    assert sms.request_id == str(UUID(int=1))
    assert sms.callback_url == receipt_url(UUID(int=1))


async def test_esms_itself_refuses_what_its_table_says(by_esms: Kit) -> None:
    assert isinstance(by_esms.provider, Esms)
    account = by_esms.provider.account
    account.blocked.add("84912345678")
    assert await sent_one(by_esms.channel, 1) == esms.CODES["99"]
    account.balance = 0
    assert await sent_one(by_esms.channel, 2, SUA) == esms.CODES["103"]
    assert await sent_one(by_esms.channel, 3, "+842123456789") == esms.CODES["108"]
    account.brandname = "Another"
    assert await sent_one(by_esms.channel, 4, SUA) == esms.CODES["104"]


@pytest.mark.parametrize("name", ["esms", "speedsms"])
async def test_a_number_of_another_country_goes_another_way(name: str) -> None:
    async with kit_of(name) as kit:
        assert await sent_one(kit.channel, to="+8562055512345") == Refused("not_vietnamese")
        assert not kit.provider.refused


async def test_speedsms_lists_numbers_that_it_cannot_use(by_speedsms: Kit) -> None:
    assert await sent_one(by_speedsms.channel, to="+842123456789") == speedsms.CODES["105"]
    answer: dict[str, object] = {"status": "success", "data": {"tranId": 5, "invalidPhone": ["84912345678"]}}
    assert speedsms.judge(answer, "84912345678") == speedsms.CODES["105"]
    assert speedsms.judge(answer, "84912345679") == Sent("5")
    assert isinstance(speedsms.judge({"status": "success"}, "84912345678"), Unknown)


async def test_speedsms_says_itself_how_long_to_wait(by_speedsms: Kit) -> None:
    by_speedsms.provider.troubles.append(Trouble(429, headers={"x-rate-limit-reset": "37"}))
    assert await sent_one(by_speedsms.channel) == Throttled("http_429", timedelta(seconds=37), asked=True)


async def test_speedsms_has_no_balance(by_speedsms: Kit) -> None:
    assert isinstance(by_speedsms.provider, SpeedSms)
    by_speedsms.provider.balance = 0
    assert await sent_one(by_speedsms.channel) == speedsms.CODES["300"]


async def test_who_wrote_stop_to_twilio_is_never_sent_anything_again(by_twilio: Kit) -> None:
    assert isinstance(by_twilio.provider, Twilio)
    by_twilio.provider.unsubscribed.add(MAI)
    by_twilio.provider.landlines.add(SUA)
    assert await sent_one(by_twilio.channel) == Refused("twilio_unsubscribed", gone=True)
    assert await sent_one(by_twilio.channel, 2, SUA) == Refused("twilio_not_mobile", gone=True)
    assert await sent_one(by_twilio.channel, 3, "+8562055512345") == Sent(by_twilio.provider.arrived[0].provider_id)


async def test_twilio_says_itself_how_long_to_wait(by_twilio: Kit) -> None:
    by_twilio.provider.troubles.append(Trouble(429, 20429, headers={"retry-after": "12"}))
    assert await sent_one(by_twilio.channel) == Throttled("twilio_too_fast", timedelta(seconds=12), asked=True)


async def test_twilio_reports_to_the_address_with_our_id(by_twilio: Kit) -> None:
    assert isinstance(by_twilio.provider, Twilio)
    await sent_one(by_twilio.channel)
    assert [one.callback_url for one in by_twilio.provider.sent] == [receipt_url(UUID(int=1))]


async def test_a_messaging_service_sends_instead_of_a_number() -> None:
    async with kit_of("twilio") as kit, serve(kit.provider.app) as url:
        account, service = "AC" + "0" * 32, "MG" + "1" * 32
        api = HttpApi(url, no_wait, 5, (account, "twilio-token"))
        channel = TwilioChannel(api, account, service, receipt_url, kit.clock)
        assert await sent_one(channel) == Sent(kit.provider.arrived[0].provider_id)
        await api.close()
