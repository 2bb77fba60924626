"""What households write is taken as an answer to what they have read, and to nothing else."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from infra.local.stack import Stack
from services.contracts.allocation import BasketAssigned, BasketChanged
from tests.integration.notify.peers import Mailbox
from tests.integration.notify.reached import PHONE, USER, Reached, reached


@pytest.fixture
async def world(stack: Stack, mail: Mailbox) -> AsyncIterator[Reached]:
    async with reached(stack, mail) as made:
        made.zalo.clock = lambda: datetime.now(UTC)
        yield made


async def ask(world: Reached, basket: BasketAssigned | BasketChanged) -> None:
    """A basket that wants an answer within five hours."""
    await world.apply(replace(basket, reply_by_at=datetime.now(UTC) + timedelta(hours=5)))


async def send(world: Reached, channel: str) -> None:
    """What waits goes out, and its receipts come back."""
    await world.run(f"send_{channel}")
    if channel == "sms":
        await world.esms.report(world.esms.arrived[-1].provider_id)
    await world.run("match_strays")


async def write_late(world: Reached, text: str, at: datetime) -> None:
    """What was written in Zalo then is reported only now."""
    clock, world.zalo.clock = world.zalo.clock, lambda: at
    assert await world.zalo.write(USER, text) == 200
    world.zalo.clock = clock


async def replies(world: Reached) -> list[tuple[str, int]]:
    """(answer, version) of all that was taken as an answer, oldest first."""
    told = [json.loads(e["data"]) for e in await world.events() if e["type"] == "notify.household_replied.v1"]
    return [(one["answer"], one["version"]) for one in told]


@pytest.mark.parametrize("trouble", [{"code": "103"}, {"status": 429}], ids=["refused", "waits"])
async def test_words_do_not_confirm_a_version_that_could_not_be_sent(world: Reached, trouble: dict[str, str]) -> None:
    await world.write_down("sms")
    await ask(world, world.basket())
    await send(world, "sms")
    await ask(world, world.changed(2, 40))
    world.esms.fail_next(1, **trouble)  # type: ignore[arg-type]
    await world.run("send_sms")
    assert len(world.esms.arrived) == 1
    await world.esms.write(PHONE, "ok")
    assert await replies(world) == []
    assert await world.words() == [("ok", "not_understood")]


async def test_words_that_come_late_do_not_confirm_the_version_that_was_told_meanwhile(world: Reached) -> None:
    await world.write_down("zalo_oa")
    await ask(world, world.basket())
    await send(world, "zalo_oa")
    said_at = datetime.now(UTC)
    await ask(world, world.changed(2, 40))
    await send(world, "zalo_oa")
    await write_late(world, "ok", said_at)
    assert await replies(world) == []
    assert await world.words() == [("ok", "not_understood")]
    assert await world.zalo.write(USER, "ok") == 200
    assert await replies(world) == [("confirm", 2)]


async def test_words_to_what_is_on_its_way_count_where_nothing_else_was_told(world: Reached) -> None:
    await world.write_down("sms")
    await ask(world, world.basket())
    world.esms.fail_next(1, status=429)
    await world.run("send_sms")
    await world.esms.write(PHONE, "ok")
    assert await replies(world) == []
    await world.run("send_sms", after=timedelta(minutes=5))
    assert len(world.esms.arrived) == 1
    await world.service.runtime.pool.execute("update delivery set claimed_at = now()")  # not in five minutes
    await world.esms.write(PHONE, "ok")
    assert await replies(world) == [("confirm", 1)]
    assert await world.words() == [("ok", "not_understood"), ("ok", "understood")]


async def test_words_that_come_late_do_not_stand_in_the_place_of_a_newer_answer(world: Reached) -> None:
    await world.write_down("zalo_oa")
    await ask(world, world.basket(cabbage_steps=25))
    await send(world, "zalo_oa")
    said_at = datetime.now(UTC)
    assert await world.zalo.write(USER, "không có") == 200
    await write_late(world, "ok", said_at)
    await write_late(world, "hết rồi", said_at)
    assert await replies(world) == [("cannot", 1)]
    assert [became for _, became in await world.words()] == ["understood", "not_understood", "understood"]


async def test_words_to_a_basket_that_has_closed_since_do_not_answer_the_next_one(world: Reached) -> None:
    await world.write_down("zalo_oa")
    now = datetime.now(UTC)
    world.zalo.clock = lambda: now - timedelta(minutes=5)
    await world.apply(replace(world.basket(), reply_by_at=now - timedelta(minutes=1)))
    await send(world, "zalo_oa")
    next_day = world.basket().delivery_day + timedelta(days=1)
    await ask(world, world.basket(day=next_day))
    await send(world, "zalo_oa")
    await write_late(world, "ok", now - timedelta(minutes=2))
    assert await replies(world) == []
    assert await world.words() == [("ok", "not_asked")]


async def test_who_says_stop_in_zalo_is_sent_nothing_more_there_by_number_either(world: Reached) -> None:
    await world.write_down("zalo_oa", "zalo", "sms")
    await world.write_down("zalo", name="em Mùa Thị Chư")
    assert await world.zalo.write(USER, "STOP") == 200
    assert await world.words() == [("STOP", "stopped")]
    await ask(world, world.basket())
    for channel in ("zalo_oa", "zalo", "sms"):
        await world.run(f"send_{channel}")
    assert world.zalo.arrived == []
    assert len(world.esms.arrived) == 1


async def strangers(world: Reached, **wanted: str) -> list[tuple[str, str, str, str]]:
    """(channel, sender, text, what became of it) of all that operators see, oldest first."""
    answer = await world.service.client.get("/v1/words", params=wanted, headers=await world.service.key("operator"))
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    found = reversed(answer.json()["words"])
    return [(one["channel"], one["sender"], one["text"], one["became"]) for one in found]


async def test_operators_read_what_strangers_wrote_until_they_have_and_staff_do_not(world: Reached) -> None:
    await world.write_down("zalo", "sms")
    assert await world.zalo.write(USER, "STOP") == 200
    await world.esms.write(PHONE, "của nhà em")
    told = ("zalo_oa", USER, "STOP", "stranger")
    assert await strangers(world) == await strangers(world, unread="true") == [told]
    assert await world.words() == [("của nhà em", "not_asked")]
    client, operator = world.service.client, await world.service.key("operator")
    for method, path in (("GET", "/v1/words"), ("POST", "/v1/words/read")):
        body = {"words_ids": [str(world.household)]} if method == "POST" else None
        assert (await client.request(method, path, json=body, headers=await world.staff())).status_code == 403
        assert (await client.request(method, path, json=body)).status_code == 401
    ids = await world.service.runtime.pool.fetch("select words_id from words")
    read = {"words_ids": [str(r["words_id"]) for r in ids]}
    assert (await client.post("/v1/words/read", json=read, headers=operator)).status_code == 204
    assert await strangers(world, unread="true") == []
    assert await strangers(world) == [told]
    assert await world.service.runtime.pool.fetchval("select count(*) from words where read_at is null") == 1


async def test_the_pages_of_what_strangers_wrote_follow_each_other(world: Reached) -> None:
    for number in range(3):
        assert await world.zalo.write(USER, f"alo {number}") == 200
    client, operator = world.service.client, await world.service.key("operator")
    first = (await client.get("/v1/words?limit=2", headers=operator)).json()
    assert [one["text"] for one in first["words"]] == ["alo 2", "alo 1"]
    rest = (await client.get(f"/v1/words?limit=2&cursor={first['next']}", headers=operator)).json()
    assert ([one["text"] for one in rest["words"]], rest["next"]) == (["alo 0"], None)


async def test_a_stranger_whom_staff_write_down_is_understood_from_then_on(world: Reached) -> None:
    contact = await world.write_down("zalo")
    await ask(world, world.basket())
    await world.run("send_zalo")
    assert await world.zalo.write(USER, "ok") == 200
    [(channel, sender, *_)] = await strangers(world)
    consent = {"purposes": ["work"], "source": "by phone to chị Hà"}
    body = {
        "display_name": contact["display_name"],
        "language": "vi",
        "addresses": [
            {"channel": "zalo", "address": PHONE},
            {"channel": channel, "address": sender, "consent": consent},
        ],
    }
    changed = await world.service.client.put(contact["url"], json=body, headers=await world.staff())
    assert changed.status_code == 200, changed.text
    assert await world.zalo.write(USER, "ok") == 200
    assert await replies(world) == [("confirm", 1)]


async def test_what_strangers_wrote_is_forgotten_after_90_days_and_what_households_wrote_is_not(world: Reached) -> None:
    await world.write_down("sms")
    await world.esms.write(PHONE, "của nhà em")
    assert await world.zalo.write(USER, "alo") == 200
    await world.run("forget_strays", after=timedelta(days=89))
    assert len(await strangers(world)) == 1
    await world.run("forget_strays", after=timedelta(days=91))
    assert await strangers(world) == []
    assert await world.words() == [("của nhà em", "not_asked")]


async def test_the_address_of_a_sender_who_is_known_is_kept_in_the_contact_book_alone(world: Reached) -> None:
    await world.write_down("sms")
    await world.esms.write(PHONE, "của nhà em")
    assert await world.service.runtime.pool.fetchval("select count(*) from words where sender is not null") == 0
