"""Telegram: what its answers mean."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

import pytest

from infra.local.ports import choose_ports
from infra.local.providers import Trouble, serve
from infra.local.providers.telegram import Telegram
from services.notify.channels.http_api import HttpApi
from services.notify.channels.telegram import TelegramChannel, judge
from services.notify.domain.delivery import Accepted, Failed, Outcome, Refused, Throttled, Unknown
from tests.integration.notify.channels.messages import NOW, SettableClock, message, no_wait, sent

CHAT = "70001"


@dataclass
class Kit:
    telegram: Telegram
    channel: TelegramChannel

    async def send(self, chat: str = CHAT, body: str = "Mang 12,5 kg cải mèo", short: str = "") -> Outcome | None:
        return (await sent(self.channel, message(1, chat, short, body)))[0]


@pytest.fixture
async def kit() -> AsyncIterator[Kit]:
    telegram = Telegram()
    telegram.chats.add(CHAT)
    async with serve(telegram.app) as url:
        api = HttpApi(url, no_wait, 5)
        yield Kit(telegram, TelegramChannel(api, telegram.token, SettableClock()))
        await api.close()


async def test_what_stands_in_the_conversation_is_told(kit: Kit) -> None:
    assert await kit.send() == Accepted(NOW, "1")
    assert [one.text for one in kit.telegram.to(CHAT)] == ["Mang 12,5 kg cải mèo"]
    assert kit.channel.name == "telegram"
    assert not kit.channel.resend_is_safe


async def test_who_blocked_the_bot_is_not_written_to_again(kit: Kit) -> None:
    kit.telegram.blocked_by.add(CHAT)
    assert await kit.send() == Refused("telegram_blocked", gone=True)


async def test_who_never_wrote_to_the_bot_cannot_be_told(kit: Kit) -> None:
    assert await kit.send("70002") == Refused("telegram_chat_not_found")


async def test_a_group_that_moved_is_gone(kit: Kit) -> None:
    kit.telegram.moved["-500"] = -1000500
    assert await kit.send("-500") == Refused("telegram_chat_moved", gone=True)


async def test_a_wrong_token_is_our_fault(kit: Kit) -> None:
    kit.telegram.token = "another"
    assert await kit.send() == Refused("telegram_token", ours=True)
    assert "bot" not in repr(kit.channel)


async def test_it_says_how_long_to_wait_and_the_rest_waits_too(kit: Kit) -> None:
    kit.telegram.retry_after_s = 17
    kit.telegram.fail_next(50, "too fast", status=429)
    outcomes = await sent(kit.channel, *[message(number, CHAT) for number in range(1, 31)])
    assert set(outcomes) == {Throttled("telegram_too_fast", timedelta(seconds=17), asked=True)}
    assert (left := len(kit.telegram.troubles)) >= 20
    (later,) = await sent(kit.channel, message(31, CHAT))
    assert isinstance(later, Throttled)
    assert timedelta(seconds=10) < later.pause < timedelta(seconds=17)
    assert len(kit.telegram.troubles) == left, "the next batch waits too"
    assert not kit.telegram.arrived


@pytest.mark.parametrize("taken", [True, False])
@pytest.mark.parametrize("trouble", [Trouble(drop=True), Trouble(502), Trouble(500, "Internal"), Trouble(200)])
async def test_without_an_answer_nobody_knows(kit: Kit, trouble: Trouble, taken: bool) -> None:
    kit.telegram.troubles.append(Trouble(trouble.status, trouble.code, drop=trouble.drop, taken=taken))
    assert isinstance(await kit.send(), Unknown)
    assert len(kit.telegram.arrived) == taken


async def test_nobody_there_is_certainly_not_delivered() -> None:
    (port,) = choose_ports([None])
    api = HttpApi(f"http://127.0.0.1:{port}", no_wait, 5)
    assert await sent(TelegramChannel(api, "t", SettableClock()), message(1, CHAT)) == [Failed("connection_failed")]
    await api.close()


async def test_a_body_that_is_too_long_gives_way_to_the_short_text(kit: Kit) -> None:
    assert await kit.send(body="x" * 4096, short="ngan") == Accepted(NOW, "1")
    assert await kit.send(body="x" * 4097, short="ngan") == Accepted(NOW, "2")
    assert await kit.send(body="🥬" * 2049, short="ngan") == Accepted(NOW, "3")
    assert [len(one.text) for one in kit.telegram.to(CHAT)] == [4096, 4, 4]
    assert await kit.send(body="x" * 4097) == Refused("cannot_be_composed")


@pytest.mark.parametrize(
    ("status", "answer", "outcome"),
    [
        (400, {"ok": False, "description": "Bad Request: message is too long"}, Refused("telegram_400", ours=True)),
        (404, {"ok": False, "error_code": 404, "description": "Not Found"}, Refused("telegram_token", ours=True)),
        (409, {"ok": False, "error_code": 409}, Refused("telegram_409", ours=True)),
        (429, {"ok": False}, Throttled("telegram_too_fast", timedelta(minutes=1), asked=True)),
        (200, {"ok": True, "result": {}}, Unknown("answer_not_understood")),
        (200, {"ok": True}, Unknown("answer_not_understood")),
        (200, {}, Unknown("answer_not_understood")),
        (200, {"ok": False, "error_code": "x"}, Unknown("answer_not_understood")),
    ],
)
def test_an_answer_means_what_it_says(status: int, answer: dict[str, object], outcome: Outcome) -> None:
    assert judge(status, answer, NOW) == outcome
