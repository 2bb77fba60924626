"""How an endpoint fares: pauses, being given up, the notice to staff, enabling."""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.chassis.ids import uuid7
from tests.integration.notify.peers import Mailbox, Pushed, Receiver
from tests.integration.notify.senders import Clock, sender
from tests.integration.notify.world import TRACE, World


async def due(world: World) -> datetime | None:
    at = await world.service.runtime.pool.fetchval("select min(next_at) from partner_message where state = 'queued'")
    assert at is None or isinstance(at, datetime)
    return at


async def staff_notices(world: World) -> list[dict[str, Any]]:
    return [notice for notice in await world.notices() if notice["kind"] == "endpoint_disabled"]


async def test_an_endpoint_that_fails_for_five_days_is_given_up_and_staff_are_told_once(
    world: World, shop: Receiver, mail: Mailbox
) -> None:
    await world.reach_staff()
    await world.listen(shop.url)
    shop.say("500 Broken")
    clock = Clock()
    began = clock.now
    async with sender(world, clock) as pushes:
        await world.apply(world.promised(), at=clock.now)
        while (at := await due(world)) is not None:
            clock.now = max(clock.now, at)
            await pushes.send_due(clock.now)
        assert clock.now - began < timedelta(days=4)
        assert [(m["state"], m["attempts"], m["reason"]) for m in await world.messages()] == [
            ("undeliverable", 10, "gave_up")
        ]
        assert not (await world.webhook())["disabled"], "one message that fails is not five days"
        clock.now = began + timedelta(days=4, hours=23)
        await world.apply(world.shorted(25, 20), world.shorted(20, 15))
        await pushes.send_due(clock.now)
        assert not (await world.webhook())["disabled"]
        clock.now = began + timedelta(days=5, minutes=5)
        for _ in range(4):
            await pushes.send_due(clock.now)
    await world.run("let_go_of_webhooks")
    shown = await world.webhook()
    assert (shown["disabled"], shown["disabled_reason"], shown["last_failure"]) == (True, "lasting_failure", "http_500")
    first, *later = await world.messages()
    assert first["reason"] == "gave_up"
    assert {(m["state"], m["reason"]) for m in later} == {("undeliverable", "endpoint_disabled")}
    (notice,) = await staff_notices(world)
    assert notice["state"] == "queued"
    for _ in range(2):
        await world.run("send_email", after=timedelta(days=5, minutes=10))
    (letter,) = mail.letters
    assert letter["To"].addresses[0].addr_spec == "van-phong@example.vn"
    assert letter["Subject"] == "Đã ngừng gửi thông báo đơn hàng đến 127.0.0.1"
    assert str(world.partner) in letter.get_content()
    assert [n["state"] for n in await staff_notices(world)] == ["told"]


async def test_one_success_in_between_keeps_an_endpoint(world: World, shop: Receiver) -> None:
    await world.listen(shop.url)
    clock = Clock()
    began = clock.now
    async with sender(world, clock) as pushes:
        for day in range(8):
            clock.now = began + timedelta(days=day)
            shop.say("200 OK" if day == 4 else "500 Broken")
            await world.apply(world.shorted(25, 24 - day), world.shorted(24, 23 - day))
            for _ in range(6):
                await pushes.send_due(clock.now)
    shown = await world.webhook()
    assert not shown["disabled"]
    assert datetime.fromisoformat(shown["failing_since"]) == began + timedelta(days=5)


async def test_where_staff_have_no_address_the_notice_stands_among_the_undelivered(
    world: World, shop: Receiver
) -> None:
    await world.listen(shop.url)
    await world.apply(world.promised())
    shop.say("410 Gone")
    await world.run("send_webhooks")
    (notice,) = await staff_notices(world)
    assert (notice["state"], notice["reason"], notice["channel"]) == ("undeliverable", "no_contact", None)
    said = [json.loads(event["data"]) for event in await world.events()]
    assert ("endpoint_disabled", "none", "no_contact") in [(e["kind"], e["channel"], e["reason"]) for e in said]


async def test_several_answers_of_gone_make_one_notice(world: World, shop: Receiver) -> None:
    await world.listen(shop.url)
    for _ in range(5):
        other = World(world.service, cooperative=world.cooperative, cabbage=world.cabbage, partner=world.partner)
        await other.apply(other.placed("CAI"), other.promised())
    shop.say("410 Gone")
    for _ in range(3):
        await world.run("send_webhooks")
    assert len(await staff_notices(world)) == 1


async def test_an_endpoint_is_enabled_again_and_what_it_missed_can_be_resent(world: World, shop: Receiver) -> None:
    await world.listen(shop.url)
    await world.apply(world.promised())
    shop.say("410 Gone")
    await world.run("send_webhooks")
    shop.say("200 OK")
    client, staff, path = world.service.client, await world.staff(), f"/v1/partners/{world.partner}/webhook"
    (missed,) = await world.messages()
    refused = await client.post(f"{path}/messages/{missed['notice_id']}/resend", headers=staff)
    assert (refused.status_code, "enable it" in refused.json()["detail"]) == (409, True)
    enabled = await client.post(f"{path}/enable", headers=staff)
    assert (enabled.status_code, enabled.json()["disabled"]) == (200, False)
    assert (await client.post(f"{path}/messages/{missed['notice_id']}/resend", headers=staff)).status_code == 202
    await world.run("send_webhooks")
    first, second = shop.pushed
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body
    assert [m["state"] for m in await world.messages()] == ["told"]


async def test_what_happens_while_an_endpoint_is_disabled_is_listed_and_can_be_resent(
    world: World, shop: Receiver
) -> None:
    await world.listen(shop.url)
    await world.apply(world.promised())
    shop.say("410 Gone")
    await world.run("send_webhooks")
    shop.say("200 OK")
    await world.apply(world.shorted(25, 20), world.cancelled())
    await world.run("send_webhooks")
    _, *missed = await world.messages()
    assert [(m["type"], m["state"], m["attempts"], m["reason"]) for m in missed] == [
        ("order.shorted", "undeliverable", 0, "endpoint_disabled"),
        ("order.cancelled", "undeliverable", 0, "endpoint_disabled"),
    ]
    said = [(event["traceparent"], json.loads(event["data"])) for event in await world.events()]
    told = {(e["kind"], e["channel"], e["reason"], e["order_id"]) for trace, e in said if trace == TRACE}
    for kind in ("order_shorted", "order_cancelled"):
        assert (kind, "webhook", "endpoint_disabled", str(world.order)) in told
    assert len(shop.pushed) == 1, "nothing is sent to a disabled endpoint"
    client, staff, path = world.service.client, await world.staff(), f"/v1/partners/{world.partner}/webhook"
    assert (await client.post(f"{path}/enable", headers=staff)).status_code == 200
    await world.run("send_webhooks")
    assert len(shop.pushed) == 1, "what was missed is not sent by itself"
    again = f"{path}/messages/{missed[1]['notice_id']}/resend"
    assert (await client.post(again, headers=staff)).status_code == 202
    await world.run("send_webhooks")
    assert shop.pushed[-1].headers["webhook-id"] == missed[1]["notice_id"]
    assert [m["state"] for m in await world.messages()] == ["undeliverable", "undeliverable", "told"]


async def test_enabling_is_for_the_own_staff(world: World) -> None:
    client, path = world.service.client, f"/v1/partners/{world.partner}/webhook/enable"
    assert (await client.post(path, headers=await world.staff())).status_code == 404
    await world.listen("https://x.vn/h")
    stranger = await world.service.key("staff", uuid7())
    assert (await client.post(path)).status_code == 401
    assert (await client.post(path, headers=stranger)).status_code == 404
    of = {"cooperative": str(world.cooperative)}
    assert (await client.post(path, headers=stranger, params=of)).status_code == 404
    assert (await client.post(path, headers=await world.service.key("operator"), params=of)).status_code == 200


async def test_staff_see_the_endpoints_of_all_partners(world: World, shop: Receiver) -> None:
    await world.listen("https://x.vn/h")
    broken = World(world.service, cooperative=world.cooperative, cabbage=world.cabbage)
    await broken.listen(shop.url)
    await broken.apply(broken.placed("CAI"), broken.promised())
    shop.say("500 Broken")
    await world.run("send_webhooks")
    path = f"/v1/cooperatives/{world.cooperative}/webhooks"
    shown = (await world.service.client.get(path, headers=await world.staff())).json()["webhooks"]
    assert [(w["partner_id"], w["failures"], w["last_failure"]) for w in shown] == [
        (str(broken.partner), 1, "http_500"), (str(world.partner), 0, None),
    ]  # fmt: skip
    assert "secret" not in json.dumps(shown).replace("old_secret_until", "")
    stranger = await world.service.key("staff", uuid7())
    assert (await world.service.client.get(path, headers=stranger)).status_code == 404


@pytest.mark.parametrize("status", ["429 Too Many", "502 Bad", "503 Busy", "504 Late"])
async def test_an_endpoint_that_asks_for_a_pause_has_it_for_all_its_messages(
    world: World, shop: Receiver, status: str
) -> None:
    await world.listen(shop.url)
    await world.apply(world.promised())
    shop.say(f"{status}\r\nretry-after: 600")
    await world.run("send_webhooks")
    again = World(world.service, cooperative=world.cooperative, cabbage=world.cabbage, partner=world.partner)
    await again.apply(again.placed("CAI"), again.promised())
    for after_s in (0, 6, 300, 590):
        await world.run("send_webhooks", after=timedelta(seconds=after_s))
    assert len(shop.pushed) == 1
    assert (await world.webhook())["throttled_until"] is not None
    waiting = await world.messages()
    assert [m["attempts"] for m in waiting] == [0, 0]
    until = datetime.fromisoformat((await world.webhook())["throttled_until"])
    assert all(datetime.fromisoformat(m["next_attempt_at"]) >= until for m in waiting)
    shop.say("200 OK")
    await world.run("send_webhooks", after=timedelta(seconds=610))
    assert [m["state"] for m in await world.messages()] == ["told", "told"]


async def test_an_endpoint_that_hangs_has_a_pause_and_is_then_tried_with_one_message(
    world: World, shop: Receiver
) -> None:
    await world.listen(shop.url)
    for _ in range(3):
        other = World(world.service, cooperative=world.cooperative, cabbage=world.cabbage, partner=world.partner)
        await other.apply(other.placed("CAI"), other.promised())
    await world.service.runtime.pool.execute(
        "update partner_endpoint set timeouts = 2, failures = 2, failing_since = now(), last_failure = 'timed_out'"
    )
    released = asyncio.Event()

    async def wait(_: Pushed) -> str:
        await released.wait()
        return "200 OK"

    shop.answer = wait
    await world.run("send_webhooks")
    released.set()
    assert len(shop.pushed) == 3
    assert (await world.webhook())["throttled_until"] is not None
    await world.run("send_webhooks", after=timedelta(seconds=20))
    assert len(shop.pushed) == 3
    shop.say("500 Broken")
    await world.run("send_webhooks", after=timedelta(seconds=40))
    assert len(shop.pushed) == 4, "one message shows whether it answers again"
    await world.run("send_webhooks", after=timedelta(seconds=40))
    assert len(shop.pushed) == 6, "it answers, so the others follow"


async def test_one_endpoint_that_hangs_holds_up_no_other_and_no_household(
    world: World, shop: Receiver, mail: Mailbox
) -> None:
    await world.reach()
    await world.reach(world.neighbour, "anh.nam@example.vn")
    await world.listen(shop.url)
    await world.service.runtime.pool.execute("update partner_endpoint set timeouts = 9")
    await world.apply(world.promised(), world.basket(), world.basket(world.neighbour))
    other = World(world.service, cooperative=world.cooperative, cabbage=world.cabbage)
    await other.listen(shop.url)
    for _ in range(3):
        again = World(world.service, cooperative=world.cooperative, cabbage=world.cabbage, partner=other.partner)
        await again.apply(again.placed("CAI"), again.promised())
    for _ in range(2):
        await world.run("send_webhooks")
    assert len(shop.pushed) == 4
    await world.run("send_email")
    assert len(mail.letters) == 2


async def test_a_pause_of_one_endpoint_is_nobody_elses(world: World, shop: Receiver) -> None:
    await world.listen(shop.url)
    await world.apply(world.promised())
    shop.say("429 Too Many\r\nretry-after: 600")
    await world.run("send_webhooks")
    shop.say("200 OK")
    other = World(world.service, cooperative=world.cooperative, cabbage=world.cabbage)
    await other.listen(shop.url)
    await other.apply(other.placed("CAI"), other.promised())
    await world.run("send_webhooks")
    assert [m["state"] for m in await other.messages()] == ["told"]
    assert [m["state"] for m in await world.messages()] == ["queued"]


async def test_no_pause_is_longer_than_a_day_and_enabling_ends_it(world: World, shop: Receiver) -> None:
    await world.listen(shop.url)
    await world.apply(world.promised())
    shop.say("429 Too Many\r\nretry-after: 99999999")
    await world.run("send_webhooks")
    until = datetime.fromisoformat((await world.webhook())["throttled_until"])
    assert until <= datetime.now(UTC) + timedelta(days=1)
    shop.say("200 OK")
    path = f"/v1/partners/{world.partner}/webhook"
    staff, (waiting,) = await world.staff(), await world.messages()
    assert (await world.service.client.post(f"{path}/enable", headers=staff)).json()["throttled_until"] is None
    again = f"{path}/messages/{waiting['notice_id']}/resend"
    assert (await world.service.client.post(again, headers=staff)).status_code == 202
    await world.run("send_webhooks")
    assert [m["state"] for m in await world.messages()] == ["told"]


@pytest.mark.parametrize("act", ["enable", "put", "delete"])
async def test_what_a_pause_put_off_is_due_when_staff_see_to_the_endpoint(
    world: World, shop: Receiver, act: str
) -> None:
    await world.listen(shop.url)
    await world.apply(world.promised())
    shop.say("429 Too Many\r\nretry-after: 36000")
    await world.run("send_webhooks")
    shop.say("200 OK")
    client, staff, path = world.service.client, await world.staff(), f"/v1/partners/{world.partner}/webhook"
    if act == "enable":
        assert (await client.post(f"{path}/enable", headers=staff)).status_code == 200
    elif act == "put":
        await world.listen(shop.url)
    else:
        assert (await client.delete(path, headers=staff)).status_code == 204
    await world.run("send_webhooks")
    await world.run("let_go_of_webhooks")
    expected = ("undeliverable", "no_endpoint") if act == "delete" else ("told", None)
    assert [(m["state"], m["reason"]) for m in await world.messages()] == [expected]


async def test_a_name_that_leads_inward_the_next_time_is_not_followed(world: World, shop: Receiver) -> None:
    answers = [["127.0.0.1"], ["127.0.0.2"], ["169.254.169.254"]]

    async def rebinding(host: str, port: int) -> Sequence[str]:
        assert host == "shop.test"
        return answers.pop(0)

    await world.listen(f"http://shop.test:{shop.port}/hooks")
    clock = Clock()
    async with sender(world, clock, rebinding) as pushes:
        for wanted in (1, 1, 1):
            other = World(world.service, cooperative=world.cooperative, cabbage=world.cabbage, partner=world.partner)
            await other.apply(other.placed("CAI"), other.promised())
            clock.now = datetime.now(UTC)
            await pushes.send_due(clock.now)
            assert len(shop.pushed) == wanted
    assert shop.pushed[0].headers["host"] == f"shop.test:{shop.port}"
    assert [(m["state"], m["last_status"]) for m in await world.messages()] == [
        ("told", "http_204"),
        ("queued", "address_not_public"),
        ("queued", "address_not_public"),
    ]
