"""A service's own commands: events of its stream, in turn with what comes from others, repeated by a rebuild."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import pytest
from pydantic import SecretStr

from infra.local.stack import Stack
from services.chassis import migrate
from services.chassis.cloudevents import Arrival
from services.chassis.commands import Commands
from services.chassis.database import open_pool
from services.chassis.ids import uuid7
from services.chassis.inbox import Inbox, Patience, Received
from services.chassis.ledger import Ledger, Transaction
from services.chassis.metrics import Metrics
from services.chassis.rebuild import runs
from services.chassis.turns import list_turns
from services.contracts.base import Event
from services.contracts.catalog import OfferWithdrawn
from services.contracts.orders import IntakeClosed, OrderCancelled
from tests.support.servers import fresh_database

OWN, STREAM = "orders", uuid7()
DAY = datetime(2026, 11, 26, tzinfo=UTC).date()
DONE = "create table done (place bigserial, what text, sequence bigint)"


@pytest.fixture
async def pool(stack: Stack) -> "AsyncIterator[asyncpg.Pool[asyncpg.Record]]":
    async with fresh_database(stack, OWN) as dsn:
        await migrate.migrate(dsn, migrate.find("chassis", Path(migrate.__file__).parent / "migrations"))
        async with await open_pool(SecretStr(dsn), 5, "test") as made:
            await made.execute(DONE)
            yield made


async def note(tx: Transaction, events: Sequence[Received[Any]]) -> None:
    """Notes what was applied, and says something that follows from it."""
    for received in events:
        await tx.conn.execute(
            "insert into done (what, sequence) values ($1, $2)", received.event.type, received.sequence
        )
        if isinstance(received.event, OrderCancelled):
            closed = IntakeClosed(offer_id=received.event.order_id, delivery_day=DAY, closes_day=False)
            tx.append(received.stream, closed, received.traceparent)


def ledger(pool: "asyncpg.Pool[asyncpg.Record]") -> Ledger:
    return Ledger(pool, lambda _: 0, lambda _: None)


def commands(pool: "asyncpg.Pool[asyncpg.Record]") -> Commands:
    return Commands(OWN, ("catalog",), ledger(pool), {OrderCancelled: note})


async def cancel(own: Commands, count: int = 1) -> list[Received[Any]]:
    async def decide(tx: Transaction) -> Sequence[tuple[UUID, Event]]:
        return [(STREAM, OrderCancelled(order_id=uuid7())) for _ in range(count)]

    return await own.execute([STREAM], decide)


def withdrawn(sequence: int) -> Arrival:
    event, now = OfferWithdrawn(offer_id=uuid7()), datetime.now(UTC)
    return Arrival("catalog", STREAM, sequence, uuid7(), event.type, now, {}, None, event.encode())


async def test_a_command_stands_in_the_log_before_what_follows_from_it(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    first, second = await cancel(commands(pool), count=2)
    rows = await pool.fetch("select sequence, id, type, occurred_at from event_log order by sequence")
    kinds = [OrderCancelled.type, OrderCancelled.type, IntakeClosed.type, IntakeClosed.type]
    assert [row["type"] for row in rows] == kinds
    assert [row["sequence"] for row in rows] == [1, 2, 3, 4]
    assert [(r.sequence, r.id, r.time) for r in (first, second)] == [
        (row["sequence"], row["id"], row["occurred_at"]) for row in rows[:2]
    ]


async def test_a_command_that_is_refused_changes_nothing(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    async def refuse(tx: Transaction) -> Sequence[tuple[UUID, Event]]:
        await tx.conn.execute("insert into done (what) values ('begun')")
        raise LookupError("no such thing")

    with pytest.raises(LookupError):
        await commands(pool).execute([STREAM], refuse)
    assert await pool.fetchval("select count(*) from done") == 0
    assert await pool.fetchval("select count(*) from event_log") == 0


async def test_turns_tell_in_which_order_commands_and_events_were_applied(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    own = commands(pool)
    inbox = Inbox(ledger(pool), ("catalog",), {OfferWithdrawn: note}, Patience(8, 1, 1), Metrics(), own=OWN)

    async def events() -> None:
        for number in range(1, 41):
            await inbox.take_in([withdrawn(number)])

    async def acts() -> None:
        for _ in range(20):
            await cancel(own)

    await asyncio.gather(events(), acts(), acts())
    rows = await pool.fetch("select what, sequence from done order by place")
    reached = {r["producer"]: r["sequence"] for r in await pool.fetch("select producer, sequence from consumer_cursor")}
    async with pool.acquire() as conn:
        turns = await list_turns(conn, STREAM)
    order = [(run.producer, n) for run in runs(turns, reached, OWN) for n in range(run.first, run.last + 1)]
    assert order == [(row["what"].split(".")[0], row["sequence"]) for row in rows]
    assert len(order) == 80


async def test_what_comes_after_the_services_own_events_does_not_wait_for_them(
    pool: "asyncpg.Pool[asyncpg.Record]",
) -> None:
    await cancel(commands(pool))
    inbox = Inbox(ledger(pool), ("catalog",), {OfferWithdrawn: note}, Patience(8, 1, 1), Metrics(), own=OWN)
    await inbox.take_in([msgspec.structs.replace(withdrawn(1), after={OWN: 40})])
    assert await pool.fetchval("select count(*) from done where what = $1", OfferWithdrawn.type) == 1
    assert await pool.fetchval("select count(*) from parked_event") == 0


async def test_a_command_is_repeated_once_and_says_nothing_a_second_time(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    own = commands(pool)
    (given,) = await cancel(own)
    kept = await own.get(pool, STREAM, given.sequence)
    assert kept == given
    await own.repeat(kept)
    assert await pool.fetchval("select count(*) from done") == 1
    await pool.execute("delete from consumer_cursor; delete from applied_turn; delete from done")
    await own.repeat(kept)
    await own.repeat(kept)
    assert await pool.fetchval("select count(*) from done") == 1


async def test_a_command_counts_as_no_event_of_a_producer_in_the_metrics(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    await cancel(commands(pool))
    metrics = Metrics(("catalog",), OWN)
    await metrics.refresh(pool)
    producers = {
        sample.labels["producer"]
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name.startswith("consumer_cursor")
    }
    assert producers == {"catalog"}
