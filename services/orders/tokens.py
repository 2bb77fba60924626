"""A token that opens a platform's API now: the stored one, or the next one where that is over or was refused.

Refresh tokens may be good for one use only, so one process at a time gets the next token, under the lock of the row
where it is stored, and whoever waited for the lock takes what it finds.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

from services.chassis.ledger import Ledger, Transaction
from services.orders.domain.token import Token
from services.orders.platforms.base import Access, Platform, Refused, Unauthorised
from services.orders.store import tokens as store
from services.orders.store.partners import Partner
from services.orders.store.tokens import Stored

log = logging.getLogger(__name__)

MARGIN = timedelta(minutes=5)
"""So long before its end a token counts as over: clocks differ, and requests take a while."""


class Tokens:
    """The tokens of all partners, for one process."""

    def __init__(self, ledger: Ledger, clock: Callable[[], datetime]) -> None:
        self._ledger, self._clock = ledger, clock

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
        """Runs to its end also where nobody waits for it any more: the refresh token may be used up already."""
        renewing = asyncio.create_task(self._renew(partner, platform, refused))
        try:
            return await asyncio.shield(renewing)
        except asyncio.CancelledError:
            await asyncio.gather(renewing, return_exceptions=True)
            raise

    async def _renew(self, partner: Partner, platform: Platform, refused: Token | None) -> Stored:
        used: list[Token] = []

        async def work(tx: Transaction) -> Stored:
            stored = await store.lock_credentials(tx.conn, partner.partner_id)
            if stored is None:
                raise Refused("no_credentials")
            if self._is_good(stored.token, refused):
                return stored
            used.append(stored.token)
            token = await platform.refresh(_access(partner, stored), self._clock())
            await store.save_token(tx.conn, partner.partner_id, token)
            return Stored(stored.app_secret, token)

        try:
            return await self._ledger.transact(work)
        except Unauthorised:
            log.error("the seller must authorise the app again", extra={"partner": str(partner.partner_id)})
            await self._save_refusal(partner.partner_id, used[-1])
            raise

    async def _save_refusal(self, partner_id: UUID, token: Token) -> None:
        async def work(tx: Transaction) -> None:
            await store.save_refusal(tx.conn, partner_id, token, self._clock())

        await self._ledger.transact(work)


def _access(partner: Partner, stored: Stored) -> Access:
    return Access(stored.app_secret or partner.secrets[0], stored.token, partner.settings)
