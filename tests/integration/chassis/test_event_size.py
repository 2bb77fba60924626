"""The largest event there may be goes all the way; one byte more is refused and changes nothing."""

import pytest

from infra.local.stack import Stack
from services.chassis.ids import uuid7
from services.chassis.ledger import MAX_EVENT_BYTES, EventTooLarge, Transaction
from services.contracts.catalog import CooperativeRegistered
from tests.support.node import Node, node, record, until


def event_of(size: int, letter: str = "x") -> CooperativeRegistered:
    """An event whose body has exactly so many bytes, the most of them in a name of this letter."""

    def named(name: str) -> CooperativeRegistered:
        return CooperativeRegistered(
            cooperative_id=uuid7(), slug="van-ho", name=name, timezone="Asia/Ho_Chi_Minh", collection_points=()
        )

    room = size - len(named("").encode())
    letters, rest = divmod(room, len(letter.encode()))
    event = named(letter * letters + "x" * rest)
    assert len(event.encode()) == size
    return event


def test_the_limit_is_256_kib() -> None:
    assert MAX_EVENT_BYTES == 256 * 1024


@pytest.mark.parametrize("letter", ["x", "ế"])
async def test_the_largest_event_is_appended_relayed_and_applied(
    stack: Stack, vhost: str, producer: Node, letter: str
) -> None:
    async with node(stack, "orders", vhost, {CooperativeRegistered: record}) as reader:
        stream = uuid7()
        await producer.append((stream, event_of(MAX_EVENT_BYTES, letter)), (stream, event_of(500)))
        ((size,),) = await producer.fetch("select octet_length(data::text) from event_log where sequence = 1")
        assert size == MAX_EVENT_BYTES

        async def both_are_applied() -> bool:
            return await reader.applied() == [(stream, 1), (stream, 2)]

        await until(both_are_applied)


async def test_the_largest_event_can_be_parked_and_applied_afterwards(stack: Stack, vhost: str, producer: Node) -> None:
    async with node(stack, "orders", vhost, {}, gap_patience_s=60) as reader:
        stream = uuid7()
        await producer.append((stream, event_of(500)))

        async def has_come(sequence: int) -> bool:
            rows = await reader.fetch("select from consumer_cursor where sequence = $1", sequence)
            return len(rows) == 1

        await until(lambda: has_come(1))
        await reader.fetch("update consumer_cursor set sequence = 0")  # as if its predecessor had not come
        await producer.append((stream, event_of(MAX_EVENT_BYTES)))

        async def is_parked() -> bool:
            return len(await reader.fetch("select from parked_event where sequence = 2")) == 1

        await until(is_parked)
        await producer.fetch("update relay_cursor set sequence = 0")  # the predecessor is sent again
        await producer.append((stream, event_of(500)))
        await until(lambda: has_come(3))
        assert await reader.fetch("select from parked_event") == []


@pytest.mark.parametrize("letter", ["x", "ế"])
async def test_one_byte_more_is_refused_and_changes_nothing(producer: Node, letter: str) -> None:
    stream = uuid7()
    await producer.fetch("create table noted (what text)")

    async def work(tx: Transaction) -> None:
        await tx.conn.execute("insert into noted values ('before')")
        tx.append(stream, event_of(500))
        tx.append(stream, event_of(MAX_EVENT_BYTES + 1, letter))

    with pytest.raises(EventTooLarge, match=f"has {MAX_EVENT_BYTES + 1} bytes"):
        await producer.ledger.transact(work)
    for table in ("noted", "event_log", "stream_head"):
        assert await producer.fetch(f"select from {table}") == []
    await producer.append((stream, event_of(500)))
    ((sequence,),) = await producer.fetch("select sequence from event_log")
    assert sequence == 1


async def test_the_database_refuses_it_too(producer: Node) -> None:
    """Whoever wrote past the ledger would stop the stream for every reader."""
    insert = "insert into event_log (stream, sequence, id, type, data) values ($1, 1, $1, 't', $2::text::json)"
    await producer.fetch(insert, uuid7(), event_of(MAX_EVENT_BYTES).encode().decode())
    with pytest.raises(Exception, match="event_log_data_check"):
        await producer.fetch(insert, uuid7(), event_of(MAX_EVENT_BYTES + 1).encode().decode())
