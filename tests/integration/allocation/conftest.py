"""allocation on a database of the test's own; its handlers are called as the inbox calls them."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from asyncpg.connection import LoggedQuery

from infra.local.stack import Stack
from services.allocation.app import service
from services.allocation.settings import AllocationSettings
from services.chassis import migrate
from services.chassis.inbox import Received
from services.chassis.ledger import Transaction
from tests.support.servers import fresh_database
from tests.support.service import Running, running

STATE = {
    "offer": "offer_id",
    "pledge": "offer_id, household_id",
    "offer_book": "offer_id",
    "order_line": "offer_id, position",
    "basket_version": "cooperative_id, delivery_day, household_id, version",
    "basket_item": "offer_id, household_id",
    "market_day": "cooperative_id, delivery_day",
    "basket": "cooperative_id, delivery_day, household_id",
    "fairness_entry": "cooperative_id, delivery_day, household_id",
}
"""Every table that events of the market change, with its key."""

DRIVER = ("pg_catalog.pg_type", "current_setting('jit')")
"""In statements that the driver makes once per connection, to learn about types."""


@dataclass(frozen=True, slots=True)
class Allocation:
    """The running service and what tests ask of it."""

    running: Running[AllocationSettings]

    async def take_in(self, *events: Received[Any]) -> int:
        """Applies events in one transaction; returns how many statements the handlers made."""
        statements: list[str] = []

        async def work(tx: Transaction) -> None:
            statements.clear()

            def note(query: LoggedQuery) -> None:
                if not any(sign in query.query for sign in DRIVER):
                    statements.append(query.query)

            with tx.conn.query_logger(note):
                handlers = self.running.parts.handlers
                for handler, run in groupby(events, key=lambda received: handlers[type(received.event)]):
                    await handler(tx, list(run))

        await self.running.runtime.ledger.transact(work)
        return len(statements)

    async def take_in_cut(self, events: Sequence[Received[Any]], sizes: Sequence[int]) -> None:
        """Applies events in transactions of these sizes, and the rest in one more."""
        start = 0
        for size in (*sizes, len(events)):
            if events[start : start + size]:
                await self.take_in(*events[start : start + size])
            start += size

    async def fetch(self, query: str, *values: object) -> list[asyncpg.Record]:
        """Rows of the service's database."""
        return await self.running.runtime.pool.fetch(query, *values)

    async def state(self) -> dict[str, list[dict[str, Any]]]:
        """All rows that the market has made."""
        return {
            table: [dict(row) for row in await self.fetch(f"select * from {table} order by {key}")]  # noqa: S608 - constants
            for table, key in STATE.items()
        }

    async def events(self, stream: UUID) -> list[tuple[str, Any, str | None]]:
        """(name, data, traceparent) of what was appended, in order."""
        rows = await self.fetch(
            "select type, data, traceparent from event_log where stream = $1 order by sequence", stream
        )
        return [
            (row["type"].removeprefix("allocation.").removesuffix(".v1"), json.loads(row["data"]), row["traceparent"])
            for row in rows
        ]

    async def forget(self) -> None:
        """Empties every table, so that another day can be played."""
        tables = [row["name"] for row in await self.fetch(
            "select format('%I', tablename) as name from pg_tables "
            "where schemaname = 'public' and tablename <> 'schema_migration'"
        )]  # fmt: skip
        await self.running.runtime.pool.execute(f"truncate {', '.join(tables)}")


@pytest.fixture(scope="session")
def migrated(stack: Stack) -> Iterator[str]:
    """The name of an empty database that tests copy."""
    database = f"allocation_seed_{secrets.token_hex(6)}"
    stack.postgres.create_database(database, "allocation")
    asyncio.run(migrate.migrate(stack.postgres.dsn("allocation", database), service.migrations()))
    yield database
    stack.postgres.drop_database(database)


@pytest.fixture
async def allocation(stack: Stack, migrated: str) -> AsyncIterator[Allocation]:
    """The service on an empty database."""
    async with fresh_database(stack, "allocation", migrated) as dsn, running(service, dsn) as it:
        yield Allocation(it)
