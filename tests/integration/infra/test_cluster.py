"""A cluster of three nodes outlives a dead node, a minority that is cut off, and a rolling restart."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aio_pika
from aio_pika.abc import AbstractChannel
from aio_pika.exceptions import DeliveryError
from pamqp.common import FieldTable

from infra.local.rabbitmq import RabbitServer
from infra.local.stack import Stack
from tests.support.node import until

QUORUM: FieldTable = {"x-queue-type": "quorum"}
QUEUE = "orders.0"


@asynccontextmanager
async def channel_of(node: RabbitServer) -> AsyncIterator[AbstractChannel]:
    async with await aio_pika.connect(node.amqp_url("orders"), timeout=30) as connection:
        yield await connection.channel(on_return_raises=True)


async def publish(node: RabbitServer, body: bytes) -> None:
    """Returns when a majority of the nodes has the message; a queue that elects its leader refuses it for a moment."""

    async def is_confirmed() -> bool:
        async with channel_of(node) as channel:
            message = aio_pika.Message(body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
            exchange = await channel.get_exchange("orders.events", ensure=False)
            try:
                await exchange.publish(message, routing_key="0", timeout=10)
            except (DeliveryError, TimeoutError):
                return False
            return True

    await until(is_confirmed, timeout_s=60)


async def take_all(node: RabbitServer) -> list[bytes]:
    """What is in the queue, in order; what was refused at first may be there twice."""
    taken = []
    async with channel_of(node) as channel:
        queue = await channel.get_queue(QUEUE, ensure=False)
        while message := await queue.get(timeout=30, fail=False):
            await message.ack()
            taken.append(message.body)
    return list(dict.fromkeys(taken))


async def test_a_quorum_queue_outlives_a_dead_node_a_cut_off_one_and_a_rolling_restart(tmp_path: Path) -> None:
    stack = Stack(tmp_path / "stack", fresh=True, with_cluster=True)
    try:
        await asyncio.to_thread(stack.start)
        assert stack.cluster
        one, two, three = stack.cluster.nodes
        assert stack.environment("orders")["ORDERS_AMQP_URL"].count("amqp://orders:") == 3
        async with channel_of(one) as channel:
            queue = await channel.declare_queue(QUEUE, durable=True, arguments=QUORUM)
            await queue.bind("orders.events", "0")
        (described,) = one.management.request("GET", "/queues/%2F")
        assert set(described["members"]) == {one.node_name, two.node_name, three.node_name}
        await asyncio.to_thread(stack.cluster.wait_until_whole)
        await publish(one, b"all three")

        one.kill()
        await publish(two, b"one is dead")
        await asyncio.to_thread(one.start)
        await asyncio.to_thread(stack.cluster.wait_until_whole)

        await asyncio.to_thread(stack.cluster.cut_off, three)
        await publish(one, b"three is cut off")
        assert three.alive
        await asyncio.to_thread(stack.cluster.heal, three)
        await publish(three, b"three is back")

        await asyncio.to_thread(stack.cluster.rolling_restart)
        expected = [b"all three", b"one is dead", b"three is cut off", b"three is back"]
        assert await take_all(two) == expected
    finally:
        await asyncio.to_thread(stack.stop, remove=True)
    assert not stack.root.exists()
