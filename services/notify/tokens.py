"""A token that opens a provider's API now, where the refresh token is good for one use only.

Whoever gets the next pair holds an advisory lock from before it asks until the pair is committed, in one transaction:
one refresher at a time over all processes, and who waited takes what it finds. A pair that was given out is kept and
saved however long the database is away. What remains is the death of this process between the provider's answer and
the commit that follows at once; then the provider takes the stored token for invalid. That is said in a log line and a
metric hours before the access token ends, and a new first token in the settings takes the place of the refused one.
"""

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from prometheus_client import CollectorRegistry, Counter, Gauge

from services.chassis.faults import Backoff, is_weather
from services.chassis.ledger import Ledger, Transaction
from services.notify.clock import Clock
from services.notify.store.provider_tokens import Stored, get_tokens, lock_tokens, save_tokens

log = logging.getLogger(__name__)

AHEAD = timedelta(hours=4)
"""So long before its end the access token is replaced, so that an operator has time where that fails."""
MARGIN = timedelta(minutes=2)
"""So long before its end it counts as over: clocks differ, and requests take a while."""
ASK_AGAIN = timedelta(minutes=10)
"""A refused refresh token is tried again after this, in case it was the application's secret that was wrong."""


class NoToken(Exception):
    """There is no token at the moment; the reason is a code."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Unauthorised(NoToken):
    """There will be none before an operator has given us another refresh token."""


@dataclass(frozen=True, slots=True)
class Pair:
    """What a provider gives for a refresh token."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)
    lasts: timedelta


Ask = Callable[[str], Awaitable[Pair]]
"""From a refresh token to the next pair, within 15 s. Raises Unauthorised where the provider takes it for invalid, and
NoToken for everything that may pass."""


class TokenMetrics:
    """How the tokens of providers fare."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.left_s = Gauge(
            "notify_provider_token_left_seconds", "How long the access token lasts", ["provider"], registry=registry
        )
        self.refused = Gauge(
            "notify_provider_token_refused",
            "1 where the provider refuses our refresh token, and an operator must authorise us again",
            ["provider"],
            registry=registry,
        )
        self.renewed = Counter("notify_provider_token_renewals", "Access tokens got", ["provider"], registry=registry)

    def show(self, provider: str, stored: Stored, now: datetime) -> None:
        """What is stored."""
        self.left_s.labels(provider).set(max((stored.expires_at - now).total_seconds(), 0))
        self.refused.labels(provider).set(stored.refused_at is not None)


class Tokens:
    """One provider's tokens, for one process. `seed` is the refresh token from the settings."""

    def __init__(self, ledger: Ledger, provider: str, ask: Ask, seed: str, clock: Clock, metrics: TokenMetrics) -> None:
        self._ledger, self._provider, self._ask, self._clock, self._metrics = ledger, provider, ask, clock, metrics
        self._seed, self._seed_sha256 = seed, hashlib.sha256(seed.encode()).hexdigest()
        self._renewing = asyncio.Lock()

    async def access(self, refused: str | None = None) -> str:
        """What to ask with; never the token that the provider has `refused`. Raises NoToken."""
        try:
            stored = await get_tokens(self._ledger.pool, self._provider)
            if stored is None or not self._is_good(stored, MARGIN, refused):
                stored = await self._renewed(MARGIN, refused)
        except Exception as error:
            if not is_weather(error):
                raise
            raise NoToken("database_away") from None
        return stored.access

    async def keep_fresh(self, now: datetime) -> bool:
        """A job: renews ahead of time, and shows how things are."""
        stored = await get_tokens(self._ledger.pool, self._provider)
        try:
            if stored is None or not self._is_good(stored, AHEAD):
                stored = await self._renewed(AHEAD)
        except NoToken as error:
            log.warning("no new token for now", extra={"provider": self._provider, "reason": error.reason})
            stored = await get_tokens(self._ledger.pool, self._provider)
        if stored is not None:
            self._metrics.show(self._provider, stored, now)
        return False

    def _is_good(self, stored: Stored, margin: timedelta, refused: str | None = None) -> bool:
        return stored.access not in ("", refused) and stored.expires_at - margin > self._clock()

    async def _renewed(self, margin: timedelta, refused: str | None = None) -> Stored:
        """Ends also where nobody waits for it any more: the refresh token may be used up already."""
        renewal = asyncio.create_task(self._renew(margin, refused))
        try:
            return await asyncio.shield(renewal)
        except asyncio.CancelledError:
            await asyncio.gather(renewal, return_exceptions=True)
            raise

    async def _renew(self, margin: timedelta, refused: str | None) -> Stored:
        got: Stored | None = None

        async def work(tx: Transaction) -> Stored | NoToken:
            nonlocal got
            stored = await lock_tokens(tx.conn, self._provider)
            if got is None:
                if stored is not None and self._is_good(stored, margin, refused):
                    return stored
                held = self._to_ask_with(stored)
                if isinstance(held, Unauthorised):
                    return held
                try:
                    got = self._next(held, await self._ask(held.refresh))
                except Unauthorised as error:
                    await save_tokens(tx.conn, self._provider, replace(held, refused_at=self._clock()))
                    self._tell_the_operator(error.reason)
                    return error
                except NoToken as error:
                    return error
            await save_tokens(tx.conn, self._provider, got)
            return got

        async with self._renewing:
            backoff = Backoff()
            while True:
                try:
                    result = await self._ledger.transact(work)
                    break
                except Exception as error:
                    if got is None or not is_weather(error):
                        raise
                    log.warning("a new token waits to be saved", extra={"reason": type(error).__name__})
                    await backoff.wait()
        if isinstance(result, NoToken):
            raise result
        if result is got:
            self._metrics.renewed.labels(self._provider).inc()
            self._metrics.show(self._provider, result, self._clock())
        return result

    def _to_ask_with(self, stored: Stored | None) -> Stored | Unauthorised:
        """What is stored; in its place the settings' token where there is none, or a new one where it was refused."""
        if stored is None:
            return Stored("", self._clock(), self._seed, self._seed_sha256)
        if stored.refused_at is None:
            return stored
        if stored.seed_sha256 != self._seed_sha256:
            return replace(stored, refresh=self._seed, seed_sha256=self._seed_sha256, refused_at=None)
        return stored if stored.refused_at + ASK_AGAIN <= self._clock() else Unauthorised("refresh_token_refused")

    def _next(self, held: Stored, pair: Pair) -> Stored:
        return Stored(pair.access, self._clock() + pair.lasts, pair.refresh, held.seed_sha256)

    def _tell_the_operator(self, reason: str) -> None:
        self._metrics.refused.labels(self._provider).set(1)
        log.error(
            "the provider refuses our refresh token: it ran out, was revoked, or was used up when a process died "
            "before the next one was saved. Authorise the application again, put the new refresh token into the "
            "settings and restart; until the access token ends messages still go out",
            extra={"provider": self._provider, "reason": reason},
        )
