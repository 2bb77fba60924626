"""What staff and operators see of messages to partners, and sending one again: over HTTP and on the command line."""

import asyncio
import logging
from typing import Any
from uuid import uuid4

import pytest

from services.chassis.ids import uuid7
from services.notify.command import webhooks_command
from tests.integration.notify.peers import Pushed, Receiver
from tests.integration.notify.world import World


def path(world: World, notice_id: str = "") -> str:
    return f"/v1/partners/{world.partner}/webhook/messages" + (f"/{notice_id}/resend" if notice_id else "")


async def resend(world: World, notice_id: str) -> tuple[int, str]:
    answer = await world.service.client.post(path(world, notice_id), headers=await world.staff())
    return answer.status_code, "" if answer.status_code == 202 else answer.json()["detail"]


def another(world: World) -> World:
    """The same partner's next order."""
    return World(world.service, cooperative=world.cooperative, cabbage=world.cabbage, partner=world.partner)


async def test_staff_page_through_the_messages_of_a_partner(world: World, shop: Receiver) -> None:
    await world.listen(shop.url + "?token=bi-mat")
    for _ in range(4):
        other = another(world)
        await other.apply(other.placed("CAI"), other.promised())
    await world.run("send_webhooks")
    shop.say("500 Broken")
    await world.apply(world.promised())
    await world.run("send_webhooks")
    stranger_partner = World(world.service, cooperative=world.cooperative, cabbage=world.cabbage)
    await stranger_partner.listen(shop.url)
    await stranger_partner.apply(stranger_partner.placed("CAI"), stranger_partner.promised())
    client, staff = world.service.client, await world.staff()
    seen: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await client.get(path(world), params={"limit": "2"} | cursor, headers=staff)).json()
        seen += page["messages"]
        assert len(page["messages"]) <= 2
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert [m["state"] for m in seen] == ["queued"] + ["told"] * 4
    newest = seen[0]
    assert (newest["type"], newest["order_id"]) == ("order.promised", str(world.order))
    assert (newest["attempts"], newest["last_status"], newest["told_at"]) == (1, "http_500", None)
    assert newest["next_attempt_at"] > newest["last_attempt_at"]
    assert (seen[1]["last_status"], seen[1]["next_attempt_at"]) == ("http_204", None)
    assert len(await world.messages(state="told")) == 4
    assert await world.messages(state="superseded") == []
    text = (await client.get(path(world), headers=staff)).text
    for private in ("whsec_", "bi-mat", "127.0.0.1", "CAI", "DH-1"):
        assert private not in text


async def test_messages_are_closed_to_strangers_and_other_cooperatives(world: World, shop: Receiver) -> None:
    await world.listen(shop.url)
    await world.apply(world.promised())
    (message,) = await world.messages()
    client, stranger = world.service.client, await world.service.key("staff", uuid7())
    of = {"cooperative": str(world.cooperative)}
    assert (await client.get(path(world))).status_code == 401
    assert (await client.get(path(world), headers=stranger)).json()["messages"] == []
    assert (await client.get(path(world), headers=stranger, params=of)).status_code == 404
    assert (await client.post(path(world, message["notice_id"]))).status_code == 401
    assert (await client.post(path(world, message["notice_id"]), headers=stranger)).status_code == 404
    elsewhere = path(world, message["notice_id"]).replace(str(world.partner), str(uuid4()))
    assert (await client.post(elsewhere, headers=await world.staff())).status_code == 404
    operator = await world.service.key("operator")
    assert (await client.get(path(world), headers=operator)).status_code == 422
    assert len((await client.get(path(world), headers=operator, params=of)).json()["messages"]) == 1
    assert (await client.get(path(world), headers=await world.staff(), params={"state": "lost"})).status_code == 422
    assert (await client.get(path(world), headers=await world.staff(), params={"limit": "201"})).status_code == 422


async def test_a_message_that_was_told_is_told_again_under_its_id(world: World, shop: Receiver) -> None:
    await world.listen(shop.url)
    await world.apply(world.promised())
    await world.run("send_webhooks")
    (message,) = await world.messages()
    assert await resend(world, message["notice_id"]) == (202, "")
    (waiting,) = await world.messages()
    assert (waiting["state"], waiting["attempts"], waiting["told_at"]) == ("queued", 0, None)
    await world.run("send_webhooks")
    first, second = shop.pushed
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == message["notice_id"]
    assert first.body == second.body
    assert [m["state"] for m in await world.messages()] == ["told"]


async def test_a_message_that_waits_is_tried_at_once_and_keeps_its_count(world: World, shop: Receiver) -> None:
    await world.listen(shop.url)
    await world.apply(world.promised())
    shop.say("500 Broken")
    await world.run("send_webhooks")
    (message,) = await world.messages()
    assert await resend(world, message["notice_id"]) == (202, "")
    await world.run("send_webhooks")
    assert [(m["state"], m["attempts"]) for m in await world.messages()] == [("queued", 2)]


async def test_a_message_that_was_given_up_has_its_whole_schedule_again(world: World, shop: Receiver) -> None:
    await world.listen(shop.url)
    await world.apply(world.promised())
    shop.say("500 Broken")
    for _ in range(10):
        await world.service.runtime.pool.execute("update partner_message set next_at = now() where next_at is not null")
        await world.run("send_webhooks")
    (message,) = await world.messages()
    assert message["reason"] == "gave_up"
    assert await resend(world, message["notice_id"]) == (202, "")
    await world.run("send_webhooks")
    assert [(m["state"], m["attempts"], m["reason"]) for m in await world.messages()] == [("queued", 1, None)]


async def test_what_a_newer_message_says_as_well_is_not_resent_and_the_newer_one_is_named(
    world: World, shop: Receiver
) -> None:
    await world.listen(shop.url)
    await world.apply(world.promised())
    await world.run("send_webhooks")
    await world.apply(world.promised(20))
    await world.run("send_webhooks")
    older, newer = await world.messages()
    status, detail = await resend(world, older["notice_id"])
    assert (status, newer["notice_id"] in detail) == (409, True)
    assert [m["state"] for m in await world.messages()] == ["told", "told"]
    assert await resend(world, newer["notice_id"]) == (202, "")


async def test_what_is_being_sent_or_unknown_is_not_resent(world: World, shop: Receiver) -> None:
    begun, released = asyncio.Event(), asyncio.Event()

    async def wait(_: Pushed) -> str:
        begun.set()
        await released.wait()
        return "200 OK"

    shop.answer = wait
    await world.listen(shop.url)
    await world.apply(world.promised())
    sending = asyncio.create_task(world.run("send_webhooks"))
    await begun.wait()
    (message,) = await world.messages()
    status, detail = await resend(world, message["notice_id"])
    assert (status, "at this moment" in detail) == (409, True)
    released.set()
    await sending
    assert (await resend(world, str(uuid4())))[0] == 404
    assert await world.service.client.delete(path(world).removesuffix("/messages"), headers=await world.staff())
    status, detail = await resend(world, message["notice_id"])
    assert (status, "set one first" in detail) == (409, True)


async def test_what_is_for_households_is_no_message_to_a_partner(world: World) -> None:
    await world.reach()
    await world.apply(world.basket())
    (notice,) = await world.notices()
    assert (await resend(world, notice["notice_id"]))[0] == 404


async def command(world: World, *words: str) -> int:
    """In a thread, since the command has an event loop of its own; it also sets up logs of its own."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    try:
        return await asyncio.to_thread(webhooks_command, world.service.runtime.settings, words)
    finally:
        root.handlers[:] = before
        root.setLevel(level)


async def test_an_operator_lists_resends_and_enables_on_the_command_line(
    world: World, shop: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = await world.listen(shop.url + "?token=bi-mat")
    await world.apply(world.promised())
    shop.say("410 Gone")
    await world.run("send_webhooks")
    assert await command(world, "list") == 0
    listed = capsys.readouterr().out
    assert f"partner={world.partner}" in listed
    assert "state=disabled reason=endpoint_gone" in listed
    assert await command(world, "list", "--partner", str(world.partner), "--state", "undeliverable") == 0
    messages = capsys.readouterr().out
    assert "order.promised" in messages
    notice_id = messages.split(" ")[0]
    assert await command(world, "resend", notice_id, str(uuid4())) == 1
    refused = capsys.readouterr().err
    assert "enable it" in refused
    assert "there is no message" in refused
    assert await command(world, "enable", str(world.partner)) == 0
    assert await command(world, "enable", str(uuid4())) == 1
    assert await command(world, "resend", notice_id) == 0
    shop.say("200 OK")
    await world.run("send_webhooks")
    assert [m["state"] for m in await world.messages()] == ["told"]
    everything = listed + messages + refused + capsys.readouterr().out
    for private in (secret.removeprefix("whsec_"), "bi-mat"):
        assert private not in everything


async def test_enabling_on_the_command_line_makes_due_what_a_pause_put_off(world: World, shop: Receiver) -> None:
    await world.listen(shop.url)
    await world.apply(world.promised())
    shop.say("429 Too Many\r\nretry-after: 36000")
    await world.run("send_webhooks")
    shop.say("200 OK")
    assert await command(world, "enable", str(world.partner)) == 0
    await world.run("send_webhooks")
    assert [m["state"] for m in await world.messages()] == ["told"]


async def test_the_command_line_says_where_a_partner_has_no_webhook(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await command(world, "list", "--partner", str(world.partner)) == 1
    assert "no webhook" in capsys.readouterr().err
    assert await command(world, "list") == 0
    assert capsys.readouterr().out == ""
    with pytest.raises(SystemExit):
        await command(world, "resend", "not-an-id")


async def test_a_message_to_a_partner_never_holds_a_household(world: World, shop: Receiver) -> None:
    """What happens to webhooks leaves the notices to households as they are."""
    await world.reach()
    await world.listen(shop.url)
    await world.apply(world.basket(), world.promised())
    shop.say("410 Gone")
    await world.run("send_webhooks")
    await world.run("send_email")
    baskets = [notice for notice in await world.notices() if notice["kind"] == "basket"]
    assert [notice["state"] for notice in baskets] == ["told"]
