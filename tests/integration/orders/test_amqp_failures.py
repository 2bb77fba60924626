"""What breaks around the AMQP door: nothing is lost, nobody holds up the others, and it heals without help."""

import asyncio
import contextlib
import json
import struct
from collections.abc import AsyncIterator, Set
from urllib.error import HTTPError
from uuid import UUID

import aio_pika
import httpx
import pytest
from aio_pika.exceptions import DeliveryError
from pydantic import SecretStr

from infra.local.ports import choose_ports
from infra.local.stack import Stack
from services.chassis.ledger import Transaction
from services.chassis.serve import Process
from services.orders.amqp import door as door_module
from services.orders.amqp import rejects as rejects_module
from services.orders.amqp import topology
from services.orders.app import service
from services.orders.store.books import hold_gates
from services.orders.store.partners import get_partner
from tests.integration.orders.partners import Login, Partners, partners_of, push, send
from tests.integration.orders.raw_properties import RawMessage, short, table
from tests.support.node import until
from tests.support.servers import fresh_vhost


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


async def test_a_deleted_intake_queue_or_exchange_comes_back(partners: Partners, login: Login) -> None:
    for number, place in enumerate(
        (
            f"queues/{partners.vhost}/{topology.INTAKE}",
            f"exchanges/{partners.vhost}/{login.exchange}",
            f"queues/{partners.vhost}/{login.reject_queue}",
        )
    ):
        await partners.manage("DELETE", f"/{place}")
        await partners.until_there(login)
        await partners.publish(login, push(f"A-{number}"))
        await partners.until_stored(f"A-{number}")


async def test_whatever_led_to_a_deleted_intake_queue_leads_there_again_in_one_turn(
    partners: Partners, login: Login, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door_module, "MOST_AGAIN", 0)
    declared: list[list[UUID]] = []
    following = door_module.Turns.next

    def kept(turns: door_module.Turns, accounts: Set[UUID]) -> list[UUID]:
        declared.append(following(turns, accounts))
        return declared[-1]

    async def it_is_passed_over() -> bool:
        return declared[-1:] == [[]]

    monkeypatch.setattr(door_module.Turns, "next", kept)
    await until(it_is_passed_over)
    await partners.manage("DELETE", f"/queues/{partners.vhost}/{topology.INTAKE}")
    await partners.until_there(login)
    await partners.publish(login, push("A-1"))
    await partners.until_stored("A-1")


async def test_a_reject_whose_queue_is_gone_gets_it_back(
    partners: Partners, login: Login, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door_module, "GUARD_EVERY_S", 60)
    await partners.manage("DELETE", f"/queues/{partners.vhost}/{login.reject_queue}")
    await partners.publish(login, b"{")
    await partners.until_empty()  # handed back before it is acknowledged
    assert (await partners.next_reject(login)).headers["reason"] == "malformed"


async def test_rejects_that_the_broker_does_not_take_hold_up_nobody_else_and_come_later(
    partners: Partners, login: Login, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = asyncio.Event()

    async def refuse(*_: object) -> None:
        refused.set()
        raise TimeoutError

    async def is_held() -> bool:
        """The node counts a little later."""
        return await partners.held() > 0

    with monkeypatch.context() as silence:
        silence.setattr(rejects_module.Rejects, "_publish", refuse)
        await partners.publish(login, b"{")
        await refused.wait()
        for number in range(5):
            await partners.publish(login, push(f"A-{number}"))
        await partners.until_stored(*(f"A-{number}" for number in range(5)))
        assert not partners.door.waits_for
        await until(is_held)
    assert (await partners.next_reject(login)).headers["reason"] == "malformed"
    await partners.until_empty()
    assert await partners.orders.names() == ["order_placed"] * 5


async def test_lost_connections_heal_and_nothing_is_lost(partners: Partners, login: Login) -> None:
    async def connections() -> list[str]:
        found = await partners.manage("GET", f"/vhosts/{partners.vhost}/connections")
        return [it["name"] for it in found if it.get("user") == "orders"]

    async def all_are_listed() -> bool:
        return len(await connections()) == 3

    await until(all_are_listed)
    for name in await connections():
        with contextlib.suppress(HTTPError):  # the door gives up the others when one is lost
            await partners.manage("DELETE", f"/connections/{name.replace(' ', '%20').replace('>', '%3E')}")
    for number in range(5):
        await partners.publish(login, push(f"A-{number}"))
    await partners.until_stored(*(f"A-{number}" for number in range(5)))
    await partners.until_empty()


async def test_a_virtual_host_that_is_made_anew_is_filled_again(partners: Partners, login: Login) -> None:
    await asyncio.to_thread(partners.stack.rabbit.management.delete_vhost, partners.vhost)

    async def says_so() -> bool:
        return partners.door.waits_for == ["the partners' broker is away"]

    await until(says_so)
    await asyncio.to_thread(partners.stack.rabbit.management.create_partners_vhost, partners.vhost)
    assert await partners.accounts.reconcile() == 1
    await partners.until_there(login)
    await partners.publish(login, push("A-1"))
    await partners.until_stored("A-1")


async def test_messages_wait_while_the_database_is_away(partners: Partners, login: Login, stack: Stack) -> None:
    await partners.publish(login, push("A-0"))
    await partners.until_stored("A-0")
    await asyncio.to_thread(stack.postgres.stop)
    try:
        for number in range(1, 6):
            await partners.publish(login, push(f"A-{number}"))
    finally:
        await asyncio.to_thread(stack.postgres.start)
    await partners.until_stored(*(f"A-{number}" for number in range(6)))
    await partners.until_empty()
    assert len(await partners.orders.names()) == 6


async def test_a_door_that_is_shut_leaves_what_it_has_not_taken(partners: Partners, login: Login, stack: Stack) -> None:
    async with partners.channel(login) as channel:
        sending = asyncio.gather(*(send(channel, login, push(f"A-{number}")) for number in range(300)))
        await partners.until_stored("A-0")
        await partners.shut()
        await sending

    there: set[str] = set()
    async with await aio_pika.connect(stack.rabbit.amqp_url("orders", partners.vhost)) as connection:
        intake = await (await connection.channel()).get_queue(topology.INTAKE)

        async def each_is_here_or_there() -> bool:
            """What was in hand comes back a little later, and so may what was stored and not acknowledged in time."""
            while message := await intake.get(no_ack=True, fail=False):
                there.add(json.loads(message.body)["order"]["ref"])
            here = {row["partner_ref"] for row in await partners.rows()}
            return here | there == {f"A-{number}" for number in range(300)}

        await until(each_is_here_or_there)


async def test_a_full_intake_says_no_to_the_publisher(partners: Partners) -> None:
    await partners.open()
    login = await partners.let_in()
    await partners.shut()
    policy = {"pattern": "^orders\\.intake$", "definition": {"max-length": 3}, "apply-to": "queues"}
    await partners.manage("PUT", f"/policies/{partners.vhost}/full", policy)
    async with partners.channel(login) as channel:

        async def refused() -> bool:
            try:
                await send(channel, login, push("A-1"))
            except DeliveryError:
                return True
            return False

        await until(refused)


async def test_a_worker_opens_the_door_and_says_when_it_is_shut(partners: Partners, stack: Stack) -> None:
    (port,) = choose_ports([None])
    async with fresh_vhost(stack) as vhost:
        url = SecretStr(stack.rabbit.amqp_url("orders", vhost))
        settings = partners.orders.running.runtime.settings.model_copy(update={"amqp_url": url, "http_port": port})
        stopped = asyncio.Event()
        running = asyncio.create_task(Process(service, settings, "worker", range(2)).run(stopped))
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:

            async def says(words: str) -> bool:
                try:
                    return words in (await client.get("/readyz")).text
                except httpx.TransportError:
                    return False

            await until(lambda: says('"ready"'))
            login = await partners.let_in()
            await partners.publish(login, push("A-1"))
            await partners.until_stored("A-1")
            assert "orders_pushed_total" in (await client.get("/metrics")).text
            await asyncio.to_thread(stack.rabbit.management.delete_vhost, partners.vhost)
            await until(lambda: says("the partners' broker is away"))
            await asyncio.to_thread(stack.rabbit.management.create_partners_vhost, partners.vhost)
            await until(lambda: says('"ready"'))
        stopped.set()
        await running


async def test_a_cooperative_whose_gate_is_held_does_not_hold_up_another(partners: Partners, login: Login) -> None:
    elsewhere = await partners.orders.register_elsewhere()
    partner = await get_partner(partners.orders.running.runtime.pool, elsewhere.partner_id)
    assert partner is not None
    key = await partners.orders.running.key("staff", partner.cooperative_id)
    told = await partners.orders.ask("POST", f"/v1/partners/{partner.partner_id}/amqp-account", key=key)
    told.pop("vhost")
    other = Login(partner.partner_id, **told)
    await partners.accounts.reconcile()
    await partners.until_there(other)
    held, may_go = asyncio.Event(), asyncio.Event()

    async def hold(tx: Transaction) -> None:
        await hold_gates(tx.conn, [partner.cooperative_id])
        held.set()
        await may_go.wait()

    holding = asyncio.create_task(partners.orders.running.runtime.ledger.transact(hold))
    await held.wait()
    async with partners.channel(other) as channel:
        await asyncio.gather(*(send(channel, other, push(f"B-{number}")) for number in range(300)))
    async with partners.channel(login) as channel:
        await asyncio.gather(*(send(channel, login, push(f"A-{number}")) for number in range(600)))
    await partners.until_stored(*(f"A-{number}" for number in range(600)))
    assert len(await partners.rows()) == 600
    may_go.set()
    await holding
    await partners.until_stored(*(f"B-{number}" for number in range(300)))
    await partners.until_empty()


async def test_properties_that_nobody_can_read_do_not_shut_the_door(partners: Partners, login: Login) -> None:
    micros = struct.pack(">Q", 1_790_000_000_000_000)
    odd = (
        {"timestamp": micros},
        {"message_id": short(b"\xff\xfe")},
        {"headers": table(short(b"at") + b"T" + micros)},
        {"headers": table(short(b"\xff") + b"t\x01")},
    )
    async with partners.channel(login) as channel:
        exchange = await channel.get_exchange(login.exchange, ensure=False)
        for number, properties in enumerate(odd):
            message = RawMessage(json.dumps(push(f"A-{number}")).encode(), login.user, **properties)
            await exchange.publish(message, "", mandatory=True)
        await exchange.publish(RawMessage(b"{", login.user, content_type=short(b"\xff" * 255)), "", mandatory=True)
        await send(channel, login, push("A-9"))
    await partners.until_stored("A-0", "A-1", "A-2", "A-3", "A-9")
    reject = await partners.next_reject(login)
    assert (reject.headers["reason"], reject.content_type) == ("content_type", "?" * 255)
    await partners.until_empty()
