"""Orders over AMQP: taken once, refused with the reason, and nothing lost when something breaks."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel
from aio_pika.exceptions import ChannelClosed
from aiormq.exceptions import ChannelAccessRefused, ChannelPreconditionFailed
from prometheus_client import CollectorRegistry

from infra.local.rabbitmq import MAX_MESSAGE_BYTES
from infra.local.stack import Stack
from services.orders.adapters import cloudevents
from services.orders.amqp import door as door_module
from services.orders.amqp import topology
from services.orders.metrics import OrderMetrics
from tests.integration.orders.conftest import Shop, cloud_event, line, order
from tests.integration.orders.partners import Login, Partners, partners_of, push, send
from tests.support.node import until


@pytest.fixture
async def partners(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Partners]:
    monkeypatch.setattr(door_module, "GUARD_EVERY_S", 0.2)
    async with partners_of(stack) as found:
        yield found


@pytest.fixture
async def login(partners: Partners) -> Login:
    """The partner of Vân Hồ, let in, with the door open."""
    await partners.open()
    return await partners.let_in()


def counted(partners: Partners, name: str, **labels: str) -> float:
    value = partners.orders.running.runtime.metrics.registry.get_sample_value(name, labels)
    return value or 0.0


async def test_an_order_is_stored_announced_and_can_be_promised(partners: Partners, login: Login) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    await partners.publish(login, push("A-1"), headers={"traceparent": f"00-{trace}-b7ad6b7169203331-01"})
    await partners.until_stored("A-1")
    await partners.until_empty()
    ((name, event),) = await partners.orders.events()
    assert (name, event["partner_ref"], event["partner_id"]) == ("order_placed", "A-1", str(login.partner_id))
    (row,) = await partners.orders.fetch("select traceparent from event_log")
    assert row["traceparent"][3:35] == trace
    await partners.orders.promise(event["order_id"])
    read = await partners.orders.ask("GET", f"/v1/orders/{event['order_id']}")
    assert read["state"] == "promised"
    assert counted(partners, "orders_pushed_total", adapter="canonical", outcome="placed") == 1


async def test_an_order_that_is_published_twice_counts_once(partners: Partners, login: Login) -> None:
    async with partners.channel(login) as channel:
        for _ in range(20):
            await send(channel, login, push("A-1"))
        await send(channel, login, push("A-2"))
    await partners.until_stored("A-1", "A-2")
    await partners.until_empty()
    assert sorted(event["partner_ref"] for _, event in await partners.orders.events()) == ["A-1", "A-2"]


async def test_what_came_over_http_is_known_over_amqp(partners: Partners, login: Login) -> None:
    await partners.orders.push(order("A-1", line("SU-SU", 2)))
    await partners.publish(login, push("A-1"))
    await partners.publish(login, push("A-1", line("SU-SU", 3), minute=5))
    await partners.until_empty()
    assert await partners.orders.names() == ["order_placed", "order_changed"]


async def test_hundreds_that_come_at_once_share_transactions_and_are_all_taken(
    partners: Partners, login: Login
) -> None:
    async with partners.channel(login) as channel:
        await asyncio.gather(*(send(channel, login, push(f"A-{number}")) for number in range(700)))
    await partners.until_stored(*(f"A-{number}" for number in range(700)))
    await partners.until_empty()
    transactions = await partners.orders.fetch("select distinct xmin::text from customer_order")
    assert len(transactions) < 350
    assert len(await partners.orders.names()) == 700


async def test_one_cloud_event_is_an_order(partners: Partners, login: Login) -> None:
    event = cloud_event("e-1", order("A-1", line("SU-SU")))
    await partners.publish(login, event, content_type=f"{cloudevents.ONE}; charset=utf-8")
    await partners.until_stored("A-1")
    wrong = event | {"type": "com.example.other"}
    await partners.publish(login, wrong, content_type=cloudevents.ONE, message_id="m-1")
    reject = await partners.next_reject(login)
    assert (reject.headers["reason"], errors(reject)) == ("malformed", ["type"])


def errors(reject: aio_pika.abc.AbstractIncomingMessage) -> list[str]:
    return [error["field"] for error in json.loads(str(reject.headers["errors"]))]


async def test_the_good_events_of_a_batch_are_taken_and_the_bad_ones_named(partners: Partners, login: Login) -> None:
    batch = [
        cloud_event("good", order("A-1", line("SU-SU"))),
        cloud_event("bad", order("A-2", line("SU-SU", 1.5))),
        cloud_event("good too", order("A-3", line("SU-SU"))),
    ]
    await partners.publish(login, batch, content_type=cloudevents.BATCH, message_id="m-1")
    await partners.until_stored("A-1", "A-3")
    reject = await partners.next_reject(login)
    assert reject.headers["reason"] == "events"
    (error,) = json.loads(str(reject.headers["errors"]))
    assert (error["id"], error["reason"], error["errors"][0]["field"]) == ("bad", "malformed", "lines[0].quantity")
    assert reject.body == json.dumps(batch).encode()
    assert (reject.content_type, reject.correlation_id) == (cloudevents.BATCH, "m-1")
    await partners.until_empty()
    assert len(await partners.rows()) == 2
    assert counted(partners, "orders_amqp_rejected_total", reason="events") == 1


async def test_a_batch_without_fault_is_taken_as_a_whole(partners: Partners, login: Login) -> None:
    batch = [cloud_event(f"e-{number}", order(f"A-{number}", line("SU-SU"))) for number in range(500)]
    await partners.publish(login, batch, content_type=cloudevents.BATCH)
    await partners.until_stored(*(f"A-{number}" for number in range(500)))
    await partners.until_empty()
    assert counted(partners, "orders_pushed_total", adapter="canonical", outcome="placed") == 500


@pytest.mark.parametrize(
    ("reason", "body", "properties"),
    [
        ("wrong_user", push("A-1"), {"user_id": None}),
        ("content_type", push("A-1"), {"content_type": "text/plain"}),
        ("content_type", push("A-1"), {"content_type": None}),
        ("malformed", b"{", {}),
        ("malformed", b"\xff\x00", {}),
        ("malformed", push("A-1", line("SU-SU", 1.5)), {}),
        ("malformed", b"[]", {"content_type": cloudevents.BATCH}),
        ("too_large", b" " * 65_537, {}),
        ("too_large", b" " * 1_048_577, {"content_type": cloudevents.BATCH}),
        ("too_large", b" " * MAX_MESSAGE_BYTES, {}),
    ],
)
async def test_a_bad_message_comes_back_unchanged_with_the_reason(
    partners: Partners, login: Login, reason: str, body: object, properties: dict[str, Any]
) -> None:
    await partners.publish(login, body, message_id="m-1", **properties)
    reject = await partners.next_reject(login)
    assert reject.headers["reason"] == reason
    assert reject.body == (body if isinstance(body, bytes) else json.dumps(body).encode())
    assert (reject.exchange, reject.correlation_id) == (topology.REJECTS, "m-1")
    assert str(reject.headers["rejected_at"]).startswith("20")
    assert json.loads(str(reject.headers["errors"]))
    await partners.until_empty()
    assert await partners.rows() == []
    assert counted(partners, "orders_amqp_rejected_total", reason=reason) == 1


async def test_only_its_partner_reads_a_reject(partners: Partners, login: Login) -> None:
    other = await partners.let_in(await partners.orders.register(name="Sạp khác"))
    await partners.publish(login, b"{")
    reject = await partners.next_reject(login)
    assert reject.routing_key == str(login.partner_id)
    async with partners.channel(other) as channel:
        queue = await channel.get_queue(login.reject_queue, ensure=False)
        with pytest.raises(ChannelAccessRefused):
            await queue.get(fail=False)
    async with partners.channel(other) as channel:
        queue = await channel.get_queue(other.reject_queue, ensure=False)
        assert await queue.get(fail=False) is None


async def test_the_broker_refuses_a_partner_everything_but_its_own(partners: Partners, login: Login) -> None:
    other = await partners.let_in(await partners.orders.register(name="Sạp khác"))

    async def publish_as_another(channel: AbstractChannel) -> None:
        await send(channel, Login(other.partner_id, login.user, "", other.exchange, ""), push("A-1"))

    async def publish_past_the_exchange(channel: AbstractChannel) -> None:
        await channel.default_exchange.publish(aio_pika.Message(b"{}"), topology.INTAKE)

    async def forge_a_reject(channel: AbstractChannel) -> None:
        exchange = await channel.get_exchange(topology.REJECTS, ensure=False)
        await exchange.publish(aio_pika.Message(b"{}"), str(login.partner_id))

    async def read_the_intake(channel: AbstractChannel) -> None:
        await (await channel.get_queue(topology.INTAKE, ensure=False)).get(fail=False)

    async def declare_a_queue(channel: AbstractChannel) -> None:
        await channel.declare_queue("mine", durable=True)

    async def delete_its_own_queue(channel: AbstractChannel) -> None:
        await channel.queue_delete(login.reject_queue)

    async def unbind_its_exchange(channel: AbstractChannel) -> None:
        await (await channel.get_queue(topology.INTAKE, ensure=False)).unbind(login.exchange)

    for attempt in (
        publish_as_another,
        publish_past_the_exchange,
        forge_a_reject,
        read_the_intake,
        declare_a_queue,
        delete_its_own_queue,
        unbind_its_exchange,
    ):
        async with partners.channel(login) as channel:
            with pytest.raises(ChannelAccessRefused):
                await attempt(channel)
    with pytest.raises(ChannelPreconditionFailed):
        await partners.publish(login, push("A-1"), user_id=other.user)
    with pytest.raises(ChannelClosed):
        await partners.publish(login, b"x" * (MAX_MESSAGE_BYTES + 1))
    url = partners.url(login).rpartition("/")[0] + "/%2F"
    with pytest.raises((aio_pika.exceptions.AMQPConnectionError, ChannelAccessRefused, aio_pika.exceptions.AMQPError)):
        await aio_pika.connect(url)


async def test_a_partner_has_a_limit_of_connections_and_channels(partners: Partners, login: Login) -> None:
    connections = [await aio_pika.connect(partners.url(login)) for _ in range(10)]
    try:
        with pytest.raises(aio_pika.exceptions.AMQPError):
            await aio_pika.connect(partners.url(login))
    finally:
        for connection in connections:
            await connection.close()
    limits = await partners.manage("GET", f"/user-limits/{login.user}")
    assert limits[0]["value"] == {"max-connections": 10, "max-channels": 50}


async def test_what_is_published_after_the_access_was_withdrawn_is_not_taken(partners: Partners, login: Login) -> None:
    async with partners.channel(login) as channel:
        await send(channel, login, push("A-1"))
        await partners.until_stored("A-1")
        await partners.orders.ask("DELETE", f"/v1/partners/{login.partner_id}/amqp-account")
        door_knows = partners.door._receiver.know_accounts
        assert await door_knows() == frozenset()
        await send(channel, login, push("A-2"))
        queue = await channel.get_queue(login.reject_queue, ensure=False)

        async def came() -> bool:
            message = await queue.get(fail=False, no_ack=True)
            return message is not None and message.headers["reason"] == "no_account"

        await until(came)
    assert [row["partner_ref"] for row in await partners.rows()] == ["A-1"]


async def test_what_came_through_no_partners_exchange_is_set_aside(partners: Partners, login: Login) -> None:
    vhost = partners.vhost
    arguments: dict[str, Any] = {"durable": True, "type": "fanout"}
    await partners.manage("PUT", f"/exchanges/{vhost}/orders.stray", arguments)
    await partners.manage("POST", f"/bindings/{vhost}/e/orders.stray/q/{topology.INTAKE}", {})
    stray = {"properties": {}, "routing_key": "", "payload": "?", "payload_encoding": "string"}
    await partners.manage("POST", f"/exchanges/{vhost}/orders.stray/publish", stray)

    async def set_aside() -> bool:
        rows = await partners.orders.fetch("select queue, body from rejected_message")
        return [(row["queue"], bytes(row["body"])) for row in rows] == [(topology.INTAKE, b"?")]

    await until(set_aside)
    await partners.until_empty()


async def test_a_partner_whose_secret_is_rotated_is_read_anew(partners: Partners, login: Login) -> None:
    await partners.publish(login, push("A-1"))
    await partners.until_stored("A-1")
    await partners.orders.ask("POST", f"/v1/partners/{login.partner_id}/secrets")
    await partners.publish(login, push("A-2"))
    await partners.until_stored("A-2")


async def test_messages_of_several_partners_go_to_their_own_orders(partners: Partners, login: Login) -> None:
    shops: list[Shop] = [await partners.orders.register(name=f"Sạp {number}") for number in range(3)]
    logins = [login, *[await partners.let_in(shop) for shop in shops]]
    await asyncio.gather(*(partners.publish(one, push("A-1")) for one in logins))

    async def owners() -> bool:
        found: set[UUID] = {row["partner_id"] for row in await partners.rows()}
        return found == {one.partner_id for one in logins}

    await until(owners)


async def test_two_processes_share_what_comes(partners: Partners, login: Login, stack: Stack) -> None:
    first = partners.door
    metrics = OrderMetrics(CollectorRegistry())
    second = door_module.AmqpDoor(first._broker, first._receiver, 5, metrics)
    running = asyncio.create_task(second.run())

    async def both() -> bool:
        return not second.waits_for

    await until(both)
    assert metrics.amqp_door_open.labels(topology.INTAKE)._value.get() == 1
    async with partners.channel(login) as channel:
        await asyncio.gather(*(send(channel, login, push(f"A-{number}")) for number in range(200)))
    await partners.until_stored(*(f"A-{number}" for number in range(200)))
    second.stop()
    await running
    await partners.until_empty()
