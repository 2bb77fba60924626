"""What /metrics says, against a real database: the identity of conservation, ages, leases, and what is gone."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from infra.local.stack import Stack
from services.chassis import incarnation, migrate
from services.chassis.database import open_pool
from services.chassis.faults import Unsettled
from services.chassis.ids import uuid7
from services.chassis.inbox import Received
from services.chassis.lanes import shared_lane
from services.chassis.ledger import Transaction
from services.chassis.metrics import STATUSES, TABLES, Metrics
from services.contracts.catalog import OfferWithdrawn
from tests.support.node import Node, node, record, until
from tests.support.servers import fresh_database

Labels = frozenset[tuple[str, str]]
ACCOUNTED = ("consumer_cursor_events", "parked_events")


@pytest.fixture
async def pool(stack: Stack) -> AsyncIterator["asyncpg.Pool[asyncpg.Record]"]:
    async with fresh_database(stack, "orders") as dsn:
        await migrate.migrate(dsn, migrate.find("chassis", Path(migrate.__file__).parent / "migrations"))
        async with asyncpg.create_pool(dsn, min_size=1, max_size=2) as made:
            yield made


def series(text: str, name: str) -> dict[Labels, float]:
    """The series of one metric by their labels."""
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {frozenset(it.labels.items()): it.value for it in samples if it.name == name}


def labels(**them: str) -> Labels:
    return frozenset(them.items())


async def scrape(metrics: Metrics, pool: "asyncpg.Pool[asyncpg.Record]") -> str:
    await metrics.refresh(pool)
    return generate_latest(metrics.registry).decode()


async def value(metrics: Metrics, pool: "asyncpg.Pool[asyncpg.Record]", name: str, **which: str) -> float:
    return series(await scrape(metrics, pool), name)[labels(**which)]


async def test_every_metric_of_the_tables_is_there_before_anything_has_happened(
    pool: "asyncpg.Pool[asyncpg.Record]",
) -> None:
    text = await scrape(Metrics(reads=("catalog",)), pool)
    assert {name for name in TABLES if not series(text, name)} == {"relay_lease_seconds_left"}, "nobody holds a lease"
    assert series(text, "incarnation_settled") == {labels(): 1}
    others = [name for name in TABLES if name != "incarnation_settled"]
    assert {v for name in others for v in series(text, name).values()} == {0}


async def test_a_producer_of_which_nothing_came_counts_with_zero(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    text = await scrape(Metrics(reads=("catalog", "allocation")), pool)
    assert series(text, "consumer_cursor_events") == {
        labels(producer="catalog", lane="-1"): 0,
        labels(producer="allocation", lane="-1"): 0,
    }
    assert len(series(text, "parked_events")) == 2 * len(STATUSES)


async def test_produced_and_applied_are_told_by_lane(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    here, there = uuid7(), uuid7()
    await pool.execute("insert into stream_head values ($1, 0, 7), ($2, 9, 5)", here, there)
    await pool.executemany(
        "insert into consumer_cursor (producer, stream, sequence) values ('catalog', $1, $2)",
        [(here, 3), (there, 4)],
    )
    text = await scrape(Metrics(), pool)
    assert series(text, "event_log_produced_events") == {labels(lane="0"): 7, labels(lane="9"): 5}
    assert series(text, "consumer_cursor_events") == {
        labels(producer="catalog", lane="0"): 3,
        labels(producer="catalog", lane="9"): 4,
    }


async def test_a_stream_whose_lane_is_not_known_here_is_where_its_hash_puts_it(
    pool: "asyncpg.Pool[asyncpg.Record]",
) -> None:
    lanes = 3
    known, first, second = (next(it for it in iter(uuid7, None) if shared_lane(it, lanes) == n) for n in (1, 1, 2))
    await pool.execute("insert into stream_head values ($1, 1, 7)", known)
    await pool.executemany(
        "insert into consumer_cursor (producer, stream, sequence) values ('catalog', $1, $2)",
        [(known, 3), (first, 4), (second, 5)],
    )
    await pool.executemany(
        "insert into parked_event (producer, stream, sequence, status, event) "
        "values ('catalog', $1, 9, 'waiting', '{}')",
        [(known,), (first,), (second,)],
    )
    text = await scrape(Metrics(shared_lanes=lanes), pool)
    assert series(text, "consumer_cursor_events") == {
        labels(producer="catalog", lane="1"): 7,
        labels(producer="catalog", lane="2"): 5,
    }
    parked = series(text, "parked_events")
    assert parked[labels(producer="catalog", lane="1", status="waiting")] == 2
    assert parked[labels(producer="catalog", lane="2", status="waiting")] == 1


async def test_a_lane_that_a_cooperative_has_left_leaves_no_series_behind(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    metrics, stream = Metrics(), uuid7()
    await pool.execute("insert into stream_head values ($1, 3, 7)", stream)
    assert series(await scrape(metrics, pool), "event_log_produced_events") == {labels(lane="3"): 7}
    await pool.execute("update stream_head set lane = 9")
    assert series(await scrape(metrics, pool), "event_log_produced_events") == {labels(lane="9"): 7}


async def test_a_lease_is_told_with_its_holder_and_only_the_present_one(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    metrics = Metrics()
    await pool.execute("insert into relay_lease values (0, 'a', now() + interval '8 s')")
    first = series(await scrape(metrics, pool), "relay_lease_seconds_left")
    assert 7 < first.pop(labels(lane="0", holder="a")) <= 8
    assert not first
    await pool.execute("update relay_lease set holder = 'b', until = now() - interval '60 s'")
    second = series(await scrape(metrics, pool), "relay_lease_seconds_left")
    assert second.pop(labels(lane="0", holder="b")) <= -60
    assert not second


async def test_what_waits_for_the_broker_is_counted_and_aged(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    metrics, stream = Metrics(), uuid7()
    await pool.execute("insert into stream_head values ($1, 0, 3)", stream)
    await pool.executemany(
        "insert into event_log (stream, sequence, id, type, occurred_at, data) "
        "values ($1, $2, gen_random_uuid(), 't', now() - make_interval(mins => $3), '{}')",
        [(stream, 1, 30), (stream, 2, 20), (stream, 3, 10)],
    )
    await pool.execute("insert into relay_cursor values ($1, 1)", stream)
    assert await value(metrics, pool, "event_log_unrelayed_events") == 2
    assert 1200 <= await value(metrics, pool, "event_log_oldest_unrelayed_seconds") < 1260
    await pool.execute("update relay_cursor set sequence = 3")
    assert await value(metrics, pool, "event_log_unrelayed_events") == 0
    assert await value(metrics, pool, "event_log_oldest_unrelayed_seconds") == 0


async def test_parked_events_are_told_by_producer_lane_and_status_and_their_end_is_seen(
    pool: "asyncpg.Pool[asyncpg.Record]",
) -> None:
    metrics, stream = Metrics(), uuid7()
    await pool.execute("insert into stream_head values ($1, 4, 0)", stream)
    await pool.execute(
        "insert into consumer_cursor (producer, stream, sequence, head, behind_since) "
        "values ('catalog', $1, 5, 9, now() - interval '90 s')",
        stream,
    )
    await pool.executemany(
        "insert into parked_event (producer, stream, sequence, status, event, parked_at) "
        "values ('catalog', $1, $2, $3, '{}', now() - make_interval(secs => $4))",
        [(stream, 6, "quarantined", 100.0), (stream, 7, "waiting", 300.0), (stream, 8, "waiting", 1.0)],
    )
    text = await scrape(metrics, pool)
    parked = {status: labels(producer="catalog", lane="4", status=status) for status in STATUSES}
    assert series(text, "parked_events") == {parked["quarantined"]: 1, parked["waiting"]: 2, parked["retry"]: 0}
    assert 300 <= series(text, "parked_oldest_seconds")[labels()] < 330
    assert 100 <= series(text, "quarantined_oldest_seconds")[labels()] < 130
    assert series(text, "consumer_lag_events") == {labels(producer="catalog"): 4}
    assert 90 <= series(text, "consumer_lag_seconds")[labels(producer="catalog")] < 120
    await pool.execute("delete from parked_event")
    text = await scrape(metrics, pool)
    assert series(text, "parked_events") == dict.fromkeys(parked.values(), 0)
    assert series(text, "quarantined_oldest_seconds") == {labels(): 0}


async def test_messages_that_were_rejected_are_counted_also_when_they_are_not_kept(
    pool: "asyncpg.Pool[asyncpg.Record]",
) -> None:
    await pool.executemany(
        "insert into rejected_message (queue, reason, body) values ('orders.0', $1, '')", [("a",), ("b",), ("c",)]
    )
    await pool.execute("delete from rejected_message where reason = 'a'")
    assert await value(Metrics(), pool, "rejected_messages") == 3


async def test_lost_events_are_counted_by_their_numbers(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    await pool.execute("insert into lost_events values ($1, 4, 6), ($1, 9, 9), ($2, 1, 1)", uuid7(), uuid7())
    assert await value(Metrics(), pool, "event_log_lost_events") == 5


async def test_streams_ahead_of_their_producer_are_counted(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    await pool.execute(
        "insert into consumer_cursor (producer, stream, ahead_since) "
        "values ('catalog', $1, now()), ('catalog', $2, null), ('allocation', $2, null)",
        uuid7(),
        uuid7(),
    )
    ahead = series(await scrape(Metrics(), pool), "consumer_ahead_streams")
    assert ahead == {labels(producer="catalog"): 1, labels(producer="allocation"): 0}


async def test_another_incarnation_of_the_database_is_not_settled(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    await pool.execute("update incarnation set identity = 'what it was copied from'")
    assert await value(Metrics(), pool, "incarnation_settled") == 0


async def test_while_no_connection_is_given_out_it_is_still_said_that_the_database_is_another_one(
    stack: Stack,
) -> None:
    async with fresh_database(stack, "orders") as dsn:
        await migrate.migrate(dsn, migrate.find("chassis", Path(migrate.__file__).parent / "migrations"))
        pool = await open_pool(SecretStr(dsn), 2, "test", check=incarnation.check)
        metrics = Metrics()
        await metrics.refresh(pool)
        await pool.execute("update incarnation set identity = 'what it was copied from'")
        await pool.expire_connections()
        with pytest.raises(Unsettled):
            await metrics.refresh(pool)
        await pool.close()
    text = generate_latest(metrics.registry).decode()
    assert {name: series(text, name) for name in TABLES if series(text, name)} == {"incarnation_settled": {labels(): 0}}


async def test_while_the_database_is_away_nothing_is_said_about_it(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    metrics = Metrics()
    assert series(await scrape(metrics, pool), "incarnation_settled")
    await pool.execute("alter table parked_event rename to parked_event_away")
    with pytest.raises(asyncpg.UndefinedTableError):
        await metrics.refresh(pool)
    text = generate_latest(metrics.registry).decode()
    assert not [name for name in TABLES if series(text, name)], "old numbers would look like new ones"


async def test_produced_is_applied_plus_parked_on_every_lane(stack: Stack, vhost: str, producer: Node) -> None:
    """Also where nobody has told the reader on which lane the streams live."""
    good, bad = (next(it for it in iter(uuid7, None) if shared_lane(it, 2) == lane) for lane in (0, 1))
    event = OfferWithdrawn(offer_id=uuid7())

    async def fail_on_bad(tx: Transaction, events: Sequence[Received[Any]]) -> None:
        if bad in {received.stream for received in events}:
            raise ValueError("bad")
        await record(tx, events)

    async with node(stack, "orders", vhost, {OfferWithdrawn: fail_on_bad}, max_attempts=1) as reader:
        await producer.append(*[(good, event)] * 9, *[(bad, event)] * 2)

        async def balanced() -> bool:
            text = (await reader.get("/metrics")).text
            return sum(v for name in ACCOUNTED for v in series(text, name).values()) == 11

        await until(balanced)
        text = (await reader.get("/metrics")).text
        parked = {status: labels(producer="catalog", lane="1", status=status) for status in STATUSES}
        assert series(text, "consumer_cursor_events")[labels(producer="catalog", lane="0")] == 9
        assert series(text, "parked_events")[parked["quarantined"]] == 1
        assert series(text, "parked_events")[parked["waiting"]] == 1
        written = (await producer.get("/metrics")).text
        assert series(written, "event_log_produced_events") == {labels(lane="0"): 9, labels(lane="1"): 2}
