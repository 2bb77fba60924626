"""The doorbell: tells the relay of another process, through LISTEN/NOTIFY, that a lane has something new.

Rings are gathered for a moment and sent in a transaction of their own, since a NOTIFY inside a business
transaction would serialise commits. A lost ring costs the relay's slow poll, nothing else.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

import asyncpg
from pydantic import SecretStr

from services.chassis.faults import Backoff, describe, is_weather
from services.chassis.parking import hold_mark

log = logging.getLogger(__name__)

CHANNEL = "event_log"
GATHER_S = 0.02
HEARTBEAT_S = 5.0


class Doorbell:
    """`ring` from where something was committed; `listen` where it is relayed."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", url: SecretStr) -> None:
        self._pool, self._url = pool, url
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

    async def listen(self, heard: Callable[[list[int]], None], holder: UUID) -> None:
        """Calls `heard` with the lanes of each ring, for ever, on a connection of its own.

        The same connection shows that the process lives that is named `holder` where it marks events.
        """
        backoff = Backoff()
        while True:
            try:
                conn = await asyncpg.connect(self._url.get_secret_value(), timeout=5)
                try:
                    await hold_mark(conn, holder)
                    await conn.add_listener(CHANNEL, lambda *args: heard(_lanes(args)))
                    backoff.reset()
                    while True:
                        await asyncio.sleep(HEARTBEAT_S)
                        await conn.execute("select 1", timeout=5)
                finally:
                    await conn.close(timeout=2)
            except Exception as error:
                if not is_weather(error):
                    raise
                log.warning("not listening for rings: %s", describe(error))
            await backoff.wait()


def _lanes(args: tuple[Any, ...]) -> list[int]:
    payload = str(args[3])
    return [int(part) for part in payload.split(",") if part.isdigit()]
