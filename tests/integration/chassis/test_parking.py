"""The tables of consumption under hard use: who is looked at next, who came first, and what may not grow."""

import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import asyncpg
import pytest
from msgspec.structs import replace
from pydantic import SecretStr

from infra.local.stack import Stack
from services.chassis import cloudevents, migrate, parking, rejected_messages
from services.chassis.cloudevents import Arrival, Unreadable
from services.chassis.database import open_pool
from services.chassis.ids import uuid7
from services.chassis.inbox import MOST_AT_ONCE, Handler, Inbox, Patience, Received
from services.chassis.lanes import Served
from services.chassis.ledger import Connection, Ledger, Transaction
from services.chassis.metrics import Metrics
from services.contracts.catalog import OfferWithdrawn
from tests.support.node import RECORD, Node, node, record, until
from tests.support.servers import fresh_database

T = TypeVar("T")
ALL = Served(range(8), 8)


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
        assert await parking.list_due(conn, ALL, 100) == []
        looked_at = {place for _ in range(60) for place in await parking.list_held(conn, ALL, 20)}
    assert len(looked_at) == 60


async def test_what_waits_on_other_lanes_keeps_nobody_from_what_is_due_on_its_own(
    pool: "asyncpg.Pool[asyncpg.Record]",
) -> None:
    await pool.execute(
        "insert into parked_event (producer, stream, sequence, status, next_at, event) "
        "select 'catalog', gen_random_uuid(), 1, 'retry', now() - interval '1 hour', '{}' from generate_series(1, 300)"
    )
    pinned = await pool.fetchval("select stream from parked_event limit 1")
    await pool.execute("insert into stream_head (stream, lane) values ($1, 9)", pinned)
    await pool.execute("update parked_event set next_at = now() where stream = $1", pinned)
    async with pool.acquire() as conn:
        assert await parking.list_due(conn, Served((9,), 8), 100) == [(pinned, "catalog")]
        due = [await parking.list_due(conn, Served((lane,), 8), 300) for lane in range(8)]
    assert sum(map(len, due)) == 299, "each is on one lane"
    assert all(due)


async def test_only_the_last_rejected_messages_are_kept(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    async with pool.acquire() as conn:
        for n in range(rejected_messages.MOST_KEPT + 5):
            await rejected_messages.save(conn, "orders.0", str(n), b"rubbish")
    assert await pool.fetchval("select count(*) from rejected_message") == rejected_messages.MOST_KEPT
    assert await pool.fetchval("select max(reason::int) from rejected_message") == rejected_messages.MOST_KEPT + 4


def withdrawals(stream: UUID, first: int, last: int) -> list[Arrival]:
    body, now = OfferWithdrawn(offer_id=uuid7()).encode(), datetime.now(UTC)
    return [
        Arrival("catalog", stream, n, uuid7(), OfferWithdrawn.type, now, {}, None, body) for n in range(first, last + 1)
    ]


async def test_however_much_waits_behind_a_gap_it_is_applied_when_the_gap_closes(
    pool: "asyncpg.Pool[asyncpg.Record]",
) -> None:
    stream, last = uuid7(), 2 * MOST_AT_ONCE + 50
    reader = inbox(Ledger(pool, lambda _: 0, lambda _: None), record)
    await reader.take_in(withdrawals(stream, 2, last))
    assert await pool.fetchval("select count(*) from parked_event") == last - 1
    await reader.take_in(withdrawals(stream, 1, 1))
    assert await pool.fetchval("select count(*) from parked_event") == 0
    assert await pool.fetchval("select sequence from consumer_cursor") == last
    applied = [row["sequence"] for row in await pool.fetch("select sequence from applied order by n")]
    assert applied == list(range(1, last + 1))


async def test_what_comes_again_leaves_nothing_parked(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    stream, last = uuid7(), MOST_AT_ONCE + 50
    reader = inbox(Ledger(pool, lambda _: 0, lambda _: None), record)
    await reader.take_in(withdrawals(stream, 2, last))
    await reader.take_in(withdrawals(stream, 1, last))
    assert await pool.fetchval("select count(*) from parked_event") == 0
    assert await pool.fetchval("select count(*) from applied") == last


async def test_only_the_next_events_are_read_of_what_is_parked(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    stream = uuid7()
    await inbox(Ledger(pool, lambda _: 0, lambda _: None), record).take_in(withdrawals(stream, 3, 9))
    async with pool.acquire() as conn:
        assert await parking.list_parked(conn, [stream], (), 1) == []
        near = await parking.list_parked(conn, [stream], (), 4)
    assert [item.arrival.sequence for item in near] == [3, 4]


async def test_beyond_its_limit_nothing_more_of_a_stream_is_parked_and_it_is_known_to_be_missing(
    pool: "asyncpg.Pool[asyncpg.Record]", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parking, "MOST_PARKED", 5)
    stream, other = uuid7(), uuid7()
    reader = inbox(Ledger(pool, lambda _: 0, lambda _: None), record)
    await reader.take_in([*withdrawals(stream, 2, 20), *withdrawals(other, 2, 4)])
    await reader.take_in(withdrawals(stream, 21, 22))
    query = "select sequence from parked_event where stream = $1 order by sequence"
    assert [row["sequence"] for row in await pool.fetch(query, stream)] == [2, 3, 4, 5, 6], "the nearest are kept"
    assert len(await pool.fetch(query, other)) == 3, "each stream has its own limit"
    await reader.take_in(withdrawals(stream, 1, 1))
    (cursor,) = await pool.fetch("select sequence, head, behind_since from consumer_cursor where stream = $1", stream)
    assert (cursor["sequence"], cursor["head"]) == (6, 22)
    assert cursor["behind_since"] is not None, "what was let go is asked for"
    await reader.take_in(withdrawals(stream, 7, 22))
    applied = await pool.fetch("select sequence from applied where stream = $1 order by n", stream)
    assert [row["sequence"] for row in applied] == list(range(1, 23))


async def test_what_was_not_parked_comes_by_a_resend(
    stack: Stack, vhost: str, producer: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parking, "MOST_PARKED", 3)
    came, kept = list[int](), list[int]()
    really_park = parking.park

    async def park(conn: Connection, early: Sequence[Arrival]) -> int:
        came.append(len(early))
        kept.append(await really_park(conn, early))
        return kept[-1]

    monkeypatch.setattr(parking, "park", park)
    async with node(stack, "orders", vhost, {OfferWithdrawn: record}) as reader:
        stream = uuid7()
        await producer.append(*[(stream, OfferWithdrawn(offer_id=uuid7()))] * 2)
        await until(partial(_has_applied, reader, 2))
        await reader.fetch("truncate applied, applied_turn, consumer_cursor")  # as if nothing had come yet
        await producer.append(*[(stream, OfferWithdrawn(offer_id=uuid7()))] * 10)
        await until(partial(_has_applied, reader, 12))
        assert await reader.applied() == [(stream, number) for number in range(1, 13)]
        assert (came[0], kept[0]) == (10, 3)
        assert await reader.fetch("select from parked_event") == []
        assert "consumer_resends_requested_total{" in (await reader.get("/metrics")).text


def readable(body: bytes) -> list[Arrival]:
    try:
        return list(cloudevents.read_from("catalog", ["catalog"], body).arrivals)
    except Unreadable:
        return []


def distorted(count: int) -> list[bytes]:
    """A batch of one event in which bytes are changed, taken away, or replaced by awkward JSON."""
    rng = random.Random(20261127)
    row = {
        "stream": uuid7(), "sequence": 3, "id": uuid7(), "type": OfferWithdrawn.type, "occurred_at": datetime.now(UTC),
        "after": "orders=5", "traceparent": None, "data": '{"offer_id":"x","note":"Cải mèo \\\\ ","n":[1,-2.5e3,null]}',
    }  # fmt: skip
    whole = f"[{cloudevents.envelope('catalog', row)}]".encode()
    awkward = [
        b'"\\u0000"',
        b'"\\ud83d\\ude00"',
        b"[" * 400 + b"]" * 400,
        b"1e999999",
        b"-0",
        b"01",
        b'"\\x"',
        b"\x00",
        b"\xff",
    ]
    found = []
    for _ in range(count):
        body = bytearray(whole)
        for _ in range(rng.randint(1, 3)):
            at = rng.randrange(len(body))
            body[at : at + rng.randint(0, 3)] = rng.choice([*awkward, bytes([rng.randrange(256)]), b""])
        found.append(bytes(body))
    return found


async def test_whatever_can_be_read_can_be_parked_and_is_read_back_the_same(
    pool: "asyncpg.Pool[asyncpg.Record]",
) -> None:
    stream = uuid7()
    events = [
        replace(event, stream=stream, sequence=number)
        for number, event in enumerate((one for body in distorted(20_000) for one in readable(body)), 1)
    ]
    events = events[: parking.MOST_PARKED]
    assert len(events) > 500
    async with pool.acquire() as conn, conn.transaction():
        await conn.execute("insert into consumer_cursor (stream, producer) values ($1, 'catalog')", stream)
        assert await parking.park(conn, events) == len(events)
        kept = await parking.list_parked(conn, [stream], (), parking.MOST_PARKED)
    assert [item.arrival for item in kept] == events


async def _has_applied(reader: Node, count: int) -> bool:
    return len(await reader.applied()) == count
