"""Where Zalo gives the next pair of tokens for a refresh token, which is used up by that."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
import msgspec

from services.notify.foreign import NO_JSON
from services.notify.tokens import NoToken, Pair, Unauthorised

_TIMEOUT_S = 10
_PASSES = (-32, -100)
"""Errors that say nothing about the token."""


class _Answer(msgspec.Struct):
    access_token: str = ""
    refresh_token: str = ""
    expires_in: str | int = ""
    error: Any = None


@dataclass(frozen=True, slots=True)
class ZaloOauth:
    """One application at Zalo's token endpoint below `url`."""

    url: str
    app_id: str
    app_secret: str = field(repr=False)

    async def next_pair(self, refresh_token: str) -> Pair:
        """See tokens.Ask. A lost answer is as one that never was: the next attempt shows what came of it."""
        form = {"refresh_token": refresh_token, "app_id": self.app_id, "grant_type": "refresh_token"}
        try:
            async with (
                asyncio.timeout(_TIMEOUT_S),
                httpx.AsyncClient(
                    base_url=self.url, trust_env=False, follow_redirects=False, timeout=_TIMEOUT_S
                ) as client,
            ):
                response = await client.post("/v4/oa/access_token", data=form, headers={"secret_key": self.app_secret})
        except (httpx.HTTPError, OSError):
            raise NoToken("token_endpoint_away") from None
        if response.status_code != 200:
            raise NoToken(f"token_endpoint_http_{response.status_code}")
        try:
            answer = msgspec.json.decode(response.content, type=_Answer)
            lasts_s = int(answer.expires_in or 0)
        except (*NO_JSON, ValueError):
            raise NoToken("token_endpoint_not_understood") from None
        if answer.error:
            code = answer.error if isinstance(answer.error, int) else 0
            raise NoToken(f"zalo_{-code}") if code in _PASSES or not code else Unauthorised(f"zalo_{-code}")
        if not (_is_header(answer.access_token) and answer.refresh_token and 0 < lasts_s <= 10**7):
            raise NoToken("token_endpoint_not_understood")
        return Pair(answer.access_token, answer.refresh_token, timedelta(seconds=lasts_s))


def _is_header(token: str) -> bool:
    return token != "" and token.isascii() and token.isprintable()
