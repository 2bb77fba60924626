"""Requests that wait for a promise (`Prefer: wait=N`), without holding a connection while they wait.

They are woken by the handler of the promise in this process; for promises that another process applies, one query
for all who wait asks the database every 100 ms, as long as anyone waits.
"""

import asyncio
import logging
from collections.abc import Iterable
from uuid import UUID

import asyncpg

from services.chassis.faults import describe, is_weather
from services.orders.store.orders import list_decided

log = logging.getLogger(__name__)

POLL_S = 0.1


class PromiseBoard:
    """Who waits for which order. When the process is `stopping`, nobody waits any longer."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", stopping: asyncio.Event) -> None:
        self._pool, self._stopping = pool, stopping
        self._waiting: dict[UUID, set[asyncio.Future[bool]]] = {}
        self._polling: asyncio.Task[None] | None = None

    async def wait(self, order_id: UUID, timeout_s: float) -> bool:
        """Returns True once the order has its promise, False when the time is over."""
        decided: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(order_id, set()).add(decided)
        if self._polling is None or self._polling.done():
            self._polling = asyncio.create_task(self._poll())
        try:
            async with asyncio.timeout(timeout_s):
                return await decided
        except TimeoutError:
            return False
        finally:
            self._forget(order_id, decided)

    def wake(self, order_ids: Iterable[UUID]) -> None:
        """The orders have their promises."""
        for order_id in order_ids:
            self._answer(order_id, promised=True)

    def _answer(self, order_id: UUID, promised: bool) -> None:
        for decided in self._waiting.get(order_id, ()):
            if not decided.done():
                decided.set_result(promised)

    def _forget(self, order_id: UUID, decided: "asyncio.Future[bool]") -> None:
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
                log.warning("cannot look for promises: %s", describe(error))
            if self._stopping.is_set():
                for order_id in self._waiting:
                    self._answer(order_id, promised=False)
            await asyncio.sleep(POLL_S)
