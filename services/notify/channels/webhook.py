"""Webhooks to partners, signed as Standard Webhooks 1.0 says; a 2xx status is the receipt.

`webhook-id` is the message's id on every attempt, so a receiver recognises a repetition and a resend is safe. Where an
address may lead is the business of chassis/outbound.py.
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from uuid import UUID

from services.chassis import faultpoints, standard_webhooks
from services.chassis.outbound import Answer, Failure, OutboundClient
from services.notify.channels import Batch
from services.notify.channels.side_by_side import finish
from services.notify.clock import Clock
from services.notify.domain.contacts import WEBHOOK
from services.notify.domain.delivery import Accepted, Failed, Outcome, Refused, Throttled
from services.notify.domain.endpoints import LONGEST_PAUSE, USUAL_PAUSE, pause

AT_ONCE = 50
"""Requests that one process has under way."""
KEPT_OPEN_S = 3
"""How long a connection is kept for the next message to the same partner; many servers close theirs after 5 s."""


@dataclass(frozen=True, slots=True)
class Push:
    """One message to one partner; the first secret is the present one, the others sign beside it."""

    message_id: UUID
    url: str = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)
    body: bytes = field(repr=False)


class WebhookChannel:
    """`client` has the time limit of an attempt."""

    name = WEBHOOK

    def __init__(self, clock: Clock, client: OutboundClient) -> None:
        self._clock, self._client = clock, client

    async def send(self, messages: Sequence[Push], batch: Batch) -> None:
        """Side by side, at most `AT_ONCE`."""
        room = asyncio.Semaphore(AT_ONCE)

        async def one(push: Push) -> None:
            async with room:
                if batch.begin(push.message_id):
                    batch.report(push.message_id, await self._send_one(push))

        await finish(map(one, messages))

    async def _send_one(self, push: Push) -> Outcome:
        now = self._clock()
        secret, *also = push.secrets
        headers = {
            "content-type": "application/json",
            "user-agent": "cho-phien",
            **standard_webhooks.headers(secret, str(push.message_id), now, push.body, also),
        }
        try:
            answer = await self._client.post(push.url, push.body, headers)
        except Failure as failure:
            return Failed(failure.reason)
        faultpoints.reach("mid_send", "partner")
        return judge(answer, self._clock())


def judge(answer: Answer, now: datetime) -> Outcome:
    """What an answer means, as the specification suggests."""
    status = answer.status
    if 200 <= status <= 299:
        return Accepted(now, f"http_{status}")
    if status == 410:
        return Refused("endpoint_gone", gone=True)
    if status in (429, 502, 503, 504):
        if (asked := retry_after(answer.headers.get("retry-after", ""), now)) is not None:
            return Throttled(f"http_{status}", pause(asked), asked=True)
        if status != 503:
            return Throttled(f"http_{status}", USUAL_PAUSE, asked=False)
    return Failed(f"http_{status}")


def retry_after(text: str, now: datetime) -> timedelta | None:
    """How long a Retry-After header asks to wait: seconds or a date (RFC 9110, 10.2.3). None where it says neither."""
    if re.fullmatch(r"[0-9]+", text):
        return timedelta(seconds=int(text)) if len(text) < 8 else LONGEST_PAUSE
    try:
        until = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return until.replace(tzinfo=until.tzinfo or UTC) - now
