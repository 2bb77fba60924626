"""A service of the tests: the real process of the chassis with handlers of the test's own, in this event loop.

It takes the name of a real service, since queues, permissions and readers follow from names; its only state is
a table of what was applied, in order.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import httpx
from pydantic import SecretStr

from infra.local.ports import choose_ports
from infra.local.stack import Stack
from services.chassis import migrate
from services.chassis.inbox import Handler, Received
from services.chassis.ledger import Ledger, Transaction
from services.chassis.runtime import Parts, Runtime, Service
from services.chassis.serve import Process
from services.chassis.settings import ServiceSettings
from services.contracts.base import Event
from tests.support.servers import fresh_database

RECORD = (
    "create table applied (n bigint generated always as identity, stream uuid, sequence bigint, type text, id uuid)"
)


async def record(tx: Transaction, events: Sequence[Received[Any]]) -> None:
    """Writes down what was applied; a second application of the same event would be seen."""
    await tx.conn.execute(
        "insert into applied (stream, sequence, type, id) "
        "select * from unnest($1::uuid[], $2::bigint[], $3::text[], $4::uuid[])",
        [e.stream for e in events],
        [e.sequence for e in events],
        [e.event.type for e in events],
        [e.id for e in events],
    )


class Node:
    """A running process, its database and its ways to be stopped."""

    def __init__(
        self, name: str, dsn: str, amqp_url: str, handlers: Mapping[type[Event], Handler], **settings: Any
    ) -> None:
        self.name, self.dsn, self.handlers = name, dsn, handlers
        self._port = choose_ports([None])[0]
        self.settings = ServiceSettings(
            database_url=SecretStr(dsn),
            amqp_url=SecretStr(amqp_url),
            http_port=self._port,
            **{"heads_every_s": 1, "gap_patience_s": 1, "retry_most_s": 1, "lease_s": 2, "shared_lanes": 2} | settings,
        )
        self.runtime: Runtime[ServiceSettings]
        self.service = Service(
            name=name, title=name, folder=Path(__file__).parent, settings=ServiceSettings, publishes=(),
            wire=self._wire(handlers),
        )  # fmt: skip
        self._stopped = asyncio.Event()
        self._running: asyncio.Task[None] | None = None
        self._wired = asyncio.Event()

    def _wire(self, handlers: Mapping[type[Event], Handler]) -> Callable[[Runtime[ServiceSettings]], Parts]:
        def wire(runtime: Runtime[ServiceSettings]) -> Parts:
            self.runtime = runtime
            self._wired.set()
            return Parts(handlers=handlers)

        return wire

    @property
    def ledger(self) -> Ledger:
        """The ledger of the running process."""
        return self.runtime.ledger

    async def start(self, role: str = "all", lanes: Sequence[int] = (0, 1)) -> None:
        """Runs a process; returns once it is wired (readiness is asked for with `until_ready`)."""
        self._stopped, self._wired = asyncio.Event(), asyncio.Event()
        process = Process(self.service, self.settings, role, lanes)
        self._running = asyncio.create_task(process.run(self._stopped))
        await self._wired.wait()

    async def stop(self) -> None:
        """Stops the process as SIGTERM does."""
        if self._running is not None:
            self._stopped.set()
            await self._running
            self._running = None

    async def get(self, path: str) -> httpx.Response:
        """One request to the process."""
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{self._port}", trust_env=False) as client:
            return await client.get(path)

    async def until_ready(self) -> None:
        """Returns once /readyz says so."""

        async def ready() -> bool:
            try:
                return (await self.get("/readyz")).status_code == 200
            except httpx.TransportError:
                return False

        await until(ready)

    async def append(self, *events: tuple[UUID, Event]) -> None:
        """Appends events in one transaction."""

        async def work(tx: Transaction) -> None:
            for stream, event in events:
                tx.append(stream, event)

        await self.ledger.transact(work)

    async def fetch(self, query: str, *values: object) -> list[asyncpg.Record]:
        """Rows from the node's database, running or not."""
        conn = await asyncpg.connect(self.dsn)
        try:
            return await conn.fetch(query, *values)
        finally:
            await conn.close()

    async def applied(self) -> list[tuple[UUID, int]]:
        """(stream, sequence) in the order of application."""
        return [(row["stream"], row["sequence"]) for row in await self.fetch("select * from applied order by n")]


@asynccontextmanager
async def node(
    stack: Stack, name: str, vhost: str, handlers: Mapping[type[Event], Handler], **settings: Any
) -> AsyncIterator[Node]:
    """A started node on a database of its own; stopped and dropped at the end."""
    async with fresh_database(stack, name) as dsn:
        chassis = Path(migrate.__file__).parent / "migrations"
        await migrate.migrate(dsn, migrate.find("chassis", chassis))
        made = Node(name, dsn, stack.rabbit.amqp_url(name, vhost), handlers, **settings)
        await made.fetch(RECORD)
        await made.start()
        await made.until_ready()
        try:
            yield made
        finally:
            await made.stop()


async def until(holds: Callable[[], Awaitable[bool]], timeout_s: float = 30) -> None:
    """Waits for a condition by asking for it; raises TimeoutError where it does not come to hold."""
    async with asyncio.timeout(timeout_s):
        while not await holds():  # noqa: ASYNC110 - conditions of other processes set no event here
            await asyncio.sleep(0.02)
