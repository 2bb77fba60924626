"""A message that our own code cannot send holds up none of the others, and none goes on behind the batch's back."""

import asyncio
from datetime import UTC, datetime
from uuid import UUID

import pytest

from services.notify.channels import Batch
from services.notify.channels.http_api import HttpApi
from services.notify.channels.side_by_side import send_side_by_side
from services.notify.domain.delivery import Accepted, Outcome
from services.notify.domain.messages import Message, Text

GOT = Accepted(datetime(2026, 11, 23, tzinfo=UTC), "250")
MESSAGES = [
    Message(UUID(int=n), UUID(int=n), "basket", "+84912345678", "", "", "vi", Text("", ""), "") for n in range(3)
]


async def send_one(message: Message) -> Outcome:
    if message.message_id == UUID(int=0):
        raise KeyError(message.to)
    await asyncio.sleep(0)
    return GOT


async def free() -> None:
    """No pace."""


@pytest.mark.parametrize("over", ["side by side", "http"])
async def test_one_that_cannot_be_sent_leaves_the_others_alone(over: str, caplog: pytest.LogCaptureFixture) -> None:
    batch = Batch(lambda: True)
    if over == "http":
        api = HttpApi("http://127.0.0.1:1", free, 1)
        await api.send(MESSAGES, batch, send_one)
        await api.close()
    else:
        await send_side_by_side(MESSAGES, batch, send_one, 2)
    assert batch.outcomes == {UUID(int=1): GOT, UUID(int=2): GOT}
    assert UUID(int=0) in batch.begun
    assert "+849" not in caplog.text
