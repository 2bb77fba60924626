"""Looking into the services' databases from outside, whatever happens to the server meanwhile."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import asyncpg

AWAY_S = 90
_WEATHER = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)
"""A query of ours is right; what it meets is weather."""


class Books:
    """One connection to each database, made again when it breaks. `dsn_of` gives the address of a database."""

    def __init__(self, dsn_of: Callable[[str], str]) -> None:
        self.dsn_of = dsn_of
        self._connections: dict[str, asyncpg.Connection[asyncpg.Record]] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def fetch(self, database: str, query: str, *values: object) -> list[asyncpg.Record]:
        """Rows; tries again while the server is away, and raises what it met last after a minute and a half."""
        began = time.monotonic()
        while True:
            try:
                return await self.try_fetch(database, query, *values)
            except _WEATHER:
                if time.monotonic() > began + AWAY_S:
                    raise
            await asyncio.sleep(0.2)

    async def try_fetch(self, database: str, query: str, *values: object) -> list[asyncpg.Record]:
        """Rows, or whatever a single attempt raises."""
        async with self._locks.setdefault(database, asyncio.Lock()):
            connection = self._connections.get(database)
            try:
                if connection is None or connection.is_closed():
                    connection = await asyncpg.connect(self.dsn_of(database), timeout=5, command_timeout=15)
                    self._connections[database] = connection
                return await connection.fetch(query, *values)
            except BaseException:
                if connection is not None:
                    connection.terminate()
                self._connections.pop(database, None)
                raise

    async def value(self, database: str, query: str, *values: object) -> Any:
        """The first value of the first row."""
        rows = await self.fetch(database, query, *values)
        return rows[0][0] if rows else None

    async def close(self) -> None:
        """Ends the connections."""
        for connection in self._connections.values():
            connection.terminate()
        self._connections.clear()
