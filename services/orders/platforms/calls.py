"""One request to a platform, and its answer as JSON with exact numbers.

Addresses hold tokens and answers hold customers, so nothing of either gets into an error.
"""

import asyncio
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from services.orders.domain.token import Token
from services.orders.platforms.base import Limited, Refused, Unwell

MOST_ANSWER_BYTES = 8_388_608
MOST_DIGITS = 400
LONGEST_WAIT_S = 3600.0
"""The most that a platform's Retry-After is believed."""
_CODE = re.compile(r"[^A-Za-z0-9_.:-]")


def open_client(timeout_s: float) -> httpx.AsyncClient:
    """The client for platforms whose addresses stand in the settings."""
    return httpx.AsyncClient(trust_env=False, follow_redirects=False, timeout=timeout_s)


class Caller:
    """Asks, for at most `timeout_s` in all."""

    def __init__(self, client: httpx.AsyncClient, timeout_s: float) -> None:
        self._client, self._timeout_s = client, timeout_s

    async def ask(
        self,
        method: str,
        url: str,
        params: Mapping[str, str],
        now: datetime,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> dict[str, Any]:
        """The object that is answered. Raises Limited, Unwell and Refused.

        An answer 4xx with an object is given back: platforms put their own codes there.
        """
        try:
            async with (
                asyncio.timeout(self._timeout_s),
                self._client.stream(method, url, params=dict(params), headers=headers, content=body) as response,
            ):
                raw = await _read(response)
        except (TimeoutError, httpx.TimeoutException):
            raise Unwell("timed_out") from None
        except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, OSError) as error:
            raise Unwell(f"connection_failed: {type(error).__name__}") from None
        return _object(response, raw, now)


def _object(response: httpx.Response, raw: bytes, now: datetime) -> dict[str, Any]:
    status = response.status_code
    if status == httpx.codes.TOO_MANY_REQUESTS:
        raise Limited("http_429", retry_after_s(response.headers.get("retry-after", ""), now))
    if status >= 500:
        raise Unwell(f"http_{status}")
    if 300 <= status < 400:
        raise Refused(f"http_{status}")
    try:
        found = decode(raw)
    except ValueError:
        found = None
    if isinstance(found, dict):
        return found
    raise Refused(f"http_{status}") if status >= 400 else Unwell("no_json")


def decode(raw: bytes) -> Any:
    """JSON whose fractions are Decimals. Raises ValueError."""
    try:
        return json.loads(raw, parse_float=_number, parse_constant=_number)
    except RecursionError:
        raise ValueError("too deep") from None


def _number(text: str) -> Decimal:
    """Not one whose digits would fill the memory, and not NaN."""
    number = Decimal(text)
    if not number.is_finite() or abs(number.adjusted()) > MOST_DIGITS:
        raise ValueError("no number that anybody means")
    return number


def retry_after_s(text: str, now: datetime) -> float | None:
    """Seconds of a Retry-After header, which has seconds or a date; None where it has neither."""
    if text.isdecimal() and len(text) < 10:
        return min(float(text), LONGEST_WAIT_S)
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    wait_s = ((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds()
    return min(max(wait_s, 0.0), LONGEST_WAIT_S)


def code_text(code: object) -> str:
    """A platform's code for a log or a table: short, and without anything that could be more than a code."""
    return _CODE.sub("_", str(code))[:60]


def token_of(answer: Mapping[str, Any], expires_at: datetime) -> Token:
    """The next token; the one before it may be used up, so nothing but a token that is missing is a fault."""
    found = answer.get("access_token"), answer.get("refresh_token")
    if not all(found):
        raise Unwell("no_token")
    return Token(str(found[0]), str(found[1]), expires_at)


def moment_at(timestamp: object, now: datetime) -> datetime:
    """Seconds since 1970 as a point in time; `now` where it is none."""
    try:
        return datetime.fromtimestamp(int(str(timestamp)), UTC)
    except (ValueError, OverflowError, OSError):
        return now


def moment_in(wait_s: object, now: datetime) -> datetime:
    """So many seconds from now; `now` where it is no number of them."""
    try:
        return now + timedelta(seconds=int(str(wait_s)))
    except (ValueError, OverflowError):
        return now


async def _read(response: httpx.Response) -> bytes:
    parts, seen_bytes = [], 0
    async for part in response.aiter_bytes():
        parts.append(part)
        seen_bytes += len(part)
        if seen_bytes > MOST_ANSWER_BYTES:
            raise Unwell("too_large")
    return b"".join(parts)
