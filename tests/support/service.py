"""One service of a test on a real database, without broker and network port: its runtime and a client of its HTTP."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Generic
from uuid import UUID

import httpx
from pydantic import SecretStr

from services.chassis import http, migrate
from services.chassis.access import new_key, save_key
from services.chassis.database import open_pool
from services.chassis.lanes import shared_lane
from services.chassis.ledger import Ledger
from services.chassis.metrics import Metrics
from services.chassis.runtime import Parts, Runtime, S, Service


@dataclass(frozen=True, slots=True)
class Running(Generic[S]):
    """What a test works with. Handlers and jobs are in `parts`; run them inside `runtime.ledger.transact`."""

    runtime: Runtime[S]
    parts: Parts
    client: httpx.AsyncClient

    async def key(self, role: str, scope: UUID | None = None) -> dict[str, str]:
        """The headers of a new access key, stored without an event."""
        key = new_key()
        async with self.runtime.pool.acquire() as conn:
            await save_key(conn, key.key_id, key.secret_sha256, role, scope, "a test")
        return {"Authorization": f"Bearer {key.token}"}


@asynccontextmanager
async def running(service: Service[S], dsn: str, **settings: Any) -> AsyncIterator[Running[S]]:
    """The service on the database at `dsn`, migrated and wired; nothing is consumed or relayed."""
    await migrate.migrate(dsn, service.migrations())
    chosen = service.settings(database_url=SecretStr(dsn), amqp_url=SecretStr("amqp://unused"), **settings)
    pool = await open_pool(chosen.database_url, chosen.database_connections, f"{service.name} test")
    async with pool:
        ledger = Ledger(pool, lambda stream: shared_lane(stream, chosen.shared_lanes), lambda touched: None)
        runtime = Runtime(chosen, pool, ledger, Metrics())
        parts = service.wire(runtime)

        async def ready() -> list[str]:
            return []

        app = http.build(runtime, service, parts, ready, with_routes=True)
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url=f"http://{service.name}") as client:
            yield Running(runtime, parts, client)
        for close in parts.close:
            await close()
