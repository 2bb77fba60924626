"""Events that kill the process: found among their neighbours, set aside after three deaths, and nobody else waits.

A death is played by an exception that nothing below catches: as with a kill, the transaction is gone and nothing
could be noted afterwards. The processes themselves are killed in tests/chaos.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from infra.local.stack import Stack
from services.chassis import cursors, migrate, parking
from services.chassis.cloudevents import Arrival
from services.chassis.ids import uuid7
from services.chassis.inbox import Inbox, Patience, Received
from services.chassis.ledger import Ledger, Transaction
from services.chassis.metrics import Metrics
from services.contracts.catalog import OfferWithdrawn
from tests.support.node import RECORD, record
from tests.support.servers import fresh_database


class Died(BaseException):
    """The process is gone."""


class Killer:
    """A handler that takes the process with it when it meets one event."""

    def __init__(self) -> None:
        self.victim: UUID | None = None
        self.deaths = 0

    async def handle(self, tx: Transaction, events: Sequence[Received[Any]]) -> None:
        if self.victim in {received.id for received in events}:
            self.deaths += 1
            raise Died
        await record(tx, events)


@pytest.fixture
async def pool(stack: Stack) -> "AsyncIterator[asyncpg.Pool[asyncpg.Record]]":
    async with fresh_database(stack, "orders") as dsn:
        await migrate.migrate(dsn, migrate.find("chassis", Path(migrate.__file__).parent / "migrations"))
        async with asyncpg.create_pool(dsn, min_size=1, max_size=2) as made:
            await made.execute(RECORD)
            yield made


def process(pool: "asyncpg.Pool[asyncpg.Record]", killer: Killer) -> Inbox:
    """A new process of the service."""
    ledger = Ledger(pool, lambda stream: 0, lambda touched: None)
    return Inbox(ledger, ("catalog",), {OfferWithdrawn: killer.handle}, Patience(8, 1, 1), Metrics())


def arrivals(stream: UUID, count: int) -> list[Arrival]:
    body = OfferWithdrawn(offer_id=uuid7()).encode()
    now = datetime.now(UTC)
    return [
        Arrival("catalog", stream, n, uuid7(), OfferWithdrawn.type, now, {}, None, body) for n in range(1, count + 1)
    ]


async def applied(pool: "asyncpg.Pool[asyncpg.Record]") -> list[tuple[UUID, int]]:
    return [
        (row["stream"], row["sequence"]) for row in await pool.fetch("select stream, sequence from applied order by n")
    ]


async def quarantined(pool: "asyncpg.Pool[asyncpg.Record]") -> list[int]:
    rows = await pool.fetch("select sequence from parked_event where status = 'quarantined'")
    return [row["sequence"] for row in rows]


@pytest.mark.parametrize("place", [1, 3, 5])
async def test_an_event_that_kills_the_process_is_set_aside_after_three_deaths(
    pool: "asyncpg.Pool[asyncpg.Record]", place: int
) -> None:
    killer, sick, healthy = Killer(), uuid7(), uuid7()
    message = [*arrivals(sick, 5), *arrivals(healthy, 2)]
    killer.victim = message[place - 1].id
    for deliveries in range(3):
        with pytest.raises(Died):
            await process(pool, killer).take_in(message, again=deliveries > 0)
    await process(pool, killer).take_in(message, again=True)
    assert killer.deaths == 3, "one before there was a mark, two over marks"
    assert await quarantined(pool) == [place]
    done = await applied(pool)
    assert sorted(n for stream, n in done if stream == sick) == list(range(1, place))
    assert [n for stream, n in done if stream == healthy] == [1, 2]


async def test_neighbours_of_a_killing_event_are_applied_once_and_in_order(
    pool: "asyncpg.Pool[asyncpg.Record]",
) -> None:
    killer, stream = Killer(), uuid7()
    message = arrivals(stream, 4)
    killer.victim = message[1].id
    for deliveries in range(3):
        with pytest.raises(Died):
            await process(pool, killer).take_in(message, again=deliveries > 0)
    last = process(pool, killer)
    await last.take_in(message, again=True)
    killer.victim = None
    async with pool.acquire() as conn, conn.transaction():
        assert await parking.resolve(conn, "catalog", stream, 2, "retry", "mended", "a test")
    await last.take_up(stream)
    assert await applied(pool) == [(stream, n) for n in (1, 2, 3, 4)]
    assert await pool.fetchval("select count(*) from parked_event") == 0


async def test_a_parked_event_that_kills_the_process_is_set_aside_too(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    killer, stream = Killer(), uuid7()
    message = arrivals(stream, 3)
    await process(pool, killer).take_in(message[1:])
    async with pool.acquire() as conn, conn.transaction():
        before = await cursors.lock_cursors(conn, ("catalog",), [stream])
        await cursors.advance(conn, before, {(stream, "catalog"): 1}, {})
    killer.victim = message[2].id
    for _ in range(2):
        with pytest.raises(Died):
            await process(pool, killer).take_up(stream)
    await process(pool, killer).take_up(stream)
    assert killer.deaths == 2
    assert await quarantined(pool) == [3]
    assert await applied(pool) == [(stream, 2)]


async def test_a_message_that_only_comes_again_is_applied_as_usual(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    killer, stream = Killer(), uuid7()
    message = arrivals(stream, 4)
    once = process(pool, killer)
    for deliveries in (0, 1, 2, 7):
        await once.take_in(message, again=deliveries > 0)
    assert await applied(pool) == [(stream, n) for n in (1, 2, 3, 4)]
    assert await pool.fetchval("select count(*) from parked_event") == 0


async def test_weather_in_the_middle_is_no_death(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    stream, weather = uuid7(), True

    async def handle(tx: Transaction, events: Sequence[Received[Any]]) -> None:
        if weather:
            raise ConnectionError("the database is away")
        await record(tx, events)

    ledger = Ledger(pool, lambda stream: 0, lambda touched: None)
    inbox = Inbox(ledger, ("catalog",), {OfferWithdrawn: handle}, Patience(8, 1, 1), Metrics())
    message = arrivals(stream, 2)
    for _ in range(5):
        with pytest.raises(ConnectionError):
            await inbox.take_in(message, again=True)
    weather = False
    await inbox.take_in(message, again=True)
    assert await applied(pool) == [(stream, 1), (stream, 2)]


async def test_a_mark_of_a_process_that_lives_is_no_death(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    stream, alive = uuid7(), uuid7()
    event = arrivals(stream, 1)[0]
    async with pool.acquire() as conn:
        await parking.hold_mark(conn, alive)
        async with pool.acquire() as other, other.transaction():
            await parking.begin(other, event, alive, deaths=0)
            begun = await parking.begin(other, event, uuid7(), deaths=0)
            assert (begun.again, begun.deaths) == (False, 0)
        await conn.execute("select pg_advisory_unlock_all()")


async def test_an_attempt_that_ends_with_an_error_is_proof_of_life(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    event = arrivals(uuid7(), 1)[0]
    async with pool.acquire() as conn, conn.transaction():
        await parking.begin(conn, event, uuid7(), deaths=1)
        await parking.park_failed(conn, event, "it failed", 8, 1, 1)
        begun = await parking.begin(conn, event, uuid7(), deaths=0)
        assert (begun.again, begun.deaths, begun.quarantined) == (False, 0, False)
