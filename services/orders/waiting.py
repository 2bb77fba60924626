"""Requests that wait for a promise (`Prefer: wait=N`), without holding a connection while they wait.

They are woken by the handler of the promise in this process; for promises that another process applies, one query
for all who wait asks the database every 100 ms, as long as anyone waits.
"""

import asyncio
import logging
from collections.abc import Iterable
from uuid import UUID

import asyncpg

from services.chassis.faults import is_weather
from services.orders.store.orders import list_decided

log = logging.getLogger(__name__)

POLL_S = 0.1


class PromiseBoard:
    """Who waits for which order."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool
        self._waiting: dict[UUID, set[asyncio.Future[None]]] = {}
        self._polling: asyncio.Task[None] | None = None

    async def wait(self, order_id: UUID, timeout_s: float) -> bool:
        """Returns True once the order has its promise, False when the time is over."""
        decided = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(order_id, set()).add(decided)
        if self._polling is None or self._polling.done():
            self._polling = asyncio.create_task(self._poll())
        try:
            async with asyncio.timeout(timeout_s):
                await decided
        except TimeoutError:
            return False
        else:
            return True
        finally:
            self._forget(order_id, decided)

    def wake(self, order_ids: Iterable[UUID]) -> None:
        """The orders have their promises."""
        for order_id in order_ids:
            for decided in self._waiting.get(order_id, ()):
                if not decided.done():
                    decided.set_result(None)

    def _forget(self, order_id: UUID, decided: "asyncio.Future[None]") -> None:
        left = self._waiting[order_id]
        left.discard(decided)
        if not left:
            del self._waiting[order_id]

    async def _poll(self) -> None:
        """Looks at once as well: a promise may have come between a commit and the wait for it."""
        while self._waiting:
            try:
                self.wake(await list_decided(self._pool, list(self._waiting)))
            except Exception as error:
                if not is_weather(error):
                    raise
                log.warning("cannot look for promises", extra={"reason": type(error).__name__})
            await asyncio.sleep(POLL_S)
