"""Whose messages are sent next: endpoints take turns, and each has one batch under way over all processes."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

from services.chassis.ledger import Transaction
from services.notify.domain.partner_messages import MessageClaim
from services.notify.store.partner_messages import let_go, release_endpoint, take_batch
from tests.integration.notify.peers import Mailbox, Pushed, Receiver, receiver
from tests.integration.notify.senders import Clock, sender
from tests.integration.notify.world import World

LEASE = timedelta(seconds=30)


def another(world: World, partner: World | None = None) -> World:
    """The next order of this partner, or of a partner of its own."""
    same = {"partner": partner.partner} if partner else {}
    return World(world.service, cooperative=world.cooperative, cabbage=world.cabbage, **same)


async def order(world: World) -> None:
    await world.apply(world.placed("CAI"), world.promised())


async def take(
    world: World, now: datetime, limit: int = 50, kinds: tuple[str, ...] | None = None
) -> list[MessageClaim]:
    """Takes a batch in hand, as another process would."""

    async def work(tx: Transaction) -> list[MessageClaim]:
        return await take_batch(tx.conn, now, LEASE, 50)

    return await world.service.runtime.ledger.transact(work)


async def test_two_processes_probe_a_hanging_endpoint_once(world: World, shop: Receiver) -> None:
    await world.listen(shop.url)
    for _ in range(5):
        await order(another(world, world))
    await world.service.runtime.pool.execute("update partner_endpoint set timeouts = 3, failing_since = now()")
    begun, released = asyncio.Event(), asyncio.Event()

    async def wait(_: Pushed) -> str:
        begun.set()
        await released.wait()
        return "500 Broken"

    shop.answer = wait
    clock = Clock()
    async with sender(world, clock) as one, sender(world, clock) as two:
        probing = asyncio.create_task(one.send_due(clock.now))
        await begun.wait()
        assert await two.send_due(clock.now) is False
        assert await world.run("send_webhooks") is False
        assert len(shop.pushed) == 1
        released.set()
        assert await probing is True
        assert await two.send_due(clock.now) is True
    assert len(shop.pushed) == 5, "it answers, so the others follow"


async def test_processes_that_claim_at_once_take_different_endpoints(world: World, shop: Receiver) -> None:
    partners = [another(world) for _ in range(4)]
    for partner in partners:
        await partner.listen(shop.url)
        for _ in range(3):
            await order(another(world, partner))
    now = datetime.now(UTC)
    batches = await asyncio.gather(*(take(world, now) for _ in range(8)))
    taken = [{claim.endpoint.partner_id for claim in batch} for batch in batches if batch]
    assert all(len(partners) == 1 for partners in taken)
    assert len(set.union(*taken)) == len(taken)
    ids = [claim.id for batch in batches for claim in batch]
    assert len(ids) == len(set(ids)) == 3 * len(taken)


async def test_a_flood_of_one_partner_delays_no_other(world: World, shop: Receiver) -> None:
    await world.listen(shop.url)
    for _ in range(120):
        await order(another(world, world))
    async with receiver() as patient:
        other = another(world)
        await other.listen(patient.url)
        await order(other)
        await world.run("send_webhooks")
        await world.run("send_webhooks")
        assert (len(shop.pushed), len(patient.pushed)) == (50, 1)
    await world.run("send_webhooks")
    await world.run("send_webhooks")
    assert len(shop.pushed) == 120


async def test_a_batch_that_a_killed_process_had_is_free_after_its_time_and_its_result_is_nobodys(
    world: World, shop: Receiver
) -> None:
    await world.listen(shop.url)
    await order(world)
    now = datetime.now(UTC)
    (killed,) = await take(world, now)
    assert await take(world, now + LEASE - timedelta(seconds=1)) == []
    (again,) = await take(world, now + LEASE)
    assert (again.id, again.attempts) == (killed.id, 2)

    async def come_back(tx: Transaction) -> None:
        await release_endpoint(tx.conn, (world.cooperative, world.partner), killed.claimed_at)

    await world.service.runtime.ledger.transact(come_back)
    await order(another(world, world))
    assert await take(world, now + LEASE) == [], "the batch of the new process is under way"


async def test_where_all_that_is_due_waits_for_another_message_the_endpoint_is_passed_over(
    world: World, shop: Receiver
) -> None:
    await world.listen(shop.url)
    await world.apply(world.promised(), world.shorted(25, 15))
    await world.service.runtime.pool.execute(
        "update partner_message set next_at = now() + interval '1 h' where kind = 'order_promised'"
    )
    assert await take(world, datetime.now(UTC)) == []
    other = another(world)
    await other.listen(shop.url)
    await order(other)
    assert [claim.endpoint.partner_id for claim in await take(world, datetime.now(UTC))] == [other.partner]


async def test_kinds_of_a_newer_version_are_left_to_it(world: World, shop: Receiver, mail: Mailbox) -> None:
    await world.reach()
    await world.listen(shop.url)
    await world.apply(world.promised(), world.basket())
    pool = world.service.runtime.pool
    await pool.execute("update partner_message set kind = 'order_weighed'")
    await pool.execute("update notice set kind = 'balance'")
    assert await world.run("send_webhooks") is False
    assert await world.run("send_email") is False
    assert await world.run("settle_interrupted_email", after=timedelta(hours=1)) is False
    assert [m["type"] for m in await world.messages()] == ["order_weighed"]
    assert await world.run("let_go_of_webhooks") is False
    await pool.execute("update partner_message set kind = 'order_promised'")
    await pool.execute("update notice set kind = 'basket'")
    await world.run("send_webhooks")
    await world.run("send_email")
    assert (len(shop.pushed), len(mail.letters)) == (1, 1)


async def test_what_waits_for_a_disabled_endpoint_is_let_go_and_only_the_newest_word_can_be_resent(
    world: World, shop: Receiver
) -> None:
    await world.listen(shop.url)
    await world.apply(world.promised(), world.promised(20))
    await order(another(world, world))
    await world.service.runtime.pool.execute("update partner_endpoint set disabled_at = now()")
    assert await world.run("send_webhooks") is False
    assert await world.run("let_go_of_webhooks") is False
    assert await world.partner_states() == [
        ("superseded", 0, None), ("undeliverable", 0, "endpoint_disabled"), ("undeliverable", 0, "endpoint_disabled"),
    ]  # fmt: skip
    said = [json.loads(event["data"]) for event in await world.events()]
    assert sorted(e["kind"] for e in said) == ["order_changed", "order_promised"]
    assert {(e["channel"], e["reason"]) for e in said} == {("webhook", "endpoint_disabled")}
    text = (await world.service.client.get("/metrics")).text
    assert 'notify_notices_settled_total{kind="order_promised",state="superseded"} 1.0' in text
    assert 'notify_notices_settled_total{kind="order_changed",state="undeliverable"} 1.0' in text
    assert shop.pushed == []


async def test_what_is_being_sent_while_its_endpoint_is_deleted_is_let_go_when_its_time_is_over(
    world: World, shop: Receiver
) -> None:
    await world.listen(shop.url)
    await order(world)
    now = datetime.now(UTC)
    (claim,) = await take(world, now)
    path = f"/v1/partners/{world.partner}/webhook"
    assert (await world.service.client.delete(path, headers=await world.staff())).status_code == 204

    async def work(at: datetime, tx: Transaction) -> int:
        return len(await let_go(tx.conn, at, LEASE, 50))

    ledger = world.service.runtime.ledger
    assert await ledger.transact(lambda tx: work(now, tx)) == 0
    assert await ledger.transact(lambda tx: work(now + LEASE, tx)) == 1
    assert [m["reason"] for m in await world.messages()] == ["no_endpoint"]
    assert claim.attempts == 1
