"""Asking a platform for a batch of orders, no faster than it may be asked.

A platform may give none of a batch because of one of its orders: the halves are asked for then, and their halves, until
that order stands alone and the others are here. Where the platform refuses one order after the other and gives none,
it is not an order that it refuses, and nothing more is asked.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime

from services.orders.adapters.base import Malformed
from services.orders.domain.command import OrderCommand
from services.orders.platforms.base import Access, Expired, Found, NoSuchOrder, Platform, Refused
from services.orders.store.partners import Partner
from services.orders.tokens import Tokens

ENOUGH_REFUSED = 2
"""So many orders that were refused by themselves, while none was given, are the platform's refusal of everything."""


class Asking:
    """One batch of a partner's orders. What has been answered stays here, whatever happens to the rest."""

    def __init__(
        self, tokens: Tokens, partner: Partner, platform: Platform, clock: Callable[[], datetime], call_s: float
    ) -> None:
        """`call_s`: the seconds from one call to the next, at the least."""
        self._tokens, self._partner, self._platform = tokens, partner, platform
        self._clock, self._call_s = clock, call_s
        self._began_s = asyncio.get_running_loop().time()
        self.calls = 0
        """How many requests the platform has got."""
        self.found: dict[str, OrderCommand | Malformed] = {}
        self.missing: set[str] = set()
        """Orders that the platform does not know."""
        self.refused: dict[str, Refused] = {}
        """Orders that it gave to nobody, each asked for by itself."""

    @property
    def has_answered(self) -> bool:
        """Whether the platform has said anything but that it refuses."""
        return bool(self.found or self.missing)

    async def ask(self, refs: Sequence[str]) -> None:
        """Asks for all of the orders. Raises Trouble, which is about those that are in none of the answers."""
        access = await self._tokens.access(self._partner, self._platform)
        try:
            await self._ask(access, refs)
        except Expired:
            access = await self._tokens.access(self._partner, self._platform, refused=access.token)
            await self._ask(access, [ref for ref in refs if not self._is_answered(ref)])

    def _is_answered(self, ref: str) -> bool:
        return ref in self.found or ref in self.missing or ref in self.refused

    async def _ask(self, access: Access, refs: Sequence[str]) -> None:
        try:
            found = await self._call(access, refs)
        except (NoSuchOrder, Refused) as trouble:
            if len(refs) > 1:
                half = len(refs) // 2
                await self._ask(access, refs[:half])
                await self._ask(access, refs[half:])
            elif isinstance(trouble, NoSuchOrder):
                self.missing.add(refs[0])
            else:
                self.refused[refs[0]] = trouble
                if len(self.refused) >= ENOUGH_REFUSED and not self.has_answered:
                    raise
        else:
            self.found |= found
            self.missing |= {ref for ref in refs if ref not in found}

    async def _call(self, access: Access, refs: Sequence[str]) -> Found:
        elapsed_s = asyncio.get_running_loop().time() - self._began_s
        await asyncio.sleep(max(self.calls * self._call_s - elapsed_s, 0))
        self.calls += self._platform.calls(len(refs))
        return await self._platform.pull(access, refs, self._clock())
