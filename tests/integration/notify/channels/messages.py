"""Messages for the channels that talk to a provider's HTTP API, and what they come to."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from services.notify.channels import Batch, Channel
from services.notify.domain.delivery import Outcome
from services.notify.domain.messages import Message, Text

NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
MAI, SUA = "+84912345678", "+84398765432"
SHORT = "HTX Van Ho: mang 12,5 kg cai meo truoc 05:30. Tra loi OK"


async def no_wait() -> None:
    """The pace of a test."""


class SettableClock:
    """Stands still until somebody moves it; with `step`, each look moves it on."""

    def __init__(self, at: datetime = NOW, step: timedelta = timedelta(0)) -> None:
        self.at, self.step = at, step

    def __call__(self) -> datetime:
        now = self.at
        self.at += self.step
        return now


def message(number: int, to: str = MAI, short: str = SHORT, body: str = "Mang 12,5 kg cải mèo") -> Message:
    """One to Mai, unless said otherwise."""
    text = Text("Giỏ hàng", body, short)
    return Message(UUID(int=number), UUID(int=1000 + number), "basket", to, "Mai", "HTX Vân Hồ", "vi", text, "basket")


async def sent(channel: Channel[Message], *messages: Message) -> list[Outcome | None]:
    """What came of each; None where nothing was said."""
    batch = Batch(lambda: True)
    await channel.send(messages, batch)
    return [batch.outcomes.get(one.message_id) for one in messages]


async def sent_one(channel: Channel[Message], number: int = 1, to: str = MAI) -> Outcome | None:
    """What came of one message."""
    return (await sent(channel, message(number, to)))[0]
