"""Zalo, by conversation with the Official Account: plain text to a user who wrote to it within the last week.

Zalo's acceptance is not the receipt: it reports `user_received_message` when the message is on the user's device, and
`user_seen_message` when it was opened, both under the id that it gave here. The request has no id of ours, so after a
lost answer nothing can settle what came of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from services.notify.channels import Batch
from services.notify.channels.zalo import cut
from services.notify.channels.zalo_api import Request, ZaloApi
from services.notify.domain.contacts import ZALO_OA
from services.notify.domain.messages import Message, Text

MOST_TEXT = 2000


@dataclass(frozen=True, slots=True)
class ZaloOaChannel:
    """Messages to Zalo's user ids."""

    api: ZaloApi
    name: str = ZALO_OA
    resend_is_safe: bool = False
    tells_later: bool = False

    async def send(self, messages: Sequence[Message], batch: Batch) -> None:
        """Each by itself; the receipts come later."""
        await self.api.send(messages, batch, self.compose)

    def compose(self, message: Message) -> Request:
        """The request."""
        body = {"recipient": {"user_id": message.to}, "message": {"text": shortened(message.text)}}
        return Request("/v3.0/oa/message/cs", body)


def shortened(text: Text) -> str:
    """The body; where it is too long its beginning, and the link, without which the household could not answer."""
    if len(text.body) <= MOST_TEXT:
        return text.body
    tail = f"\n{text.link}" if text.link else ""
    return cut(text.body, MOST_TEXT - len(tail)) + tail
