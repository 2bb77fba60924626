"""Looks at how far a subject is, over one connection to each of its databases whose work is charged to nobody."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

import asyncpg

from tests.perf.cpu import cpu_us


class Looks:
    """Open while the subject runs, so that no look starts a process of PostgreSQL."""

    def __init__(self, connections: Mapping[str, "asyncpg.Connection[asyncpg.Record]"]) -> None:
        self._connections = connections
        self._pids = [connection.get_server_pid() for connection in connections.values()]

    async def row(self, service: str, query: str) -> tuple[int, ...]:
        """The one row of a query about the database of a service."""
        row = await self._connections[service].fetchrow(query)
        assert row is not None
        return tuple(row)

    def cpu_us(self) -> int:
        """CPU time in µs that PostgreSQL has spent on looks so far."""
        return sum(map(cpu_us, self._pids))


@asynccontextmanager
async def looking(dsns: Mapping[str, str]) -> AsyncIterator[Looks]:
    """Opens the connections, by service."""
    async with AsyncExitStack() as stack:
        connections = {}
        for service, dsn in dsns.items():
            connections[service] = await asyncpg.connect(dsn, server_settings={"jit": "off"})
            stack.push_async_callback(connections[service].close)
        yield Looks(connections)
