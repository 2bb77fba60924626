"""Partners at a real broker: a virtual host of their own, `orders` with its door open, and accounts."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote
from uuid import UUID

import aio_pika
import httpx
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage
from aio_pika.exceptions import QueueEmpty
from pydantic import SecretStr

from infra.local.stack import Stack
from infra.rabbitmq.definitions import ADMIN
from services.orders.amqp import topology
from services.orders.amqp.accounts import BrokerUsers
from services.orders.amqp.command import Accounts
from services.orders.amqp.content import JSON
from services.orders.amqp.door import AmqpDoor
from tests.integration.orders.conftest import Orders, Shop, line, market, order
from tests.support.node import until
from tests.support.servers import partners_vhost


@dataclass(frozen=True, slots=True)
class Login:
    """What a partner was told."""

    partner_id: UUID
    user: str
    password: str
    exchange: str
    reject_queue: str


@dataclass
class Partners:
    """What a test works with."""

    stack: Stack
    orders: Orders
    vhost: str
    accounts: Accounts
    running: asyncio.Task[None] | None = field(init=False, default=None)

    @property
    def door(self) -> AmqpDoor:
        """The door of the service."""
        (door,) = self.orders.running.parts.doors
        assert isinstance(door, AmqpDoor)
        return door

    async def open(self) -> None:
        """Lets the door take in; returns when it does."""
        self.running = asyncio.create_task(self.door.run())
        await until(self._is_open)

    async def _is_open(self) -> bool:
        assert self.running is not None
        assert not self.running.done()
        return not self.door.waits_for

    async def shut(self) -> None:
        """Stops the door as SIGTERM does."""
        if self.running is not None:
            self.door.stop()
            await self.running
            self.running = None

    async def give_account(self, shop: Shop | None = None) -> Login:
        """Staff give AMQP access, and the broker learns of it."""
        partner_id = (shop or self.orders.shop).partner_id
        told = await self.orders.ask("POST", f"/v1/partners/{partner_id}/amqp-account")
        assert told.pop("vhost") == self.vhost
        await self.accounts.reconcile()
        return Login(partner_id, **told)

    async def let_in(self, shop: Shop | None = None) -> Login:
        """An account whose exchange the door has declared."""
        login = await self.give_account(shop)
        await self.until_there(login)
        return login

    async def until_there(self, login: Login) -> None:
        """Returns when the partner's exchange leads to the intake and its queue of rejects is there."""

        async def is_there() -> bool:
            bindings = await self.manage("GET", f"/bindings/{self.vhost}")
            wanted = {(login.exchange, topology.INTAKE), (topology.REJECTS, login.reject_queue)}
            return wanted <= {(it["source"], it["destination"]) for it in bindings}

        await until(is_there)

    def url(self, login: Login, password: str | None = None) -> str:
        """The partner's address of the broker."""
        place = f"127.0.0.1:{self.stack.rabbit.ports.amqp}/{quote(self.vhost, safe='')}"
        return f"amqp://{login.user}:{password or login.password}@{place}"

    @asynccontextmanager
    async def channel(self, login: Login) -> AsyncIterator[AbstractChannel]:
        """A channel of the partner."""
        async with await aio_pika.connect(self.url(login)) as connection:
            yield await connection.channel(on_return_raises=True)

    async def publish(self, login: Login, body: object, **properties: Any) -> None:
        """One message of the partner, confirmed by the broker."""
        async with self.channel(login) as channel:
            await send(channel, login, body, **properties)

    async def next_reject(self, login: Login) -> AbstractIncomingMessage:
        """The oldest reject, waited for by the partner, and taken out."""
        found: list[AbstractIncomingMessage] = []
        async with self.channel(login) as channel:
            queue = await channel.get_queue(login.reject_queue, ensure=False)

            async def came() -> bool:
                try:
                    message = await queue.get(no_ack=True)
                except QueueEmpty:
                    return False
                assert message is not None
                found.append(message)
                return True

            await until(came)
        return found[0]

    async def until_stored(self, *refs: str) -> None:
        """Returns when orders of these references are in the books."""

        async def stored() -> bool:
            return {*refs} <= {row["partner_ref"] for row in await self.rows()}

        await until(stored)

    async def rows(self) -> list[Any]:
        """All orders in the books."""
        return [*await self.orders.fetch("select order_id, partner_id, partner_ref from customer_order")]

    async def until_empty(self) -> None:
        """Returns when the intake holds nothing, acknowledged or not."""

        async def empty() -> bool:
            return await self.held() == 0

        await until(empty)

    async def held(self) -> int:
        """Messages in the intake queue; asked of the node, since what management says is old."""
        name = f'rabbit_misc:r(<<"{self.vhost}">>, queue, <<"{topology.INTAKE}">>)'
        expression = (
            f"{{ok, Q}} = rabbit_amqqueue:lookup({name}), [{{messages, N}}] = rabbit_amqqueue:info(Q, [messages]), N."
        )
        return int(await asyncio.to_thread(self.stack.rabbit.evaluate, expression))

    async def manage(self, method: str, path: str, body: Any = None) -> Any:
        """A request to the broker as its administrator."""
        return await asyncio.to_thread(self.stack.rabbit.management.request, method, path, body)


def push(ref: str, *lines: dict[str, object], **other: Any) -> dict[str, object]:
    """The body of a message with one order; of two su su where no lines are given."""
    return {"order": order(ref, *(lines or [line("SU-SU", 2)]), **other)}


async def send(channel: AbstractChannel, login: Login, body: object, **properties: Any) -> None:
    """Publishes through the partner's exchange; raises where the broker does not confirm."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    given = {"user_id": login.user, "content_type": JSON} | properties
    exchange = await channel.get_exchange(login.exchange, ensure=False)
    await exchange.publish(aio_pika.Message(raw, **given), routing_key="", mandatory=True)


@asynccontextmanager
async def partners_of(stack: Stack) -> AsyncIterator[Partners]:
    """Vân Hồ's market with a door that is not open yet."""
    async with partners_vhost(stack) as vhost:
        url = SecretStr(stack.rabbit.amqp_url("orders", vhost))
        async with market(stack, partners_amqp_url=url) as orders, management(stack) as client:
            accounts = Accounts(orders.running.runtime.pool, BrokerUsers(client, vhost), vhost)
            found = Partners(stack, orders, vhost, accounts)
            try:
                yield found
            finally:
                await found.shut()
                await orders.fetch("delete from amqp_account")
                await accounts.reconcile()


@asynccontextmanager
async def management(stack: Stack) -> AsyncIterator[httpx.AsyncClient]:
    """The broker's management, as `accounts` speaks to it."""
    login, url = (ADMIN, stack.credentials.rabbit_admin), stack.rabbit.management.url
    async with httpx.AsyncClient(base_url=url, auth=login, timeout=60, trust_env=False) as client:
        yield client
