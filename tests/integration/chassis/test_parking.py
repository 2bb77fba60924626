"""The tables of consumption under hard use: who is looked at next, who came first, and what may not grow."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import pytest
from pydantic import SecretStr

from infra.local.stack import Stack
from services.chassis import migrate, parking
from services.chassis.cloudevents import Arrival
from services.chassis.database import open_pool
from services.chassis.ids import uuid7
from services.chassis.inbox import Handler, Inbox, Patience, Received
from services.chassis.ledger import Ledger, Transaction
from services.chassis.metrics import Metrics
from services.contracts.catalog import OfferWithdrawn
from tests.support.node import RECORD, record
from tests.support.servers import fresh_database

T = TypeVar("T")


@pytest.fixture
async def pool(stack: Stack) -> "AsyncIterator[asyncpg.Pool[asyncpg.Record]]":
    async with fresh_database(stack, "orders") as dsn:
        await migrate.migrate(dsn, migrate.find("chassis", Path(migrate.__file__).parent / "migrations"))
        async with await open_pool(SecretStr(dsn), 5, "test") as made:
            await made.execute(RECORD)
            yield made


def inbox(ledger: Ledger, handler: Handler) -> Inbox:
    return Inbox(ledger, ("catalog",), {OfferWithdrawn: handler}, Patience(8, 1, 1), Metrics())


class Overtaken(Ledger):
    """Another process is faster, once the failure is narrowed down: tried as a message, as a stream, as one event."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", faster: Callable[[], Awaitable[None]]) -> None:
        super().__init__(pool, lambda _: 0, lambda _: None)
        self._faster, self._failures = faster, 0

    async def transact(self, decide: Callable[[Transaction], Awaitable[T]]) -> T:
        try:
            return await super().transact(decide)
        except Exception:
            self._failures += 1
            if self._failures == 3:
                await self._faster()
            raise


async def test_an_event_that_another_process_applied_meanwhile_is_not_kept_as_failed(
    pool: "asyncpg.Pool[asyncpg.Record]",
) -> None:
    body = OfferWithdrawn(offer_id=uuid7()).encode()
    event = Arrival("catalog", uuid7(), 1, uuid7(), OfferWithdrawn.type, datetime.now(UTC), {}, None, body)
    other = inbox(Ledger(pool, lambda _: 0, lambda _: None), record)

    async def fails(_: Transaction, __: Sequence[Received[Any]]) -> None:
        raise RuntimeError("only here")

    await inbox(Overtaken(pool, lambda: other.take_in([event])), fails).take_in([event])
    assert await pool.fetchval("select count(*) from applied") == 1
    assert await pool.fetchval("select count(*) from parked_event") == 0


async def test_streams_that_wait_for_long_all_have_their_turn_and_keep_nobody_busy(
    pool: "asyncpg.Pool[asyncpg.Record]",
) -> None:
    await pool.execute(
        "with made as (insert into consumer_cursor (producer, stream, head, behind_since) "
        "  select 'catalog', gen_random_uuid(), 1, now() - interval '1 hour' from generate_series(1, 60) returning *) "
        "insert into parked_event (producer, stream, sequence, status, event) "
        "select producer, stream, 1, 'waiting', '{}' from made"
    )
    async with pool.acquire() as conn:
        assert await parking.list_due(conn, 100) == []
        looked_at = {place for _ in range(60) for place in await parking.list_held(conn, 20)}
    assert len(looked_at) == 60


async def test_only_the_last_rejected_messages_are_kept(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    async with pool.acquire() as conn:
        for n in range(parking.MOST_REJECTED + 5):
            await parking.save_rejected(conn, "orders.0", str(n), b"rubbish")
    assert await pool.fetchval("select count(*) from rejected_message") == parking.MOST_REJECTED
    assert await pool.fetchval("select max(reason::int) from rejected_message") == parking.MOST_REJECTED + 4
