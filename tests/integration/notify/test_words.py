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
