"""Events from one process to another over real servers: once each, in order, whatever happens on the road."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID

import aio_pika
import pytest

from infra.local.stack import Stack
from services.chassis import cloudevents
from services.chassis.ids import uuid7
from services.chassis.inbox import Received
from services.chassis.lanes import shared_lane
from services.chassis.ledger import Transaction
from services.contracts.base import UNION_STREAM
from services.contracts.catalog import OfferWithdrawn
from services.contracts.orders import OrderCancelled
from tests.support.node import Node, node, record, until


def events(count: int, stream: UUID) -> list[tuple[UUID, OfferWithdrawn]]:
    return [(stream, OfferWithdrawn(offer_id=uuid7())) for _ in range(count)]


async def caught_up(reader: Node, count: int) -> None:
    async def done() -> bool:
        return len(await reader.applied()) >= count

    await until(done)


def assert_once_in_order(applied: list[tuple[UUID, int]], count: int) -> None:
    assert len(applied) == len(set(applied)) == count
    last: dict[UUID, int] = {}
    for stream, sequence in applied:
        assert sequence == last.get(stream, 0) + 1
        last[stream] = sequence


async def test_events_of_many_streams_arrive_once_and_in_order(producer: Node, reader: Node) -> None:
    streams = [uuid7() for _ in range(20)]
    await asyncio.gather(*(producer.append(*events(7, s)) for s in streams for _ in range(5)))
    await caught_up(reader, 700)
    assert_once_in_order(await reader.applied(), 700)


async def test_a_rollback_leaves_no_hole_in_the_stream(producer: Node) -> None:
    stream = uuid7()

    async def fails(tx: Transaction) -> None:
        tx.append(stream, OfferWithdrawn(offer_id=uuid7()))
        await tx.conn.execute("select 1/0")

    await producer.append(*events(2, stream))
    with pytest.raises(Exception, match="division by zero"):
        await producer.ledger.transact(fails)
    await producer.append(*events(1, stream))
    rows = await producer.fetch("select sequence from event_log where stream = $1 order by 1", stream)
    assert [row["sequence"] for row in rows] == [1, 2, 3]


async def test_a_deleted_queue_is_made_again_and_what_was_in_it_is_sent_again(
    stack: Stack, vhost: str, producer: Node, reader: Node
) -> None:
    stream = uuid7()
    await producer.append(*events(3, stream))
    await caught_up(reader, 3)
    for lane in (0, 1):
        stack.rabbit.management.request("DELETE", f"/queues/{vhost}/orders.{lane}")
    await producer.append(*events(3, stream))
    await caught_up(reader, 6)
    assert_once_in_order(await reader.applied(), 6)


async def test_a_wiped_broker_heals_without_help(stack: Stack, vhost: str, producer: Node, reader: Node) -> None:
    stream, other = uuid7(), uuid7()
    await producer.append(*events(3, stream))
    await caught_up(reader, 3)
    await reader.stop()
    await producer.append(*events(4, stream), *events(2, other))

    async def relayed() -> bool:
        (row,) = await producer.fetch("select coalesce(sum(sequence), 0) as n from relay_cursor")
        return bool(row["n"] == 9)

    await until(relayed)
    await asyncio.to_thread(stack.rabbit.management.delete_vhost, vhost)
    await asyncio.to_thread(stack.rabbit.management.create_vhost, vhost)
    await reader.start()
    await caught_up(reader, 9)
    assert_once_in_order(await reader.applied(), 9)


async def test_every_stream_heals_after_a_wipe_although_nobody_remembers_what_was_sent(
    stack: Stack, vhost: str, producer: Node, reader: Node
) -> None:
    """The union's stream has the smallest identifier there is; the round of stream heads must begin with it."""
    await reader.stop()
    await producer.append(*events(2, UNION_STREAM), *events(2, stream := uuid7()))

    async def relayed() -> bool:
        (row,) = await producer.fetch("select coalesce(sum(sequence), 0) as n from relay_cursor")
        return bool(row["n"] == 4)

    await until(relayed)
    await producer.stop()
    await asyncio.to_thread(stack.rabbit.management.delete_vhost, vhost)
    await asyncio.to_thread(stack.rabbit.management.create_vhost, vhost)
    await producer.start()
    await reader.start()
    await caught_up(reader, 4)
    assert sorted(await reader.applied()) == [(UNION_STREAM, 1), (UNION_STREAM, 2), (stream, 1), (stream, 2)]


async def test_a_busy_lane_still_looks_for_what_nobody_told_it(producer: Node, reader: Node) -> None:
    quiet = uuid7()
    busy = next(stream for stream in iter(uuid7, None) if shared_lane(stream, 2) == shared_lane(quiet, 2))
    await producer.append(*events(3, quiet))
    await caught_up(reader, 3)
    await producer.fetch("update relay_cursor set sequence = 0 where stream = $1", quiet)

    async def sent_again() -> bool:
        await producer.append(*events(1, busy))
        (row,) = await producer.fetch("select sequence from relay_cursor where stream = $1", quiet)
        return bool(row["sequence"] == 3)

    await until(sent_again, timeout_s=10)


async def test_a_resend_from_before_the_beginning_sends_everything(
    stack: Stack, vhost: str, producer: Node, reader: Node
) -> None:
    stream = uuid7()
    await producer.append(*events(3, stream))
    await caught_up(reader, 3)
    wanted = {"stream": str(stream), "sequence": -7}
    body = cloudevents.control("orders", cloudevents.RESEND, uuid7(), datetime.now(UTC), wanted)
    connection = await aio_pika.connect(stack.rabbit.amqp_url("orders", vhost))
    async with connection:
        channel = await connection.channel()
        exchange = await channel.get_exchange("orders.events", ensure=False)
        await exchange.publish(aio_pika.Message(body, user_id="orders"), "resend.catalog")

    async def sent_again() -> bool:
        return "consumer_duplicate_events_total 3.0" in (await reader.get("/metrics")).text

    await until(sent_again)


async def test_a_reader_that_starts_late_gets_everything_from_the_beginning(
    stack: Stack, vhost: str, producer: Node
) -> None:
    async with node(stack, "notify", vhost, {OfferWithdrawn: record}) as early:
        await producer.append(*events(5, stream := uuid7()))
        await caught_up(early, 5)
        async with node(stack, "orders", vhost, {OfferWithdrawn: record}) as late:
            await caught_up(late, 5)
            assert await late.applied() == [(stream, n) for n in range(1, 6)]
            assert "consumer_duplicate_events_total 0.0" in (await early.get("/metrics")).text, "sent to who asked only"


async def test_a_long_history_comes_in_parts_and_what_is_new_does_not_wait_behind_it(
    stack: Stack, vhost: str, producer: Node
) -> None:
    stream = uuid7()
    async with node(stack, "notify", vhost, {OfferWithdrawn: record}) as early:
        for _ in range(5):
            await producer.append(*events(500, stream))
        await caught_up(early, 2500)
        async with node(stack, "orders", vhost, {OfferWithdrawn: record}, gap_patience_s=2) as late:
            await producer.append(*events(1, stream))
            await caught_up(late, 2501)
            assert await late.applied() == [(stream, n) for n in range(1, 2502)]


async def test_a_message_in_anothers_name_is_kept_aside_and_applied_to_nothing(
    stack: Stack, vhost: str, producer: Node, reader: Node
) -> None:
    row = {
        "stream": uuid7(), "sequence": 1, "id": uuid7(), "type": OfferWithdrawn.type, "after": "", "traceparent": None,
        "occurred_at": (await producer.fetch("select now() as t"))[0]["t"], "data": "{}",
    }  # fmt: skip
    connection = await aio_pika.connect(stack.rabbit.amqp_url("allocation", vhost))
    async with connection:
        channel = await connection.channel()
        exchange = await channel.get_exchange("allocation.events", ensure=False)
        sources = "catalog", "allocation"  # in catalog's name; in its own, but what only catalog may say
        for body in (*(f"[{cloudevents.envelope(source, row)}]".encode() for source in sources), b"rubbish"):
            await exchange.publish(aio_pika.Message(body, user_id="allocation"), "0")
        damaged = aio_pika.Message(b"rubbish", user_id="allocation", content_encoding="zstd")
        await exchange.publish(damaged, "0")

    async def rejected() -> bool:
        return len(await reader.fetch("select reason from rejected_message")) == 4

    await until(rejected)
    assert await reader.applied() == []


async def test_a_batch_travels_compressed_and_is_applied_as_it_was(
    stack: Stack, vhost: str, producer: Node, reader: Node
) -> None:
    await reader.stop()
    await producer.append(*events(100, stream := uuid7()))

    async def relayed() -> bool:
        return bool(await producer.fetch("select from relay_cursor where sequence = 100"))

    await until(relayed)
    connection = await aio_pika.connect(stack.rabbit.amqp_url("orders", vhost))
    async with connection:
        queue = await (await connection.channel()).get_queue(f"orders.{shared_lane(stream, 2)}", ensure=False)
        message = await queue.get(timeout=10)
        assert message is not None
        assert message.content_encoding == "zstd"
        assert len(message.body) < 100 * 200, "an event alone has 500 bytes"
        await message.nack(requeue=True)
    await reader.start()
    await caught_up(reader, 100)
    assert await reader.applied() == [(stream, n) for n in range(1, 101)]


async def test_only_the_holder_of_the_lease_moves_the_cursor(
    stack: Stack, vhost: str, producer: Node, reader: Node
) -> None:
    second = Node("catalog", producer.dsn, stack.rabbit.amqp_url("catalog", vhost), {}, instance="second")
    await second.start()
    try:
        stream = uuid7()
        await producer.append(*events(3, stream))
        await second.append(*events(3, stream))
        await caught_up(reader, 6)
        holders = await producer.fetch("select distinct holder from relay_lease where until > now()")
        assert len(holders) == 1
        await producer.stop()
        await second.append(*events(3, stream))
        await caught_up(reader, 9)
        assert_once_in_order(await reader.applied(), 9)
        (row,) = await second.fetch("select holder from relay_lease where until > now() limit 1")
        assert row["holder"] == "second"
    finally:
        await second.stop()


async def test_an_effect_never_overtakes_its_cause(stack: Stack, vhost: str, producer: Node) -> None:
    """allocation reads catalog and orders; orders writes after it applied what catalog wrote."""
    seen: list[str] = []

    async def follow(tx: Transaction, received: Sequence[Received[Any]]) -> None:
        for one in received:
            tx.append(one.stream, OrderCancelled(order_id=uuid7()), one.traceparent)

    async def note(_: Transaction, received: Sequence[Received[Any]]) -> None:
        seen.extend(one.event.type for one in received)

    async with (
        node(stack, "orders", vhost, {OfferWithdrawn: follow}) as orders,
        node(stack, "allocation", vhost, {OfferWithdrawn: note, OrderCancelled: note}) as allocation,
    ):
        await orders.until_ready()
        await allocation.until_ready()
        await allocation.stop()
        stream = uuid7()
        await producer.append(*events(2, stream))

        async def followed() -> bool:
            return len(await orders.fetch("select from event_log where stream = $1", stream)) == 2

        await until(followed)
        rows = await orders.fetch("select after from event_log where stream = $1 order by sequence", stream)
        assert all("catalog=" in row["after"] for row in rows)
        # the reader misses the cause: catalog's messages to it are lost
        for lane in (0, 1):
            await asyncio.to_thread(
                stack.rabbit.management.request, "DELETE", f"/queues/{vhost}/allocation.{lane}/contents"
            )
        await orders.append((stream, OrderCancelled(order_id=uuid7())))
        await allocation.start()

        async def all_seen() -> bool:
            return len(seen) >= 5

        await until(all_seen)
    position = seen.index(OrderCancelled.type)
    assert OfferWithdrawn.type in seen[:position]


async def test_messages_that_came_while_one_was_handled_share_the_next_transaction(
    stack: Stack, vhost: str, producer: Node
) -> None:
    begun, go_on, calls = asyncio.Event(), asyncio.Event(), list[int]()

    async def handle(tx: Transaction, received: Sequence[Received[Any]]) -> None:
        calls.append(len(received))
        begun.set()
        await go_on.wait()
        await record(tx, received)

    async def relayed(count: int) -> bool:
        rows = await producer.fetch("select coalesce(sum(sequence), 0) as relayed from relay_cursor")
        return int(rows[0]["relayed"]) == count

    async with node(stack, "orders", vhost, {OfferWithdrawn: handle}) as reader:
        await reader.until_ready()
        await producer.append(*events(1, stream := uuid7()))
        await begun.wait()
        for count in range(2, 12):
            await producer.append(*events(1, stream))
            await until(partial(relayed, count))
        go_on.set()
        await caught_up(reader, 11)
        assert_once_in_order(await reader.applied(), 11)
        assert len(calls) < 11
        assert sum(calls) == 11
