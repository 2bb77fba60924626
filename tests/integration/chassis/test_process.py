"""One process: roles, readiness, draining, lanes, metrics, documents."""

import asyncio
from collections.abc import Sequence
from typing import Any

from infra.local.stack import Stack
from services.chassis.ids import uuid7
from services.chassis.inbox import Received
from services.chassis.lanes import pin_stream
from services.chassis.ledger import Transaction
from services.contracts.catalog import OfferWithdrawn
from tests.support.node import Node, node, record, until


def withdrawn() -> OfferWithdrawn:
    return OfferWithdrawn(offer_id=uuid7())


async def has_applied(reader: Node, count: int) -> None:
    async def done() -> bool:
        return len(await reader.applied()) >= count

    await until(done)


async def test_an_http_process_writes_and_a_worker_elsewhere_relays(
    stack: Stack, vhost: str, reader: Node, producer: Node
) -> None:
    front = Node("catalog", producer.dsn, stack.rabbit.amqp_url("catalog", vhost), {}, instance="front")
    await front.start(role="http")
    try:
        await front.append((uuid7(), withdrawn()))
        await has_applied(reader, 1)
        assert (await front.get("/readyz")).status_code == 200
    finally:
        await front.stop()


async def test_a_stopping_process_finishes_what_it_has_begun_and_loses_nothing(
    stack: Stack, vhost: str, producer: Node
) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(tx: Transaction, events: Sequence[Received[Any]]) -> None:
        begun.set()
        await go_on.wait()
        await record(tx, events)

    async with node(stack, "orders", vhost, {OfferWithdrawn: slow}) as reader:
        await reader.until_ready()
        await producer.append((stream := uuid7(), withdrawn()))
        await begun.wait()
        stopping = asyncio.create_task(reader.stop())
        await asyncio.sleep(0)
        go_on.set()
        await stopping
        assert await reader.applied() == [(stream, 1)]
        depths = await asyncio.to_thread(stack.rabbit.management.queues, vhost)
        assert all(depth.unacknowledged == 0 for depth in depths.values())


async def test_readiness_tells_what_is_missing(stack: Stack, vhost: str, reader: Node) -> None:
    await asyncio.to_thread(stack.rabbit.management.delete_vhost, vhost)

    async def says_so() -> bool:
        answer = await reader.get("/readyz")
        return answer.status_code == 503 and "broker" in " ".join(answer.json()["waits_for"])

    await until(says_so)
    assert (await reader.get("/healthz")).status_code == 200
    await asyncio.to_thread(stack.rabbit.management.create_vhost, vhost)
    await reader.until_ready()


async def test_a_stream_moves_to_another_lane_without_a_pause(
    stack: Stack, vhost: str, producer: Node, reader: Node
) -> None:
    stream = uuid7()

    async def write_and_move() -> None:
        for n in range(60):

            async def work(tx: Transaction, lane: int = n % 2) -> None:
                tx.append(stream, withdrawn())
                await pin_stream(tx, stream, lane)

            await producer.ledger.transact(work)

    await write_and_move()
    await has_applied(reader, 60)
    assert await reader.applied() == [(stream, n) for n in range(1, 61)]


async def test_documents_are_served_without_the_network(producer: Node) -> None:
    for path, word in (
        ("/asyncapi.json", "3.0.0"),
        ("/asyncapi", "<!doctype html>"),
        ("/openapi.json", "openapi"),
        ("/docs", "<!doctype html>"),
    ):
        answer = await producer.get(path)
        assert answer.status_code == 200
        assert word in answer.text
        assert "https://" not in answer.text


async def test_an_unknown_path_gets_a_problem_document(producer: Node) -> None:
    answer = await producer.get("/nothing")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
