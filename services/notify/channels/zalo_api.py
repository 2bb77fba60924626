"""What both ways over Zalo have in common: one request with the Official Account's token, and what an answer means.

Zalo answers 200 whatever happened; `error` is the outcome. An answer with an error is certain: the message was not
taken. No answer, or one that cannot be read, leaves it open. Codes come from the tables for template messages and for
the Official Account; Zalo's texts may hold the number and are not read.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import msgspec

from services.chassis import faultpoints
from services.notify.channels import Batch
from services.notify.channels.pace import Rest
from services.notify.channels.side_by_side import NOT_COMPOSED, composed, finish
from services.notify.clock import Clock
from services.notify.domain.delivery import Failed, Outcome, Refused, Sent, Throttled, Unknown
from services.notify.domain.messages import Message
from services.notify.foreign import NO_JSON
from services.notify.tokens import NoToken, Unauthorised

AT_ONCE = 10
"""Requests that one process has under way."""
KEPT_OPEN_S = 3
"""How long a connection is kept for the next message."""

_ZONE, _MORNING = ZoneInfo("Asia/Ho_Chi_Minh"), 6
"""Zalo keeps the night, until 6 o'clock, by Vietnam's time wherever the cooperative is."""
_A_MINUTE = timedelta(minutes=1)
_LONGEST_PAUSE = timedelta(hours=1)


Access = Callable[[str | None], Awaitable[str]]
"""A token that is not the refused one; see Tokens.access."""


class Way(Enum):
    """What a code leads to."""

    AGAIN = auto()
    """Another attempt may help."""
    TOKEN = auto()
    """With another token, once."""
    SLOWER = auto()
    """Too fast for Zalo."""
    MORNING = auto()
    """It is night."""
    OTHER_CHANNEL = auto()
    """This receiver cannot be reached so."""
    OPERATOR = auto()
    """Our account, templates or program are at fault."""


CODES: dict[int, tuple[Way, str]] = {
    -32: (Way.SLOWER, "rate"),
    -100: (Way.AGAIN, "unknown_error"),
    -108: (Way.OTHER_CHANNEL, "bad_phone"),
    -109: (Way.OPERATOR, "template_unknown"),
    -110: (Way.OTHER_CHANNEL, "app_too_old"),
    -114: (Way.OTHER_CHANNEL, "cannot_receive"),
    -115: (Way.OPERATOR, "no_balance"),
    -117: (Way.OPERATOR, "template_not_ours"),
    -118: (Way.OTHER_CHANNEL, "no_account"),
    -119: (Way.OTHER_CHANNEL, "cannot_receive"),
    -124: (Way.TOKEN, "token"),
    -131: (Way.OPERATOR, "template_not_approved"),
    -133: (Way.MORNING, "night"),
    -137: (Way.OPERATOR, "no_balance"),
    -139: (Way.OTHER_CHANNEL, "declined"),
    -141: (Way.OTHER_CHANNEL, "declined"),
    -144: (Way.OPERATOR, "daily_quota"),
    -146: (Way.OPERATOR, "template_disabled"),
    -147: (Way.OPERATOR, "daily_quota"),
    -213: (Way.OTHER_CHANNEL, "not_following"),
    -216: (Way.TOKEN, "token"),
    -220: (Way.TOKEN, "token"),
    -230: (Way.OTHER_CHANNEL, "silent_for_a_week"),
    -234: (Way.MORNING, "night"),
    -244: (Way.OTHER_CHANNEL, "declined"),
    -1121: (Way.OPERATOR, "template_data"),
    -1122: (Way.OPERATOR, "template_data"),
}
"""Of what can be expected. Any other code is for the operator too, and the message goes another way.

A daily quota that is used up is one of them: what a household must know today cannot wait for tomorrow's.
"""


_OF_ONE_MESSAGE = frozenset(f"zalo_{name}" for way, name in CODES.values() if way is Way.AGAIN)


class _Answer(msgspec.Struct):
    error: int
    data: Any = None

    @property
    def provider_id(self) -> str:
        """Zalo's id of the message: `msg_id` of a template, `message_id` of a conversation."""
        given = self.data if isinstance(self.data, dict) else {}
        return str(given.get("msg_id") or given.get("message_id") or "")


@dataclass(frozen=True, slots=True)
class Request:
    """One message as Zalo wants it; `path` is below the API's address."""

    path: str
    body: dict[str, Any] = field(repr=False)


class ZaloApi:
    """One of Zalo's APIs at `url`, for one Official Account."""

    def __init__(
        self, url: str, access: Access, pace: Callable[[], Awaitable[None]], clock: Clock, timeout_s: float
    ) -> None:
        self._access, self._pace, self._clock, self._timeout_s = access, pace, clock, timeout_s
        self._rest = Rest(lambda: clock().timestamp())
        self._client = httpx.AsyncClient(
            base_url=url,
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(
                timeout_s, connect=timeout_s / 2
            ),  # before the whole is over: that failure is certain
            limits=httpx.Limits(max_connections=AT_ONCE, keepalive_expiry=KEPT_OPEN_S),
        )

    async def close(self) -> None:
        """Ends its connections."""
        await self._client.aclose()

    async def send(
        self, messages: Sequence[Message], batch: Batch, compose: Callable[[Message], Request | Refused]
    ) -> None:
        """Side by side, at most `AT_ONCE`; what stops one message for all of them stops those not begun yet too.

        Where it went too fast for Zalo, the next batches wait as well. The night is not for all templates alike.
        """
        room = asyncio.Semaphore(AT_ONCE)
        stopped: Outcome | None = self._rest.standing()

        async def one(message: Message) -> None:
            nonlocal stopped
            async with room:
                outcome: Outcome | None = await self._send_one(message, batch, compose, lambda: stopped)
                if outcome is not None:
                    batch.report(message.message_id, outcome)
                    if not is_night(outcome):
                        self._rest.follow(outcome)
                    stopped = stopped or (outcome if stops_all(outcome) else None)

        await finish(map(one, messages))

    async def _send_one(
        self,
        message: Message,
        batch: Batch,
        compose: Callable[[Message], Request | Refused],
        stopped: Callable[[], Outcome | None],
    ) -> Outcome | None:
        """None where it must be left alone."""
        if isinstance(request := composed(message, compose), Refused):
            return request
        if stopped() is None and batch.may_begin():
            await self._pace()
        if (outcome := stopped()) is not None:
            return outcome
        token = await self._token()
        if not isinstance(token, str):
            return token
        if not batch.begin(message.message_id):
            return None
        outcome = await self._ask(request, token)
        if outcome is not _TOKEN_REFUSED:
            return outcome
        another = await self._token(refused=token)
        return await self._ask(request, another) if isinstance(another, str) else another

    async def _token(self, refused: str | None = None) -> str | Outcome:
        try:
            return await self._access(refused)
        except Unauthorised:
            return _NOT_AUTHORISED
        except NoToken as error:
            return Failed(error.reason)

    async def _ask(self, request: Request, token: str) -> Outcome:
        try:
            asked = self._client.build_request("POST", request.path, json=request.body, headers={"access_token": token})
        except (httpx.InvalidURL, TypeError, ValueError):
            return NOT_COMPOSED
        try:
            async with asyncio.timeout(self._timeout_s):
                response = await self._client.send(asked)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout):
            return Failed("connection_failed")
        except (httpx.HTTPError, OSError):
            return Unknown()
        faultpoints.reach("mid_send", "person")
        return judge(response.status_code, response.headers, response.content, self._clock())


_TOKEN_REFUSED = Refused("zalo_token", ours=True)
"""Told apart from other refusals by being this very one."""
_NOT_AUTHORISED = Refused("zalo_not_authorised", ours=True)


def stops_all(outcome: Outcome) -> bool:
    """Whether what came of one message would come of the next one too."""
    if isinstance(outcome, Failed):  # there is no way to Zalo, or no token
        return outcome.reason not in _OF_ONE_MESSAGE
    return isinstance(outcome, Throttled) or outcome in (_NOT_AUTHORISED, _TOKEN_REFUSED)


def is_night(outcome: Outcome) -> bool:
    """Whether Zalo keeps this message's kind until the morning."""
    return isinstance(outcome, Throttled) and outcome.reason == "zalo_night"


def judge(status: int, headers: httpx.Headers, content: bytes, now: datetime) -> Outcome:
    """What an answer means."""
    if status in (429, 503):
        return Throttled(f"http_{status}", pause(headers, now), asked=status == 429 or "retry-after" in headers)
    if 400 <= status <= 499:
        return Refused(f"http_{status}", ours=True)
    if status != 200:
        return Unknown(f"http_{status}")
    try:
        answer = msgspec.json.decode(content, type=_Answer)
    except NO_JSON:
        return Unknown("answer_not_understood")
    if answer.error:
        return judge_code(answer.error, headers, now)
    return Sent(answer.provider_id) if answer.provider_id else Unknown("answer_not_understood")


def judge_code(code: int, headers: httpx.Headers, now: datetime) -> Outcome:
    """What an answer with this `error` means. Reasons are ours or the bare number."""
    way, name = CODES.get(code, (Way.OPERATOR, str(-code)))
    reason = f"zalo_{name}"
    match way:
        case Way.AGAIN:
            return Failed(reason)
        case Way.TOKEN:
            return _TOKEN_REFUSED
        case Way.SLOWER:
            return Throttled(reason, pause(headers, now), asked=True)
        case Way.MORNING:
            return Throttled(reason, until_morning(now), asked=True)
        case Way.OTHER_CHANNEL:
            return Refused(reason)
        case Way.OPERATOR:
            return Refused(reason, ours=True)


def pause(headers: httpx.Headers, now: datetime) -> timedelta:
    """How long to wait after too many requests: what a header says, else a minute, for which the limit is counted.

    What X-RateLimit-Reset counts is not documented: small numbers are seconds to wait, great ones a moment, in seconds
    or milliseconds since 1970.
    """
    told = headers.get("retry-after") or headers.get("x-ratelimit-reset") or ""
    if not told.isdecimal() or len(told) > 13:
        return _A_MINUTE
    number = int(told)
    if number > 100_000:
        moment_s = number // 1000 if number >= 10**11 else number
        asked = datetime.fromtimestamp(moment_s, UTC) - now
    else:
        asked = timedelta(seconds=number)
    return min(max(asked, timedelta(seconds=1)), _LONGEST_PAUSE)


def until_morning(now: datetime) -> timedelta:
    """From now until it is 6 o'clock in Vietnam, with a minute over, since Zalo's clock may be behind ours."""
    local = now.astimezone(_ZONE)
    morning = local.replace(hour=_MORNING, minute=1, second=0, microsecond=0)
    if morning <= local:
        morning += timedelta(days=1)
    return morning - local
