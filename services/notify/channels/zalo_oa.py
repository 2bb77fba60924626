"""Zalo, by conversation with the Official Account: plain text to a user who wrote to it within the last week.

Zalo's acceptance is not the receipt: it reports `user_received_message` when the message is on the user's device, and
`user_seen_message` when it was opened, both under the id that it gave here. The request has no id of ours, so after a
lost answer nothing can settle what came of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from services.notify.channels import Batch
from services.notify.channels.zalo_api import Request, ZaloApi
from services.notify.domain.contacts import ZALO_OA
from services.notify.domain.delivery import Refused
from services.notify.domain.messages import Message, fitting

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

    def compose(self, message: Message) -> Request | Refused:
        """The request, or why there is none."""
        text = fitting(message.text, MOST_TEXT)
        if text is None:
            return Refused("cannot_be_composed")
        return Request("/v3.0/oa/message/cs", {"recipient": {"user_id": message.to}, "message": {"text": text}})
