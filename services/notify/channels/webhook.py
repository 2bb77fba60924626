"""Webhooks to partners, signed as Standard Webhooks 1.0 says; a 2xx status is the receipt.

`webhook-id` is the notice's id on every attempt, so a receiver recognises a repetition and a resend is safe.
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy
from uuid import UUID

import httpx

from services.chassis import faultpoints, standard_webhooks
from services.notify.channels import Batch
from services.notify.clock import Clock
from services.notify.domain.delivery import Accepted, Failed, Outcome, Refused
from services.notify.domain.notices import WEBHOOK

AT_ONCE = 50
"""Requests that one process has under way."""
KEPT_OPEN_S = 3
"""How long a connection is kept for the next message to the same partner; many servers close theirs after 5 s."""
MOST_ANSWER_BYTES = 65_536
"""Of an answer; it is read only so that the connection can be used again."""


@dataclass(frozen=True, slots=True)
class Push:
    """One message to one partner."""

    notice_id: UUID
    url: str = field(repr=False)
    secret: str = field(repr=False)
    body: bytes = field(repr=False)


class WebhookChannel:
    """`timeout_s` is for the whole attempt. To be closed when nothing is sent any more."""

    name = WEBHOOK

    def __init__(self, clock: Clock, timeout_s: float) -> None:
        self._clock, self._timeout_s = clock, timeout_s
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=AT_ONCE, keepalive_expiry=KEPT_OPEN_S)
        # Made once: to read the trusted certificates takes longer than to send a batch.
        self._client = httpx.AsyncClient(
            follow_redirects=False, timeout=timeout_s, limits=limits, trust_env=False, cookies=_no_cookies()
        )

    async def close(self) -> None:
        """Closes the connections that are kept open."""
        await self._client.aclose()

    async def send(self, messages: Sequence[Push], batch: Batch) -> None:
        """Side by side, at most `AT_ONCE`."""
        room = asyncio.Semaphore(AT_ONCE)

        async def one(push: Push) -> None:
            async with room:
                if batch.begin(push.notice_id):
                    batch.report(push.notice_id, await self._send_one(push))

        await asyncio.gather(*map(one, messages))

    async def _send_one(self, push: Push) -> Outcome:
        now = self._clock()
        headers = {
            "content-type": "application/json",
            "user-agent": "cho-phien",
            **standard_webhooks.headers(push.secret, str(push.notice_id), now, push.body),
        }
        try:
            async with (
                asyncio.timeout(self._timeout_s),
                self._client.stream("POST", push.url, content=push.body, headers=headers) as response,
            ):
                faultpoints.reach("mid_send")
                outcome = self._judge(response.status_code)
                with contextlib.suppress(httpx.HTTPError, httpx.StreamError, TimeoutError):
                    await _read_some(response)
                return outcome
        except (TimeoutError, httpx.TimeoutException):
            return Failed("timed_out")
        except (httpx.HTTPError, httpx.InvalidURL, OSError):
            return Failed("connection_failed")

    def _judge(self, status: int) -> Outcome:
        if 200 <= status <= 299:
            return Accepted(self._clock(), f"http_{status}")
        return Refused("endpoint_gone", gone=True) if status == 410 else Failed(f"http_{status}")


def _no_cookies() -> CookieJar:
    """What one partner's endpoint would have us remember is no business of the others on the same host."""
    return CookieJar(DefaultCookiePolicy(allowed_domains=()))


async def _read_some(response: httpx.Response) -> None:
    seen = 0
    async for chunk in response.aiter_raw():
        seen += len(chunk)
        if seen > MOST_ANSWER_BYTES:
            return
