"""Notices in browsers, against a push service that checks who sends and decrypts as a browser does."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import Any
from uuid import UUID, uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from infra.local.providers import Trouble, serve
from infra.local.providers.push import Browser, Push
from services.chassis.outbound import OutboundClient
from services.notify.channels import Batch
from services.notify.channels.person_webhook import PersonWebhookChannel
from services.notify.channels.web_push import MOST_BYTES, WebPushChannel, own_key, public_key
from services.notify.domain.delivery import Failed, Outcome, Refused, Sent, Throttled, Unknown
from services.notify.domain.messages import Message, Text
from services.notify.vapid import vapid_command

BASKET = "0193590a-0000-7000-8000-000000000001 2026-11-24 basket"


def wall() -> datetime:
    return datetime.now(UTC)


@dataclass
class Side:
    """The channel, a push service, and one browser."""

    push: Push
    browser: Browser
    channel: WebPushChannel
    url: str

    async def send(
        self, text: str = "Mang 12,5 kg cải mèo", subscription: object = None, **more: Any
    ) -> Outcome | None:
        message = replace(notice(json.dumps(subscription or self.browser.subscription(self.url)), text), **more)
        batch = Batch(lambda: True)
        await self.channel.send([message], batch)
        return batch.outcomes.get(message.message_id)


def notice(to: str, text: str = "Mang 12,5 kg cải mèo") -> Message:
    said = Text("Hàng cần mang", text, text, link="https://cho.example/r/abc")
    return Message(uuid4(), UUID(int=7), "basket", to, "bà Dợ", "HTX", "vi", said, BASKET)


@pytest.fixture
async def side() -> AsyncIterator[Side]:
    vapid = own_key("2nrKjNZo7OULyi0uVcQJrrcW2BLp32trZpBEBeigiB4")
    push, browser = Push(public_key(vapid)), Browser("mai")
    push.browsers["mai"] = browser
    client = OutboundClient((ip_network("127.0.0.0/8"),), 2, 5, 1)
    async with serve(push.app) as url:
        channel = WebPushChannel(client, vapid, "mailto:a@cho.example", lambda id: f"https://cho.example/h/{id}", wall)
        yield Side(push, browser, channel, url)
        await client.close()


async def test_a_browser_reads_what_was_encrypted_for_it(side: Side) -> None:
    assert await side.send() == Sent("push_201")
    (arrived,) = side.push.arrived
    said = json.loads(arrived.text)
    assert (said["title"], said["body"], said["url"]) == (
        "Hàng cần mang", "Mang 12,5 kg cải mèo", "https://cho.example/r/abc",
    )  # fmt: skip
    assert said["receipt"].startswith("https://cho.example/h/")
    assert side.push.headers[0]["urgency"] == "high"
    assert side.push.headers[0]["topic"] == said["tag"]


async def test_a_newer_basket_replaces_the_older_one_and_nothing_else_where_nobody_can_tell_whose_it_is(
    side: Side,
) -> None:
    await side.send("Mang 12,5 kg cải mèo", notice_id=uuid4())
    await side.send("Mang 10 kg cải mèo", notice_id=uuid4())
    await side.send("Được 100.000 đ", about=BASKET.replace("basket", "settlement_day"))
    old, new, other = [json.loads(one.text) for one in side.push.arrived]
    assert old["tag"] == new["tag"] != other["tag"]
    assert [one["topic"] for one in side.push.headers] == [old["tag"], new["tag"], other["tag"]]
    assert not any(part in new["tag"] for part in BASKET.replace("-", " ").split())
    assert len({one["receipt"] for one in (old, new, other)}) == 3, "each says for itself that it was shown"


async def test_nothing_is_shown_after_the_goods_are_due(side: Side) -> None:
    await side.send()
    await side.send(expires_at=wall() + timedelta(minutes=30))
    await side.send(expires_at=wall() + timedelta(days=2))
    await side.send(expires_at=wall() - timedelta(minutes=1))
    calm, near, far, over = [int(one["ttl"]) for one in side.push.headers]
    assert (calm, far, over) == (12 * 3600, 12 * 3600, 0)
    assert 29 * 60 < near <= 30 * 60


async def test_a_long_notice_ends_earlier_and_keeps_its_links(side: Side) -> None:
    assert await side.send("cải mèo " * 2000) == Sent("push_201")
    said = json.loads(side.push.arrived[0].text)
    assert len(side.push.arrived[0].text.encode()) <= MOST_BYTES
    assert (said["url"], said["body"][:7]) == ("https://cho.example/r/abc", "cải mèo")


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (404, Refused("push_404", gone=True)),
        (410, Refused("push_410", gone=True)),
        (403, Refused("push_403", ours=True)),
        (413, Refused("push_413")),
        (503, Throttled("push_503", timedelta(seconds=30), asked=False)),
        (502, Unknown("push_502")),
    ],
)
async def test_each_refusal_decides_what_is_next(side: Side, status: int, outcome: Outcome) -> None:
    side.push.fail_next(1, status=status)
    found = await side.send()
    assert type(found) is type(outcome)
    assert getattr(found, "reason", None) == getattr(outcome, "reason", None)
    assert getattr(found, "gone", None) == getattr(outcome, "gone", None)
    assert getattr(found, "ours", None) == getattr(outcome, "ours", None)


async def test_another_sender_is_refused_and_that_is_ours_to_mend(side: Side) -> None:
    side.push.public_key = "another"
    assert await side.send() == Refused("push_403", ours=True)


async def test_a_connection_that_breaks_after_the_message_leaves_the_outcome_unknown(side: Side) -> None:
    side.push.troubles.append(Trouble(drop=True, taken=True))
    assert await side.send() == Unknown()
    assert len(side.push.arrived) == 1


async def test_a_push_service_that_is_away_has_certainly_not_got_it(side: Side) -> None:
    away = side.browser.subscription("http://127.0.0.1:9")
    assert await side.send(subscription=away) == Failed("connection_failed")


async def test_keys_that_are_none_are_refused(side: Side) -> None:
    broken = {"endpoint": side.url + "/mai", "keys": {"p256dh": "BAAA", "auth": "AAAA"}}
    assert await side.send(subscription=broken) == Refused("push_bad_subscription")


async def test_an_endpoint_that_nobody_can_sign_for_is_refused_before_anything_leaves(side: Side) -> None:
    literal = side.browser.subscription("https://[2606:4700::1]")
    assert await side.send(subscription=literal) == Refused("push_not_signed", ours=True)


async def test_a_webhook_without_its_secret_is_not_sent() -> None:
    client = OutboundClient((), 2, 5, 1)
    message, batch = notice(json.dumps({"url": "https://shop.example/x"})), Batch(lambda: True)
    await PersonWebhookChannel(wall, client).send([message], batch)
    assert batch.outcomes[message.message_id] == Refused("no_secret")
    await client.close()


def test_a_new_key_is_one_that_the_settings_take(capsys: pytest.CaptureFixture[str]) -> None:
    assert vapid_command([]) == 0
    name, _, value = capsys.readouterr().out.strip().partition("=")
    assert name == "NOTIFY_VAPID_PRIVATE_KEY"
    assert isinstance(own_key(value).private_key, ec.EllipticCurvePrivateKey)
