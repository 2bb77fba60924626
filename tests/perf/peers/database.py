"""The asyncpg pool of a service, opened when the service starts."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeAlias

import asyncpg
from asyncpg.pool import PoolConnectionProxy

Connection: TypeAlias = "PoolConnectionProxy[asyncpg.Record]"

_SETTINGS = {"timezone": "UTC", "jit": "off", "enable_seqscan": "off", "lock_timeout": "20s"}


class Database:
    """One service's database. `settings` are those of its sessions.

    With `keeps_sessions` a connection goes back into the pool as it is, which saves a question to the server; without,
    it is reset first, as asyncpg does unless told otherwise.
    """

    def __init__(
        self, url: str, connections: int, settings: dict[str, str] | None = None, *, keeps_sessions: bool = False
    ) -> None:
        self._url, self._connections, self._settings = url, connections, _SETTINGS | (settings or {})
        self._keeps_sessions = keeps_sessions
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None

    async def open(self) -> None:
        """All connections at once, so that none has to be opened under load."""
        self._pool = await asyncpg.create_pool(
            self._url,
            min_size=self._connections,
            max_size=self._connections,
            max_inactive_connection_lifetime=0,
            command_timeout=30,
            server_settings=self._settings,
            reset=_leave if self._keeps_sessions else None,
        )

    async def close(self) -> None:
        """Waits for what is running."""
        await self.pool.close()

    @property
    def pool(self) -> "asyncpg.Pool[asyncpg.Record]":
        """For single statements."""
        assert self._pool is not None, "the database is opened when the service starts"
        return self._pool

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """A connection inside a transaction."""
        async with self.pool.acquire() as conn, conn.transaction():
            yield conn


async def _leave(_: object) -> None:
    """Nobody changes a session outside of a transaction, so there is nothing to undo."""
