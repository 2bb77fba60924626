"""What partners publish over AMQP, beside the day's pushes: `orders` dies over it, and the broker loses it.

A partner's confirm is the broker's word. What `orders` has not committed when the broker loses it comes back from the
partner only, who publishes again.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import count
from typing import Any

import aio_pika
from aio_pika.exceptions import AMQPError

from infra.demo.client import encode
from infra.demo.pushes import Push
from infra.demo.seed import SeededPartner
from infra.local.processes import accounts_process
from infra.rabbitmq.definitions import PARTNERS_VHOST
from services.orders.amqp import topology
from services.orders.amqp.content import JSON
from tests.chaos.arena import Arena
from tests.chaos.scenario import scenario
from tests.chaos.world import Member

FIRST_NUMBER = 900_000
"""Of orders over AMQP; above those of the day's pushes."""
_STORED = "select partner_id::text, partner_ref, order_id::text from customer_order"


@scenario("killed before the ack of what partners publish")
async def before_ack(arena: Arena) -> None:
    """Orders from the intake are committed, and come again to the next process, where they have no second effect."""
    async with _publishers(arena) as publishers:
        await arena.load.until(0.2)
        for _ in range(2):
            await arena.kill("orders")
            point = f"before_ack=intake*{arena.random.randint(1, 4)}"
            await arena.start_service("orders", ready=False, fault_point=point)
            sent = await _publish(arena, publishers, 6)
            await arena.until_died("orders")
            await arena.until("all that was confirmed is stored", partial(_all_stored, arena, sent))


@scenario("the intake lost with what it held")
async def lost(arena: Arena) -> None:
    """What only the broker had is gone for everybody but the partner; published again, each order has one effect."""
    async with _publishers(arena) as publishers:
        await arena.load.until(0.2)
        before = await _publish(arena, publishers, 4)
        await arena.until("what was published is stored", partial(_all_stored, arena, before))
        await arena.stop("orders")
        held = await _publish(arena, publishers, 6)
        await arena.management("DELETE", f"/queues/{PARTNERS_VHOST}/{topology.INTAKE}")
        await arena.start_service("orders")
        assert not await _stored(arena, held), "the intake was not lost"
        for publisher in publishers:
            await publisher.send([push for push in (*before, *held) if push.partner is publisher.partner])
        await arena.until("what was published again is stored", partial(_all_stored, arena, [*before, *held]))


# -- Partners --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Publisher:
    """A canonical partner with access to the broker, as patient as the platforms that push."""

    member: Member
    partner: SeededPartner
    url: str
    account: dict[str, Any]

    async def send(self, pushes: Sequence[Push]) -> None:
        """Returns when the broker has confirmed each; what was not confirmed is published again."""
        left = list(pushes)
        async with asyncio.timeout(120):
            while left:
                try:
                    async with await aio_pika.connect(self.url) as connection:
                        channel = await connection.channel(on_return_raises=True)
                        exchange = await channel.get_exchange(self.account["exchange"], ensure=False)
                        while left:
                            message = aio_pika.Message(
                                left[0].body, content_type=JSON, user_id=self.account["user"],
                                delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
                            )  # fmt: skip
                            await exchange.publish(message, routing_key="", mandatory=True, timeout=5)
                            del left[0]
                except (AMQPError, OSError):
                    await asyncio.sleep(0.2)


@asynccontextmanager
async def _publishers(arena: Arena) -> AsyncIterator[list[_Publisher]]:
    """One canonical partner of each cooperative, let in by the process that keeps their accounts."""
    accounts = accounts_process(arena.stack)
    await asyncio.to_thread(accounts.start)
    try:
        yield [
            await _let_in(arena, member, shop)
            for member in arena.world.members
            for shop in [next(it for it in member.seeded.partners if it.adapter == "canonical")]
        ]
    finally:
        await asyncio.to_thread(accounts.stop)


async def _let_in(arena: Arena, member: Member, partner: SeededPartner) -> _Publisher:
    staff = arena.client.speaking_as(member.seeded.staff_key)
    account = await staff.ask("orders", "POST", f"/v1/partners/{partner.partner_id}/amqp-account")
    place = f"127.0.0.1:{arena.stack.rabbit.ports.amqp}/{account['vhost']}"
    return _Publisher(member, partner, f"amqp://{account['user']}:{account['password']}@{place}", account)


async def _publish(arena: Arena, publishers: Sequence[_Publisher], each: int) -> list[Push]:
    """New orders of every publisher, confirmed by the broker; from then on each is an order that must be there."""
    pushes = {it.partner.partner_id: [_order(arena, it) for _ in range(each)] for it in publishers}
    await asyncio.gather(*(it.send(pushes[it.partner.partner_id]) for it in publishers))
    sent = [push for its in pushes.values() for push in its]
    for push in sent:
        arena.load.acknowledged[push.partner.partner_id, push.partner_ref] = push
    return sent


_numbers = count(FIRST_NUMBER)


def _order(arena: Arena, publisher: _Publisher) -> Push:
    shop = next(it for it in publisher.member.cooperative.shops if it.adapter == "canonical")
    ref, now = str(next(_numbers)), datetime.now(UTC).replace(microsecond=0)
    lines = tuple((sku, arena.random.randint(1, 3)) for sku in sorted(shop.skus))
    asked = {
        "ref": f"DH-{ref}",
        "updated_at": now.isoformat(),
        "status": "placed",
        "lines": [{"sku": sku, "quantity": str(quantity)} for sku, quantity in lines],
    }
    return Push("over AMQP", publisher.partner, ref, encode({"order": asked}), {}, (), now, lines, False)


async def _stored(arena: Arena, pushes: Sequence[Push]) -> int:
    """How many of them are in the books; their ids are what their partners will be told."""
    rows = {(row["partner_id"], row["partner_ref"]): row["order_id"] for row in await arena.sql("orders", _STORED)}
    found = {key: rows[key] for push in pushes if (key := (push.partner.partner_id, push.partner_ref)) in rows}
    for key, order_id in found.items():
        known = arena.load.order_ids.setdefault(key, order_id)
        assert known == order_id, f"order {key[1]} is another one than before"
    return len(found)


async def _all_stored(arena: Arena, pushes: Sequence[Push]) -> bool:
    return await _stored(arena, pushes) == len(pushes)
