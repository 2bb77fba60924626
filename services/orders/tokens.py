"""A token that opens a platform's API now: the stored one, or the next one where that is over or was refused.

Refresh tokens may be good for one use only, so one process at a time gets the next token: it takes a lease, asks
outside of any transaction, and keeps what it got until that is saved. Who waited for it takes what it finds.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from uuid import UUID

from services.chassis.faults import Backoff, is_weather
from services.chassis.ledger import Ledger, Transaction
from services.orders.domain.token import Token
from services.orders.platforms.base import Access, Platform, Refused, Trouble, Unauthorised
from services.orders.store import tokens as store
from services.orders.store.partners import Partner
from services.orders.store.tokens import Stored

log = logging.getLogger(__name__)

MARGIN = timedelta(minutes=5)
"""So long before its end a token counts as over: clocks differ, and requests take a while."""
LEASE = timedelta(seconds=60)
"""After this, the next token is another one's to get. Longer than a request may take."""

LAST_TRIES = 3
"""So often a process that stops tries to save a token; with the waits between them, well within what it is given."""


class Tokens:
    """The tokens of all partners, for one process. `stopping`: set when it begins to stop."""

    def __init__(self, ledger: Ledger, clock: Callable[[], datetime], stopping: asyncio.Event) -> None:
        self._ledger, self._clock, self._stopping = ledger, clock, stopping

    async def access(self, partner: Partner, platform: Platform, refused: Token | None = None) -> Access:
        """What to ask with; never with the token that the platform has `refused`. Raises Trouble."""
        stored = await store.get_credentials(self._ledger.pool, partner.partner_id)
        if stored is None:
            raise Refused("no_credentials")
        if not self._is_good(stored.token, refused):
            stored = await self._renewed(partner, platform, refused)
        return _access(partner, stored)

    def _is_good(self, token: Token, refused: Token | None) -> bool:
        unknown = refused is None or token.access != refused.access
        return unknown and token.access != "" and token.expires_at - MARGIN > self._clock()

    async def _renewed(self, partner: Partner, platform: Platform, refused: Token | None) -> Stored:
        """Waits where another one gets the next token, for as long as that may take."""
        backoff = Backoff(most_s=1)
        while True:
            stored, is_mine = await self._lease(partner.partner_id, refused)
            if is_mine:
                token = await self._finish(self._renew(partner, platform, stored))
                if token is not None:
                    return Stored(stored.app_secret, token)
            elif self._is_good(stored.token, refused):
                return stored
            else:
                await backoff.wait()

    async def _lease(self, partner_id: UUID, refused: Token | None) -> tuple[Stored, bool]:
        """What is stored, and whether the next token is ours to get."""

        async def work(tx: Transaction) -> tuple[Stored, bool]:
            stored, now = await store.lock_credentials(tx.conn, partner_id), self._clock()
            if stored is None:
                raise Refused("no_credentials")
            is_good = self._is_good(stored.token, refused)
            return stored, not is_good and await store.lease_refresh(tx.conn, partner_id, now, now + LEASE)

        return await self._ledger.transact(work)

    async def _finish(self, renewal: Coroutine[None, None, Token | None]) -> Token | None:
        """Runs it to its end also where nobody waits for it any more: the refresh token may be used up already."""
        renewing = asyncio.create_task(renewal)
        try:
            return await asyncio.shield(renewing)
        except asyncio.CancelledError:
            await asyncio.gather(renewing, return_exceptions=True)
            raise

    async def _renew(self, partner: Partner, platform: Platform, stored: Stored) -> Token | None:
        """The next token, saved; None where staff have handed over another one meanwhile."""
        try:
            token = await platform.refresh(_access(partner, stored), self._clock())
        except Unauthorised:
            log.error("the seller must authorise the app again", extra={"partner": str(partner.partner_id)})
            await self._save_refusal(partner.partner_id, stored.token)
            raise
        except Trouble:
            await self._ledger.transact(lambda tx: store.end_refresh(tx.conn, partner.partner_id, stored.token))
            raise
        return token if await self._save_patiently(partner.partner_id, stored.token, token) else None

    async def _save_patiently(self, partner_id: UUID, used: Token, token: Token) -> bool:
        """The next token is worth waiting for: the one before it may open nothing any more.

        A process that stops cannot wait for ever: it tries a few times more. Raises the weather then.
        """
        backoff, last_tries = Backoff(), 0
        while True:
            try:
                return await self._ledger.transact(lambda tx: store.save_token(tx.conn, partner_id, used, token))
            except Exception as error:
                last_tries += self._stopping.is_set()
                if not is_weather(error) or last_tries >= LAST_TRIES:
                    log.error("a new token is lost: the seller may have to authorise the app again",
                              extra={"partner": str(partner_id), "reason": type(error).__name__})  # fmt: skip
                    raise
                log.warning("the database is away", extra={"reason": type(error).__name__})
                await backoff.wait()

    async def _save_refusal(self, partner_id: UUID, token: Token) -> None:
        async def work(tx: Transaction) -> None:
            await store.save_refusal(tx.conn, partner_id, token, self._clock())

        await self._ledger.transact(work)


def _access(partner: Partner, stored: Stored) -> Access:
    return Access(stored.app_secret or partner.secrets[0], stored.token, partner.settings)
