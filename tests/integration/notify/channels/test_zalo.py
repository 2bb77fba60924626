"""Both ways over Zalo against a server that holds to Zalo's rules."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from infra.local.providers import Trouble, serve
from infra.local.providers.zalo import Account, ApprovedTemplate, Zalo
from services.notify.channels import Batch
from services.notify.channels.pace import Pace
from services.notify.channels.zalo import Template, ZaloChannel
from services.notify.channels.zalo_api import CODES, Way, ZaloApi
from services.notify.channels.zalo_oa import ZaloOaChannel
from services.notify.channels.zalo_oauth import ZaloOauth
from services.notify.domain.delivery import Failed, Outcome, Refused, Sent, Throttled, Unknown
from services.notify.domain.messages import Message, Text
from services.notify.tokens import NoToken, Unauthorised

PHONE, NUMBER, USER = "+84912345678", "84912345678", "246845883529197922"
PLACES = {"name": "name", "goods": "product", "arrive_by": "time", "sum": "currency"}
FACTS = {
    "name": "Giàng Thị Mỷ",
    "goods": "Cải mèo 12 kg",
    "arrive_by": "05:30 24/11/2026",
    "sum": "120.000 ₫",
}


@dataclass
class Wall:
    now: datetime = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)  # 10:00 in Vietnam

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Keys:
    """Gets tokens where the channel asks for them, and keeps them in its hand."""

    oauth: ZaloOauth
    refresh: str
    access: str = ""
    error: NoToken | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def __call__(self, refused: str | None = None) -> str:
        if self.error is not None:
            raise self.error
        async with self.lock:
            if self.access in ("", refused):
                pair = await self.oauth.next_pair(self.refresh)
                self.access, self.refresh = pair.access, pair.refresh
        return self.access


@dataclass
class Line:
    """The channels and what they talk to."""

    zalo: Zalo
    keys: Keys
    api: ZaloApi
    clock: Wall
    url: str

    def by_phone(self, development: bool = False) -> ZaloChannel:
        return ZaloChannel(self.api, {"basket": [Template("307151", PLACES)]}, development)

    async def send(self, *messages: Message, channel: ZaloChannel | ZaloOaChannel | None = None) -> list[Outcome]:
        batch = Batch(lambda: True)
        await (channel or self.by_phone()).send(messages, batch)
        assert batch.begun <= batch.outcomes.keys()
        return [batch.outcomes[message.message_id] for message in messages]

    async def say(self, *messages: Message) -> list[Outcome]:
        return await self.send(*messages, channel=ZaloOaChannel(self.api))


def notice(
    to: str = PHONE,
    kind: str = "basket",
    body: str = "Kính gửi",
    message_id: UUID | None = None,
    short: str = "",
    **facts: str,
) -> Message:
    text = Text("Giỏ hàng", body, short, fields=FACTS | facts, link="https://cho.example/r/abc")
    return Message(message_id or uuid4(), uuid4(), kind, to, "Giàng Thị Mỷ", "HTX", "vi", text, kind)


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    clock = Wall()
    template = ApprovedTemplate("<name>: <goods>, <arrive_by>, <sum> đồng", PLACES)
    zalo = Zalo(clock=clock, templates={"307151": template})
    zalo.accounts += [Account(USER, NUMBER, wrote_at=clock.now), Account("2", "84987654321")]
    async with serve(zalo.app) as url:
        keys = Keys(ZaloOauth(url, zalo.app_id, zalo.app_secret), zalo.refresh_token)
        api = ZaloApi(url, keys, Pace(10_000), clock, timeout_s=30)
        yield Line(zalo, keys, api, clock, url)
        await api.close()


async def test_a_template_arrives_with_the_facts_in_its_places_under_our_id(line: Line) -> None:
    message = notice()
    [outcome] = await line.send(message)
    [arrived] = line.zalo.to(NUMBER)
    assert arrived.text == "Giàng Thị Mỷ: Cải mèo 12 kg, 05:30 24/11/2026, 120000 đồng"
    assert arrived.our_id == message.message_id.hex
    assert outcome == Sent(arrived.provider_id)
    assert not line.by_phone().resend_is_safe


async def test_of_a_name_that_is_too_long_the_beginning_arrives_and_of_goods_nothing(line: Line) -> None:
    named, loaded = await line.send(
        notice(name="Hộ gia đình bà Giàng Thị Mỷ bản Bó Nhàng"), notice(goods="Cải mèo 12 kg, " * 20)
    )
    assert isinstance(named, Sent)
    assert loaded == Refused("zalo_fact_does_not_fit")
    [arrived] = line.zalo.to(NUMBER)
    assert arrived.text.startswith("Hộ gia đình bà Giàng Thị Mỷ…:")


async def test_of_several_templates_the_fullest_is_used_for_which_there_are_all_facts(line: Line) -> None:
    few = {"name": "name", "arrive_by": "time"}
    line.zalo.templates["9"] = ApprovedTemplate("<name>: <arrive_by>", few)
    channel = ZaloChannel(line.api, {"basket": [Template("9", few), Template("307151", PLACES)]})
    outcomes = await line.send(notice(), notice(sum=""), notice(sum="0"), notice(name=""), channel=channel)
    assert [one.text for one in line.zalo.to(NUMBER)] == [
        "Giàng Thị Mỷ: Cải mèo 12 kg, 05:30 24/11/2026, 120000 đồng",
        "Giàng Thị Mỷ: 05:30 24/11/2026",
    ]
    assert outcomes[2:] == [Refused("zalo_fact_does_not_fit", ours=True)] * 2, "never less than is known"


async def test_what_cannot_be_written_into_the_template_is_never_begun(line: Line) -> None:
    outcomes = await line.send(
        notice(kind="settlement"),
        notice(to="0912345678"),
        notice(sum="0"),
        notice(goods=""),
        notice(arrive_by="x" * 21),
    )
    assert outcomes == [
        Refused("zalo_no_template", ours=True),
        Refused("zalo_bad_phone"),
        *[Refused("zalo_fact_does_not_fit", ours=True)] * 3,
    ]
    assert not line.zalo.arrived
    assert not line.zalo.refused


async def test_another_account_gets_its_message_where_one_cannot(line: Line) -> None:
    unknown, known = await line.send(notice(to="+84900000000"), notice())
    assert unknown == Refused("zalo_no_account")
    assert isinstance(known, Sent)


async def test_development_mode_reaches_administrators_only(line: Line) -> None:
    [outcome] = await line.send(notice(), channel=line.by_phone(development=True))
    assert outcome == Refused("zalo_127", ours=True)
    line.zalo.admins.add(NUMBER)
    [outcome] = await line.send(notice(), channel=line.by_phone(development=True))
    assert isinstance(outcome, Sent)


@pytest.mark.parametrize("code", sorted(code for code, (way, _) in CODES.items() if way is not Way.TOKEN))
async def test_each_code_leads_where_the_table_says_and_nothing_arrives(line: Line, code: int) -> None:
    line.zalo.fail_next(1, code, path="/message/template")
    [outcome] = await line.send(notice())
    expected = {
        Way.AGAIN: Failed, Way.SLOWER: Throttled, Way.MORNING: Throttled, Way.OTHER_CHANNEL: Refused,
        Way.OPERATOR: Refused,
    }  # fmt: skip
    way = CODES[code][0]
    assert isinstance(outcome, expected[way])
    assert getattr(outcome, "ours", False) == (way is Way.OPERATOR)
    assert line.zalo.arrived == []


@pytest.mark.parametrize("code", sorted(code for code, (way, _) in CODES.items() if way is Way.TOKEN))
async def test_a_refused_token_is_renewed_and_the_message_sent_once(line: Line, code: int) -> None:
    await line.keys()
    line.zalo.fail_next(1, code, path="/message/template")
    [outcome] = await line.send(notice())
    assert isinstance(outcome, Sent)
    assert (len(line.zalo.arrived), line.zalo.renewals) == (1, 2)


async def test_a_token_that_ran_out_is_renewed_once_for_all_that_wait(line: Line) -> None:
    await line.keys()
    line.clock.now += timedelta(hours=25)
    outcomes = await line.send(*(notice() for _ in range(20)))
    assert all(isinstance(outcome, Sent) for outcome in outcomes)
    assert (len(line.zalo.arrived), line.zalo.renewals) == (20, 2)


async def test_tokens_that_zalo_never_likes_are_not_renewed_for_each_message(line: Line) -> None:
    line.zalo.fail_next(1000, -124, path="/message/template")
    outcomes = await line.send(*(notice() for _ in range(100)))
    assert outcomes == [Refused("zalo_token", ours=True)] * 100
    assert line.zalo.renewals <= 3


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (Unauthorised("zalo_14014"), Refused("zalo_not_authorised", ours=True)),
        (NoToken("token_endpoint_away"), Failed("token_endpoint_away")),
    ],
)
async def test_without_a_token_nobody_is_asked(line: Line, error: NoToken, outcome: Outcome) -> None:
    line.keys.error = error
    batch = Batch(lambda: True)
    await line.by_phone().send([message := notice()], batch)
    assert batch.outcomes == {message.message_id: outcome}
    assert batch.begun == set()


async def test_at_night_all_wait_until_six_and_one_asks(line: Line) -> None:
    line.clock.now = datetime(2026, 11, 23, 15, 30, tzinfo=UTC)  # 22:30
    outcomes = await line.send(*(notice() for _ in range(40)))
    assert outcomes == [Throttled("zalo_night", timedelta(hours=7, minutes=31), asked=True)] * 40
    assert len(line.zalo.refused) <= 10
    line.clock.now += timedelta(hours=7, minutes=31)
    [outcome] = await line.send(notice())
    assert isinstance(outcome, Sent)


async def test_what_goes_too_fast_waits_as_long_as_zalo_says(line: Line) -> None:
    line.zalo.troubles.append(Trouble(code=-32, headers={"x-ratelimit-reset": "20"}, path="/message/template"))
    assert await line.send(notice()) == [Throttled("zalo_rate", timedelta(seconds=20), asked=True)]
    line.clock.now += timedelta(seconds=15)
    assert await line.send(notice()) == [Throttled("zalo_rate", timedelta(seconds=5), asked=True)]
    assert len(line.zalo.refused) <= 1, "the next batch waits too"
    line.clock.now += timedelta(seconds=5)
    line.zalo.per_minute = 0
    assert await line.send(notice()) == [Throttled("zalo_rate", timedelta(minutes=1), asked=True)]


async def test_what_the_account_lacks_is_told_to_the_operator(line: Line) -> None:
    line.zalo.daily_quota = 1
    assert isinstance((await line.send(notice()))[0], Sent)
    assert await line.send(notice()) == [Refused("zalo_daily_quota", ours=True)]
    line.zalo.has_balance = False
    assert await line.send(notice()) == [Refused("zalo_no_balance", ours=True)]
    line.zalo.templates = {"307151": ApprovedTemplate("<other>", {"other": "name"})}
    assert await line.send(notice()) == [Refused("zalo_template_data", ours=True)]
    line.zalo.templates = {}
    assert await line.send(notice()) == [Refused("zalo_template_unknown", ours=True)]


async def test_nobody_knows_what_came_of_a_lost_connection_and_zalo_would_take_it_twice(line: Line) -> None:
    await line.keys()
    message = notice()
    for trouble in (Trouble(drop=True), Trouble(drop=True, taken=True), Trouble(status=502)):
        line.zalo.troubles.append(trouble)
        assert isinstance((await line.send(message))[0], Unknown)
    assert len(line.zalo.to(NUMBER)) == 1
    await line.send(message)
    assert [one.our_id for one in line.zalo.to(NUMBER)] == [message.message_id.hex] * 2


async def test_nobody_knows_what_comes_of_a_request_that_is_never_answered(line: Line) -> None:
    await line.keys()
    line.zalo.troubles.append(Trouble(hang=True))
    impatient = ZaloApi(line.url, line.keys, Pace(10_000), line.clock, timeout_s=1.5)
    assert await line.send(notice(), channel=replace(line.by_phone(), api=impatient)) == [Unknown()]
    await impatient.close()
    assert line.zalo.hanging.is_set()


async def test_where_nobody_listens_nothing_is_lost_and_the_rest_is_not_tried() -> None:
    clock = Wall()
    async with serve(Zalo().app) as url:
        pass

    async def access(_: str | None) -> str:
        return "token"

    api = ZaloApi(url, access, Pace(10_000), clock, timeout_s=2)
    batch = Batch(lambda: True)
    messages = [notice() for _ in range(30)]
    await ZaloChannel(api, {"basket": [Template("1", PLACES)]}).send(messages, batch)
    await api.close()
    assert [batch.outcomes[one.message_id] for one in messages] == [Failed("connection_failed")] * 30
    assert len(batch.begun) <= 10


async def test_a_batch_that_must_stop_leaves_the_rest_alone(line: Line) -> None:
    batch = Batch(lambda: len(batch.begun) < 3)
    await line.by_phone().send([notice() for _ in range(30)], batch)
    assert len(batch.begun) == len(batch.outcomes) == len(line.zalo.arrived) == 3


# -- Conversation --------------------------------------------------------------------------------------------


async def test_a_user_of_the_account_gets_the_whole_text(line: Line) -> None:
    [outcome] = await line.say(notice(USER, body="Kính gửi\nMang 12 kg cải mèo"))
    [arrived] = line.zalo.to(USER)
    assert arrived.text == "Kính gửi\nMang 12 kg cải mèo"
    assert outcome == Sent(arrived.provider_id)


async def test_a_text_that_is_too_long_gives_way_to_the_short_one(line: Line) -> None:
    fits, does_not = await line.say(
        notice(USER, body="cải mèo " * 400, short="29 mặt hàng: https://cho.example/r/abc"),
        notice(USER, body="cải mèo " * 400),
    )
    assert isinstance(fits, Sent)
    assert [one.text for one in line.zalo.to(USER)] == ["29 mặt hàng: https://cho.example/r/abc"]
    assert does_not == Refused("cannot_be_composed")


async def test_who_was_silent_for_a_week_is_told_by_another_channel(line: Line) -> None:
    line.clock.now += timedelta(days=7)
    await line.keys()
    assert await line.say(notice(USER), notice("2")) == [Refused("zalo_silent_for_a_week")] * 2
    assert await line.say(notice("999")) == [Refused("zalo_201", ours=True)]
    assert line.zalo.arrived == []
