"""What channels over a provider's HTTP API have in common: one request for each message, some of them side by side."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

import httpx

from services.chassis import faultpoints
from services.notify.channels import Batch
from services.notify.channels.pace import Rest
from services.notify.channels.side_by_side import NOT_COMPOSED, composed, finish
from services.notify.channels.webhook import retry_after
from services.notify.domain.delivery import Failed, Outcome, Refused, Throttled, Unknown
from services.notify.domain.endpoints import USUAL_PAUSE, pause
from services.notify.domain.messages import Message
from services.notify.foreign import object_of

AT_ONCE = 10
"""Requests that one process has under way."""
KEPT_OPEN_S = 3
"""How long a connection is kept for the next message; one that the provider closed meanwhile would look like a loss."""

UNREACHABLE = Failed("connection_failed")
NOT_UNDERSTOOD = Unknown("answer_not_understood")

Lost = Failed | Refused | Unknown
"""What came of a request that has no answer."""

Pace = Callable[[], Awaitable[None]]
R = TypeVar("R")


class HttpApi:
    """One provider's API at `url`. `pace` is awaited before each message, `timeout_s` is for a whole request."""

    def __init__(self, url: str, pace: Pace, timeout_s: float, auth: tuple[str, str] | None = None) -> None:
        self._pace, self._rest, self._timeout_s = pace, Rest(), timeout_s
        self._client = httpx.AsyncClient(
            base_url=url,
            auth=auth,
            trust_env=False,
            follow_redirects=False,
            # a connection fails before the whole is over, since that failure is certain
            timeout=httpx.Timeout(timeout_s, connect=timeout_s / 2),
            limits=httpx.Limits(max_connections=AT_ONCE, keepalive_expiry=KEPT_OPEN_S),
        )

    async def close(self) -> None:
        """Ends its connections."""
        await self._client.aclose()

    async def send(
        self,
        messages: Sequence[Message],
        batch: Batch,
        compose: Callable[[Message], R | Refused],
        ask: Callable[[R], Awaitable[Outcome]],
    ) -> None:
        """Side by side. One that is away is not asked for the rest of the batch; one that asks for a pause has it."""
        room, resting = asyncio.Semaphore(AT_ONCE), self._rest.standing()
        stopped: list[Outcome] = [] if resting is None else [resting]

        async def one(message: Message) -> None:
            async with room:
                if isinstance(request := composed(message, compose), Refused):
                    batch.report(message.message_id, request)
                    return
                if not stopped and batch.may_begin():
                    await self._pace()
                if stopped:
                    batch.report(message.message_id, stopped[0])
                elif batch.begin(message.message_id):
                    outcome = await ask(request)
                    batch.report(message.message_id, outcome)
                    self._rest.follow(outcome)
                    if outcome == UNREACHABLE or isinstance(outcome, Throttled):
                        stopped.append(outcome)

        await finish(map(one, messages))

    async def post(
        self, path: str, *, json: Mapping[str, Any] | None = None, form: Mapping[str, str] | None = None
    ) -> httpx.Response | Lost:
        """The answer, or what came of a request that got none."""
        try:
            request = self._client.build_request("POST", path, json=json, data=form)
        except (httpx.InvalidURL, TypeError, ValueError):
            return NOT_COMPOSED
        try:
            async with asyncio.timeout(self._timeout_s):
                response = await self._client.send(request)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout):
            return UNREACHABLE
        except (httpx.HTTPError, OSError):
            return Unknown()
        faultpoints.reach("mid_send", "person")
        return response


def content(response: httpx.Response) -> dict[str, Any] | None:
    """The JSON object of an answer; None where it is something else."""
    return object_of(response.content)


def judge_status(response: httpx.Response, now: datetime, asked: timedelta | None = None) -> Outcome:
    """What an answer means that says nothing but its status; a provider's own word for the pause is `asked`.

    4xx and redirects took nothing, and it is our set-up that is wrong. What happened before a 5xx is not known, except
    that 503 says that nothing did.
    """
    status = response.status_code
    if status in (429, 503):
        asked = asked or retry_after(response.headers.get("retry-after", ""), now)
        return Throttled(f"http_{status}", USUAL_PAUSE if asked is None else pause(asked), asked=asked is not None)
    if 300 <= status <= 499:
        return Refused(f"http_{status}", ours=True)
    return Unknown(f"http_{status}") if status >= 500 else NOT_UNDERSTOOD
