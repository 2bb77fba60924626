"""Partners are told by signed webhooks, which an independent library verifies."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from msgspec.structs import replace
from standardwebhooks import Webhook

from services.chassis.ledger import Transaction
from services.chassis.standard_webhooks import new_secret
from services.notify.domain.partner_messages import MessageClaim
from services.notify.store.partner_messages import take_batch
from tests.integration.notify.peers import Pushed, Receiver, receiver
from tests.integration.notify.world import DAY, World

AFTER_5_S, AFTER_6_MIN, LEASE = timedelta(seconds=6), timedelta(minutes=6), timedelta(seconds=6)


def verified(secret: str, pushed: Pushed) -> Any:
    """The body, as the library for receivers returns it."""
    return Webhook(secret).verify(pushed.body, pushed.headers)


async def test_a_partner_receives_the_promise_signed(world: World, shop: Receiver) -> None:
    secret = await world.listen(shop.url)
    (promised,) = await world.apply(world.promised(20))
    await world.run("send_webhooks")
    (pushed,) = shop.pushed
    (message,) = await world.messages()
    assert pushed.path == "/hooks"
    assert pushed.headers["webhook-id"] == message["notice_id"]
    assert pushed.headers["content-type"] == "application/json"
    assert verified(secret, pushed) == {
        "type": "order.promised",
        "timestamp": promised.time.isoformat(),
        "data": {
            "order_id": str(world.order),
            "partner_ref": "DH-1",
            "sequence": promised.sequence,
            "lines": [
                {
                    "line_no": 1,
                    "sku": "CAI",
                    "product": "Cải mèo",
                    "unit": "kg",
                    "ordered": "12.5",
                    "promised": "10",
                    "short": "2.5",
                    "cancelled": "0",
                    "ordered_steps": 25,
                    "promised_steps": 20,
                    "short_steps": 5,
                    "cancelled_steps": 0,
                    "reason": "sold_out",
                    "why_vi": "Đã hết hàng: số khách đặt nhiều hơn số chào bán.",
                    "why_en": "Sold out: more was ordered than was on offer.",
                }
            ],
            "refused_lines": [{"line_no": 2, "sku": "LA", "reason": "unknown_sku"}],
        },
    }
    assert message["state"] == "told"
    (event,) = await world.events()
    said = json.loads(event["data"])
    assert (said["kind"], said["channel"], said["order_id"]) == ("order_promised", "webhook", str(world.order))


async def test_a_partner_is_told_of_a_shortage(world: World, shop: Receiver) -> None:
    secret = await world.listen(shop.url, new_secret())
    await world.apply(world.promised())
    await world.run("send_webhooks")
    await world.apply(world.shorted(25, 15))
    await world.run("send_webhooks")
    first, second = (verified(secret, pushed) for pushed in shop.pushed)
    assert second["type"] == "order.shorted"
    assert second["data"]["sequence"] > first["data"]["sequence"]
    (line,) = second["data"]["lines"]
    assert (line["before"], line["after"], line["reason"]) == ("12.5", "7.5", "pledges_reduced")
    assert line["why_vi"].startswith("Sau khi hứa với khách, số các hộ đăng ký giảm xuống")
    assert line["why_en"].startswith("After the promise the households' pledges were lowered")


async def test_messages_about_one_order_leave_in_its_order(world: World, shop: Receiver) -> None:
    secret = await world.listen(shop.url)
    await world.apply(world.promised(), world.shorted(25, 15), world.shorted(15, 10))
    for sent in (1, 2, 3):
        await world.run("send_webhooks")
        assert len(shop.pushed) == sent
    said = [verified(secret, pushed) for pushed in shop.pushed]
    assert [body["type"] for body in said] == ["order.promised", "order.shorted", "order.shorted"]
    sequences = [body["data"]["sequence"] for body in said]
    assert sequences == sorted(sequences)


async def test_a_partner_is_told_what_was_delivered(world: World, shop: Receiver) -> None:
    secret = await world.listen(shop.url)
    _, shorted, delivered = await world.apply(world.promised(), world.shorted(25, 15), world.delivered(15))
    for _ in range(3):
        await world.run("send_webhooks")
    assert [verified(secret, pushed)["type"] for pushed in shop.pushed] == [
        "order.promised",
        "order.shorted",
        "order.delivered",
    ]
    said = verified(secret, shop.pushed[-1])
    assert (said["timestamp"], said["data"]["delivery_day"]) == (delivered.time.isoformat(), DAY.isoformat())
    assert said["data"]["sequence"] > shorted.sequence
    (line,) = said["data"]["lines"]
    assert (line["sku"], line["delivered"], line["delivered_steps"]) == ("CAI", "7.5", 15)
    event = json.loads((await world.events())[-1]["data"])
    assert (event["kind"], event["order_id"]) == ("order_delivered", str(world.order))


async def test_what_was_delivered_is_told_though_the_promise_goes_on_and_a_promise_that_comes_late_is_known_as_older(
    world: World, shop: Receiver
) -> None:
    secret = await world.listen(shop.url)
    shop.say("500 Broken")
    await world.apply(world.promised(), world.delivered(15))
    await world.run("send_webhooks")
    await world.run("send_webhooks")
    shop.say("200 OK")
    await world.apply(world.promised(20))  # a line for another day has come to it
    for _ in range(3):
        await world.run("send_webhooks", after=AFTER_6_MIN)
    said = [verified(secret, pushed) for pushed in shop.pushed[2:]]
    assert {body["type"] for body in said} == {"order.delivered", "order.changed"}
    newest = max(said, key=lambda body: body["data"]["sequence"])
    assert newest["type"] == "order.changed"
    assert [state for state, _, _ in await world.partner_states()] == ["superseded", "told", "told"]


async def test_what_is_overtaken_before_it_got_through_is_not_sent(world: World, shop: Receiver) -> None:
    secret = await world.listen(shop.url)
    await world.apply(world.promised(), world.shorted(25, 15), world.promised(15))
    for _ in range(4):
        await world.run("send_webhooks")
    (pushed,) = shop.pushed
    said = verified(secret, pushed)
    assert (said["type"], said["data"]["lines"][0]["promised_steps"]) == ("order.changed", 15)
    assert await world.partner_states() == [("superseded", 0, None), ("superseded", 0, None), ("told", 1, None)]
    assert [json.loads(e["data"])["kind"] for e in await world.events()] == ["order_changed"]


async def test_what_failed_is_overtaken_too(world: World, shop: Receiver) -> None:
    await world.listen(shop.url)
    await world.apply(world.promised())
    shop.say("500 Broken")
    await world.run("send_webhooks")
    shop.say("200 OK")
    await world.apply(world.promised(15))
    await world.run("send_webhooks")
    await world.run("send_webhooks", after=AFTER_5_S)
    assert len(shop.pushed) == 2
    assert await world.partner_states() == [("superseded", 1, None), ("told", 1, None)]


async def test_a_partner_is_told_of_a_cancellation_once(world: World, shop: Receiver) -> None:
    secret = await world.listen(shop.url)
    await world.apply(world.promised())
    await world.run("send_webhooks")
    cancelled, _ = await world.apply(world.cancelled(), world.cancelled())
    await world.run("send_webhooks")
    await world.run("send_webhooks")
    said = [verified(secret, pushed) for pushed in shop.pushed]
    assert [body["type"] for body in said] == ["order.promised", "order.cancelled"]
    assert said[1]["data"] == {"order_id": str(world.order), "partner_ref": "DH-1"}
    assert said[1]["timestamp"] == cancelled.time.isoformat()
    assert shop.pushed[1].headers["webhook-id"] == str(cancelled.id)


async def test_a_cancellation_overtakes_what_waits_and_a_promise_from_before_it_is_not_told(
    world: World, shop: Receiver
) -> None:
    secret = await world.listen(shop.url)
    await world.apply(world.promised(), world.cancelled(), world.promised(20))
    for _ in range(3):
        await world.run("send_webhooks")
    assert [verified(secret, pushed)["type"] for pushed in shop.pushed] == ["order.cancelled"]
    assert await world.partner_states() == [("superseded", 0, None), ("told", 1, None)]


async def test_a_cancellation_waits_while_the_promise_before_it_is_being_sent(world: World, shop: Receiver) -> None:
    await world.listen(shop.url)
    (promised,) = await world.apply(world.promised())
    now = datetime.now(UTC)

    async def claim(tx: Transaction) -> list[MessageClaim]:
        return await take_batch(tx.conn, now, LEASE, 50)

    ledger = world.service.runtime.ledger
    assert [c.id for c in await ledger.transact(claim)] == [promised.id]
    (cancelled,) = await world.apply(world.cancelled(), at=now)
    now += LEASE / 2
    assert await ledger.transact(claim) == []
    now += LEASE
    taken = {c.id: c.overtaken for c in await ledger.transact(claim)}
    assert taken == {promised.id: True}
    now += LEASE
    await world.run("send_webhooks", after=3 * LEASE)
    await world.run("send_webhooks", after=3 * LEASE)
    assert [p.headers["webhook-id"] for p in shop.pushed] == [str(cancelled.id)]


async def test_an_order_that_its_partner_takes_up_again_is_told_again(world: World, shop: Receiver) -> None:
    secret = await world.listen(shop.url)
    await world.apply(world.promised(), world.cancelled(), world.placed("CAI"), world.promised(20))
    for _ in range(4):
        await world.run("send_webhooks")
    (pushed,) = shop.pushed
    assert verified(secret, pushed)["type"] == "order.changed"
    assert [state for state, _, _ in await world.partner_states()] == ["superseded", "superseded", "told"]


async def test_a_partner_without_an_endpoint_is_left_in_peace(world: World, shop: Receiver) -> None:
    await world.apply(world.promised())
    await world.listen(shop.url)
    await world.run("send_webhooks")
    assert (shop.pushed, await world.messages(), await world.events()) == ([], [], [])
    await world.apply(world.promised(20))
    await world.run("send_webhooks")
    assert len(shop.pushed) == 1


async def test_a_promise_for_an_order_or_a_line_that_is_lost_holds_up_nothing(world: World, shop: Receiver) -> None:
    await world.listen(shop.url)
    promised = world.promised()
    lost_line = replace(promised.lines[0], line_no=99)
    await world.apply(
        replace(promised, order_id=uuid4()),
        replace(promised, lines=(*promised.lines, lost_line)),
        promised,
    )
    await world.run("send_webhooks")
    assert len(shop.pushed) == 1


async def test_the_endpoint_of_another_cooperative_hears_nothing(world: World, shop: Receiver) -> None:
    elsewhere = World(world.service, partner=world.partner)
    await elsewhere.open()
    await elsewhere.listen(shop.url)
    await world.apply(world.promised())
    await world.run("send_webhooks")
    assert shop.pushed == []


async def test_a_failed_webhook_is_sent_again_with_the_same_id_and_body(world: World, shop: Receiver) -> None:
    secret = await world.listen(shop.url)
    await world.apply(world.promised())
    shop.say("503 Busy")
    await world.run("send_webhooks")
    assert await world.partner_states() == [("queued", 1, "http_503")]
    await world.run("send_webhooks")
    await world.run("send_webhooks", after=AFTER_5_S)
    shop.say("200 OK")
    await world.run("send_webhooks", after=timedelta(seconds=60))
    assert len(shop.pushed) == 2
    await world.run("send_webhooks", after=AFTER_6_MIN)
    assert len(shop.pushed) == 3
    assert len({p.headers["webhook-id"] for p in shop.pushed}) == 1
    assert len({json.dumps(verified(secret, p)) for p in shop.pushed}) == 1
    assert await world.partner_states() == [("told", 3, None)]


async def test_after_the_last_try_the_partner_counts_as_not_told(world: World, shop: Receiver) -> None:
    await world.listen(shop.url)
    await world.apply(world.promised())
    shop.say("500 Broken")
    for _ in range(12):
        await world.service.runtime.pool.execute("update partner_message set next_at = now() where next_at is not null")
        await world.run("send_webhooks")
    assert len(shop.pushed) == 10
    assert await world.partner_states() == [("undeliverable", 10, "gave_up")]
    assert [json.loads(e["data"])["reason"] for e in await world.events()] == ["gave_up"]


async def test_an_address_that_leads_inward_fails_and_is_tried_again_like_any_other(world: World) -> None:
    await world.listen("https://x.vn/hooks")
    await world.service.runtime.pool.execute("update partner_endpoint set url = 'http://10.0.0.1:8080/hooks'")
    await world.apply(world.promised())
    await world.run("send_webhooks")
    assert await world.partner_states() == [("queued", 1, "address_not_public")]


async def test_redirects_are_not_followed(world: World, shop: Receiver) -> None:
    await world.listen(shop.url)
    await world.apply(world.promised())
    shop.say(f"307 Elsewhere\r\nlocation: {shop.url}")
    await world.run("send_webhooks")
    assert len(shop.pushed) == 1
    assert await world.partner_states() == [("queued", 1, "http_307")]


async def test_an_endpoint_that_is_gone_is_left_alone(world: World, shop: Receiver) -> None:
    await world.listen(shop.url)
    await world.apply(world.promised())
    shop.say("410 Gone")
    await world.run("send_webhooks")
    await world.apply(world.promised(20))
    await world.run("send_webhooks")
    assert len(shop.pushed) == 1
    assert [m["reason"] for m in await world.messages()] == ["endpoint_gone", "endpoint_disabled"]
    assert ((await world.webhook())["disabled"], (await world.webhook())["disabled_reason"]) == (True, "endpoint_gone")
    shop.say("200 OK")
    await world.listen(shop.url)
    await world.apply(world.promised(15))
    await world.run("send_webhooks")
    assert len(shop.pushed) == 2


async def test_a_silent_receiver_is_not_waited_for_long(world: World, shop: Receiver) -> None:
    await world.listen(shop.url)
    await world.apply(world.promised())
    released = asyncio.Event()

    async def wait(_: Pushed) -> str:
        await released.wait()
        return "200 OK"

    shop.answer = wait
    await world.run("send_webhooks")
    released.set()
    assert await world.partner_states() == [("queued", 1, "timed_out")]


async def test_a_partner_that_hangs_holds_up_no_other_partner(world: World, shop: Receiver) -> None:
    begun, released = asyncio.Event(), asyncio.Event()

    async def wait(_: Pushed) -> str:
        begun.set()
        await released.wait()
        return "200 OK"

    shop.answer = wait
    await world.listen(shop.url)
    await world.apply(world.promised())
    hanging = asyncio.create_task(world.run("send_webhooks"))
    await begun.wait()
    again = World(world.service, cooperative=world.cooperative, cabbage=world.cabbage, partner=world.partner)
    await again.apply(again.placed("CAI"), again.promised())
    async with receiver() as prompt:
        other = World(world.service, cooperative=world.cooperative, cabbage=world.cabbage)
        await other.listen(prompt.url)
        await other.apply(other.placed("CAI"), other.promised())
        assert len([job for job in world.service.parts.jobs if job.name == "send_webhooks"]) > 1
        assert await world.run("send_webhooks") is True
        assert await world.run("send_webhooks") is False
        assert (len(prompt.pushed), len(shop.pushed), hanging.done()) == (1, 1, False)
    released.set()
    await hanging
    await world.run("send_webhooks")
    assert len(shop.pushed) == 2


async def test_what_a_killed_process_had_in_hand_is_sent_again(world: World, shop: Receiver) -> None:
    await world.listen(shop.url)
    await world.apply(world.promised())
    now = datetime.now(UTC)

    async def claim(tx: Transaction) -> None:
        assert len(await take_batch(tx.conn, now, LEASE, 50)) == 1

    await world.service.runtime.ledger.transact(claim)  # and there the process ends
    await world.run("send_webhooks", after=LEASE / 2)
    assert shop.pushed == []
    await world.run("send_webhooks", after=LEASE)
    assert len(shop.pushed) == 1
    assert await world.partner_states() == [("told", 2, None)]


async def test_messages_to_an_endpoint_that_was_deleted_are_undeliverable(world: World, shop: Receiver) -> None:
    await world.listen(shop.url)
    await world.apply(world.promised())
    path = f"/v1/partners/{world.partner}/webhook"
    assert (await world.service.client.delete(path, headers=await world.staff())).status_code == 204
    await world.run("send_webhooks")
    assert await world.partner_states() == [("queued", 0, None)]
    await world.run("let_go_of_webhooks")
    assert shop.pushed == []
    assert await world.partner_states() == [("undeliverable", 0, "no_endpoint")]
    assert [json.loads(e["data"])["reason"] for e in await world.events()] == ["no_endpoint"]


async def test_many_orders_are_told_in_batches(world: World, shop: Receiver) -> None:
    await world.listen(shop.url)
    for _ in range(60):
        other = World(world.service, cooperative=world.cooperative, cabbage=world.cabbage, partner=world.partner)
        await other.apply(other.placed("CAI"), other.promised())
    assert await world.run("send_webhooks") is True
    await world.run("send_webhooks")
    assert len({p.headers["webhook-id"] for p in shop.pushed}) == len(shop.pushed) == 60
