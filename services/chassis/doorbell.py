"""The doorbell: tells the relay of another process, through LISTEN/NOTIFY, that a lane has something new.

Rings are gathered for a moment and sent in a transaction of their own, since a NOTIFY inside a business
transaction would serialise commits. A lost ring costs the relay's slow poll, nothing else.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Any

import asyncpg

from services.chassis.faults import Backoff, is_weather

log = logging.getLogger(__name__)

CHANNEL = "event_log"
GATHER_S = 0.02
HEARTBEAT_S = 5.0


class Doorbell:
    """`ring` from where something was committed; `listen` where it is relayed."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool
        self._lanes: set[int] = set()
        self._ringing: asyncio.Task[None] | None = None

    def ring(self, lanes: Iterable[int]) -> None:
        """Lets the other processes know soon; returns at once."""
        self._lanes.update(lanes)
        if self._lanes and (self._ringing is None or self._ringing.done()):
            self._ringing = asyncio.create_task(self._ring_soon())

    async def _ring_soon(self) -> None:
        while self._lanes:
            await asyncio.sleep(GATHER_S)
            lanes, self._lanes = self._lanes, set()
            try:
                await self._pool.execute("select pg_notify($1, $2)", CHANNEL, ",".join(map(str, sorted(lanes))))
            except Exception as error:
                if not is_weather(error):
                    raise

    async def listen(self, heard: Callable[[list[int]], None]) -> None:
        """Calls `heard` with the lanes of each ring, for ever, on a connection of its own."""
        backoff = Backoff()
        while True:
            try:
                async with self._pool.acquire() as conn:
                    await conn.add_listener(CHANNEL, lambda *args: heard(_lanes(args)))
                    backoff.reset()
                    while True:
                        await asyncio.sleep(HEARTBEAT_S)
                        await conn.execute("select 1", timeout=5)
            except Exception as error:
                if not is_weather(error):
                    raise
                log.warning("not listening for rings", extra={"reason": type(error).__name__})
            await backoff.wait()


def _lanes(args: tuple[Any, ...]) -> list[int]:
    payload = str(args[3])
    return [int(part) for part in payload.split(",") if part.isdigit()]
