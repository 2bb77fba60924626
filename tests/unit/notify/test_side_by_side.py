"""A message that our own code cannot send holds up none of the others, and none goes on behind the batch's back."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from uuid import UUID

import pytest

from services.chassis.outbound import OutboundClient
from services.notify.channels import Batch
from services.notify.channels.http_api import HttpApi
from services.notify.channels.side_by_side import send_side_by_side
from services.notify.channels.webhook import Push, WebhookChannel
from services.notify.domain.delivery import Accepted, Failed, Outcome, Refused
from services.notify.domain.messages import Message, Text

GOT = Accepted(datetime(2026, 11, 23, tzinfo=UTC), "250")
MESSAGES = [
    Message(UUID(int=n), UUID(int=n), "basket", "+84912345678", "", "", "vi", Text("", ""), "") for n in range(3)
]


def compose(message: Message) -> Message:
    return message


def compose_badly(message: Message) -> Message:
    if message.message_id == UUID(int=0):
        raise KeyError(message.to)
    return message


async def ask(message: Message) -> Outcome:
    await asyncio.sleep(0)
    return GOT


async def ask_badly(message: Message) -> Outcome:
    if message.message_id == UUID(int=0):
        raise KeyError(message.to)
    return await ask(message)


async def send(over: str, compose: Callable[[Message], Message], ask: Callable[[Message], Awaitable[Outcome]]) -> Batch:
    batch = Batch(lambda: True)
    if over == "http":
        api = HttpApi("http://127.0.0.1:1", free, 1)
        await api.send(MESSAGES, batch, compose, ask)
        await api.close()
    else:
        await send_side_by_side(MESSAGES, batch, compose, ask, 2)
    return batch


async def free() -> None:
    """No pace."""


@pytest.mark.parametrize("over", ["side by side", "http"])
async def test_one_that_cannot_be_sent_leaves_the_others_alone(over: str, caplog: pytest.LogCaptureFixture) -> None:
    batch = await send(over, compose, ask_badly)
    assert batch.outcomes == {UUID(int=1): GOT, UUID(int=2): GOT}
    assert UUID(int=0) in batch.begun
    assert "+849" not in caplog.text


@pytest.mark.parametrize("over", ["side by side", "http"])
async def test_one_that_cannot_be_composed_has_certainly_not_left_and_is_ours_to_mend(
    over: str, caplog: pytest.LogCaptureFixture
) -> None:
    batch = await send(over, compose_badly, ask)
    assert batch.outcomes == {
        UUID(int=0): Refused("cannot_be_composed", ours=True), UUID(int=1): GOT, UUID(int=2): GOT,
    }  # fmt: skip
    assert batch.begun == {UUID(int=1), UUID(int=2)}
    assert "+849" not in caplog.text


async def test_a_text_that_no_request_can_hold_has_certainly_not_left() -> None:
    api = HttpApi("http://127.0.0.1:1", free, 1)
    assert await api.post("/", json={"text": "\ud800"}) == Refused("cannot_be_composed", ours=True)
    await api.close()


async def test_a_message_to_a_partner_that_cannot_be_signed_leaves_the_others_alone() -> None:
    client = OutboundClient((), 1, 1, 1)
    good, bad = ("whsec_" + "A" * 32,), ("whsec_none",)
    pushes = [Push(UUID(int=n), "http://127.0.0.1/", good if n else bad, b"{}") for n in range(3)]
    batch = Batch(lambda: True)
    await WebhookChannel(lambda: GOT.at, client).send(pushes, batch)
    await client.close()
    refused = Failed("address_not_public")
    assert batch.outcomes == {UUID(int=1): refused, UUID(int=2): refused}
