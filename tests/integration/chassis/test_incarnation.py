"""A database that is restored from an older copy: no number is published twice, what is lost is noted, all goes on."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import aio_pika
import httpx
import pytest

from infra.local.stack import Stack
from services.chassis import cloudevents, incarnation, topology
from services.chassis.cloudevents import ReachTold
from services.chassis.ids import uuid7
from services.contracts.catalog import OfferWithdrawn
from tests.support.node import Node, node, record, until
from tests.support.servers import fresh_database


def withdrawn() -> OfferWithdrawn:
    return OfferWithdrawn(offer_id=uuid7())


@asynccontextmanager
async def copy_of(stack: Stack, original: Node) -> AsyncIterator[str]:
    """The DSN of a copy of a stopped node's database, as a backup would bring it back."""
    name = original.dsn.rpartition("/")[2]
    async with fresh_database(stack, original.name, name) as dsn:
        yield dsn


def again(original: Node, stack: Stack, vhost: str, dsn: str) -> Node:
    """The same service on another database."""
    return Node(original.name, dsn, stack.rabbit.amqp_url(original.name, vhost), original.handlers)


@asynccontextmanager
async def unsettled_copy(stack: Stack, vhost: str, producer: Node) -> AsyncIterator[tuple[Node, str]]:
    """The producer, stopped, on a copy of its database where it waits for its readers; and that database's identity."""
    await producer.stop()
    async with copy_of(stack, producer) as dsn:
        restored = again(producer, stack, vhost, dsn)
        await restored.start()
        try:
            await until(refuses_to_work(restored))
            ((identity,),) = await restored.fetch("select present_identity()")
            yield restored, identity
        finally:
            await restored.stop()


async def applied(reader: Node, count: int) -> None:
    async def all_of_them() -> bool:
        return len(await reader.applied()) == count

    await until(all_of_them)


@pytest.mark.parametrize("streams_per_message", [incarnation.STREAMS_PER_MESSAGE, 1])
async def test_a_restored_producer_never_publishes_a_number_twice(
    stack: Stack, vhost: str, producer: Node, monkeypatch: pytest.MonkeyPatch, streams_per_message: int
) -> None:
    monkeypatch.setattr(incarnation, "STREAMS_PER_MESSAGE", streams_per_message)
    async with (
        node(stack, "orders", vhost, {OfferWithdrawn: record}) as orders,
        node(stack, "allocation", vhost, {OfferWithdrawn: record}) as allocation,
        node(stack, "notify", vhost, {OfferWithdrawn: record}) as notify,
    ):
        readers = (orders, allocation, notify)
        stream, young = uuid7(), uuid7()
        await producer.append(*[(stream, withdrawn())] * 3)
        for reader in readers:
            await applied(reader, 3)
        await producer.stop()
        async with copy_of(stack, producer) as dsn:
            await producer.start()
            await producer.append(*[(stream, withdrawn())] * 2, (young, withdrawn()))
            for reader in readers:
                await applied(reader, 6)
            await producer.stop()
            restored = again(producer, stack, vhost, dsn)
            await restored.start()
            try:
                await restored.until_ready()
                await restored.append((stream, withdrawn()), (young, withdrawn()))
                for reader in readers:
                    await applied(reader, 8)
                    assert sorted(await reader.applied()) == sorted(
                        [*[(stream, n) for n in range(1, 7)], (young, 1), (young, 2)]
                    )
                lost = await restored.fetch(
                    "select stream, first_sequence, last_sequence from lost_events order by stream"
                )
                assert [tuple(row) for row in lost] == sorted([(stream, 4, 5), (young, 1, 1)])
                types = await restored.fetch("select type from event_log where stream = $1 order by sequence", stream)
                assert [row["type"] for row in types][3:5] == [incarnation.lost_type("catalog")] * 2
            finally:
                await restored.stop()


async def test_an_answer_counts_when_all_its_parts_are_there(stack: Stack, vhost: str, producer: Node) -> None:
    stream, other = uuid7(), uuid7()
    await producer.append((stream, withdrawn()))
    async with unsettled_copy(stack, vhost, producer) as (restored, identity):
        for reader in ("allocation", "notify", "orders"):
            for lane in range(restored.settings.shared_lanes):
                for part, reach in ((1, {stream: 3}), (2, {other: 2})):
                    assert await refuses_to_work(restored)()
                    await tell(stack, vhost, reader, ReachTold(identity, lane, reach, part, 2))
        await restored.until_ready()
        lost = await restored.fetch("select stream, first_sequence, last_sequence from lost_events")
        assert {tuple(row) for row in lost} == {(stream, 2, 3), (other, 1, 2)}


async def test_by_an_operators_word_the_database_settles_without_a_reader_that_is_gone(
    stack: Stack, vhost: str, producer: Node
) -> None:
    stream, lanes = uuid7(), range(producer.settings.shared_lanes)
    await producer.append((stream, withdrawn()))
    async with unsettled_copy(stack, vhost, producer) as (restored, identity):
        for lane in lanes:
            await tell(stack, vhost, "orders", ReachTold(identity, lane, {stream: 3}))
            await tell(stack, vhost, "allocation", ReachTold(identity, lane, {}))

        async def waits_for_notify_alone() -> bool:
            return "; notify must say" in (await restored.get("/readyz")).text

        await until(waits_for_notify_alone)
        assert await incarnation.settle_without(restored.dsn, "notify", len(lanes)) == len(lanes)
        await restored.until_ready()
        lost = await restored.fetch("select stream, first_sequence, last_sequence from lost_events")
        assert [tuple(row) for row in lost] == [(stream, 2, 3)], "what the others know counts"
        assert await incarnation.settle_without(restored.dsn, "notify", len(lanes)) == 0, "there is nothing to settle"


async def test_what_waits_in_a_readers_queue_counts_before_the_producer_goes_on(
    stack: Stack, vhost: str, producer: Node
) -> None:
    async with (
        node(stack, "orders", vhost, {OfferWithdrawn: record}) as orders,
        node(stack, "allocation", vhost, {}),
        node(stack, "notify", vhost, {}),
    ):
        stream = uuid7()
        await producer.append((stream, withdrawn()))
        await applied(orders, 1)
        await producer.stop()
        async with copy_of(stack, producer) as dsn:
            await orders.stop()
            await producer.start()
            await producer.append(*[(stream, withdrawn())] * 4)
            await until(producer_has_relayed(producer))
            await producer.stop()
            restored = again(producer, stack, vhost, dsn)
            await restored.start()
            try:
                await until(refuses_to_work(restored))
                await orders.start()
                await restored.until_ready()
                await restored.append((stream, withdrawn()))
                await applied(orders, 6)
                ids = [row["id"] for row in await orders.fetch("select id from applied order by n")]
                assert len(set(ids)) == 6
            finally:
                await restored.stop()


async def test_services_restored_together_settle_with_each_other(stack: Stack, vhost: str, producer: Node) -> None:
    async with (
        node(stack, "orders", vhost, {OfferWithdrawn: record}) as orders,
        node(stack, "allocation", vhost, {}),
        node(stack, "notify", vhost, {}),
    ):
        stream = uuid7()
        await producer.append((stream, withdrawn()))
        await orders.append((stream, withdrawn()))
        await applied(orders, 1)
        await producer.stop()
        await orders.stop()
        async with copy_of(stack, producer) as one, copy_of(stack, orders) as two:
            both = again(producer, stack, vhost, one), again(orders, stack, vhost, two)
            for restored in both:
                await restored.start()
            try:
                for restored in both:
                    await restored.until_ready()
                await both[0].append((stream, withdrawn()))
                await applied(both[1], 2)
            finally:
                for restored in both:
                    await restored.stop()


async def tell(stack: Stack, vhost: str, reader: str, told: ReachTold) -> None:
    """Answers catalog in the name of a reader."""
    async with await aio_pika.connect(stack.rabbit.amqp_url(reader, vhost)) as connection:
        exchange = await (await connection.channel()).get_exchange(topology.exchange_name(reader), ensure=False)
        body = cloudevents.control(reader, cloudevents.REACH_TOLD, uuid7(), datetime.now(UTC), told)
        await exchange.publish(aio_pika.Message(body, user_id=reader), topology.control_key("catalog"))


def refuses_to_work(restored: Node) -> Callable[[], Awaitable[bool]]:
    async def refuses() -> bool:
        try:
            answer = await restored.get("/readyz")
        except httpx.TransportError:
            return False
        return answer.status_code == 503 and "orders must say how far they know its events" in answer.text

    return refuses


def producer_has_relayed(producer: Node) -> Callable[[], Awaitable[bool]]:
    async def relayed() -> bool:
        rows = await producer.fetch(
            "select from stream_head h left join relay_cursor c using (stream) "
            "where h.last_sequence > coalesce(c.sequence, 0)"
        )
        return not rows

    return relayed
