"""Webhooks to people who have a program of their own, signed as Standard Webhooks says; a 2xx status is the receipt.

`webhook-id` is the message's on every attempt, so that a receiver recognises a repetition.
"""

import json
from collections.abc import Sequence

import msgspec

from services.chassis import faultpoints, standard_webhooks
from services.chassis.outbound import Failure, OutboundClient
from services.notify.channels import Batch
from services.notify.channels.side_by_side import Post, send_side_by_side
from services.notify.channels.webhook import judge
from services.notify.clock import Clock
from services.notify.domain.contacts import WEBHOOK
from services.notify.domain.delivery import Failed, Outcome, Refused
from services.notify.domain.messages import Message

AT_ONCE = 20


class PersonWebhookChannel:
    """`client` has the time limit of an attempt."""

    name = WEBHOOK
    resend_is_safe = True
    tells_later = False

    def __init__(self, clock: Clock, client: OutboundClient) -> None:
        self._clock, self._client = clock, client

    async def send(self, messages: Sequence[Message], batch: Batch) -> None:
        """Side by side."""
        await send_side_by_side(messages, batch, self._compose, self._ask, AT_ONCE)

    def _compose(self, message: Message) -> Post | Refused:
        place = json.loads(message.to)
        if "secret" not in place:
            return Refused("no_secret")
        now, body = self._clock(), content(message)
        headers = {
            "content-type": "application/json",
            "user-agent": "cho-phien",
            **standard_webhooks.headers(place["secret"], str(message.message_id), now, body),
        }
        return Post(place["url"], body, headers)

    async def _ask(self, post: Post) -> Outcome:
        try:
            answer = await self._client.post(post.url, post.body, post.headers)
        except Failure as failure:
            return Failed(failure.reason)
        faultpoints.reach("mid_send", "person")
        return judge(answer, self._clock())


def content(message: Message) -> bytes:
    """What is pushed, as JSON."""
    text = message.text
    said = {
        "notice_id": message.notice_id,
        "subject": text.subject,
        "text": text.body,
        "link": text.link,
        "fields": text.fields,
    }
    return msgspec.json.encode({"type": f"notice.{message.kind}", "data": said})
