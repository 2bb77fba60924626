"""What operators are called for is to be seen in the metrics before it is too late."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from infra.local.stack import Stack
from tests.integration.notify.peers import Mailbox
from tests.integration.notify.reached import PHONE, STEP, USER, Reached, reached


@pytest.fixture
async def world(stack: Stack, mail: Mailbox) -> AsyncIterator[Reached]:
    async with reached(stack, mail) as made:
        yield made


async def shown(world: Reached, after: timedelta = timedelta()) -> dict[str, float]:
    """The samples of notify at that time, by name and labels."""
    await world.run("count_deliveries", after)
    text = (await world.service.client.get("/metrics")).text
    lines = [line.rpartition(" ") for line in text.splitlines() if line.startswith("notify_")]
    return {name: float(value) for name, _, value in lines}


async def test_a_notice_without_a_receipt_presses_before_its_deadline(world: Reached) -> None:
    await world.write_down("zalo", "sms")
    world.zalo.reports_at_once = False
    in_an_hour = datetime.now(UTC) + timedelta(hours=1)
    await world.apply(replace(world.basket(), reply_by_at=in_an_hour))
    await world.run("send_zalo")
    assert (await shown(world, timedelta(minutes=10)))["notify_pressing"] == 0
    pressing = await shown(world, timedelta(minutes=16))
    assert (pressing["notify_pressing"], pressing["notify_to_call"]) == (1, 1)
    await world.zalo.report()
    assert (await shown(world, timedelta(minutes=16)))["notify_pressing"] == 0


async def test_what_a_newer_basket_stands_for_does_not_press(world: Reached) -> None:
    await world.write_down("zalo")
    world.zalo.reports_at_once = False
    basket = replace(world.basket(), reply_by_at=datetime.now(UTC) + timedelta(hours=1))
    await world.apply(basket)
    await world.run("send_zalo")
    await world.apply(world.changed(2, 20))
    assert (await shown(world, timedelta(minutes=50)))["notify_pressing"] == 0


async def test_a_step_without_a_receipt_is_counted_when_it_lapses(world: Reached) -> None:
    await world.write_down("zalo", "sms")
    lapsed, refused = (
        f'notify_steps_ended_total{{channel="{channel}",state="{state}"}}'
        for channel, state in (("zalo", "lapsed"), ("sms", "refused"))
    )
    assert (await shown(world))[lapsed] == 0
    world.zalo.reports_at_once = False
    await world.apply(world.basket())
    await world.run("send_zalo")
    await world.run("climb", after=STEP)
    assert (await shown(world))[lapsed] == 1
    await world.run("send_sms", after=STEP)
    (sms,) = world.esms.to(PHONE)
    await world.esms.report(sms.provider_id, delivered=False)
    assert (await shown(world))[refused] == 1


async def test_a_receipt_of_no_message_of_ours_is_shown_after_ten_minutes_and_words_until_they_are_read(
    world: Reached,
) -> None:
    await world.write_down("sms")
    await world.service.runtime.pool.execute(
        "insert into stray_receipt values ('sms', 'of-another', now(), true, null, now())"
    )
    await world.esms.write(PHONE, "ai đấy?")
    early, late = await shown(world, timedelta(minutes=9)), await shown(world, timedelta(hours=3))
    assert early.get('notify_receipts_stray{channel="sms"}', 0) == 0
    assert late['notify_receipts_stray{channel="sms"}'] == 1
    assert late["notify_words_oldest_seconds"] > 3 * 3600 - 60
    staff, path = await world.staff(), f"/v1/cooperatives/{world.cooperative}/words"
    (words,) = (await world.service.client.get(path, headers=staff)).json()["words"]
    read = await world.service.client.post(f"{path}/read", json={"words_ids": [words["words_id"]]}, headers=staff)
    assert read.status_code == 204
    assert (await shown(world, timedelta(hours=3)))["notify_words_oldest_seconds"] == 0


async def test_what_a_stranger_wrote_is_shown_until_an_operator_has_read_it(world: Reached) -> None:
    assert await world.zalo.write(USER, "không có") == 200
    assert (await shown(world, timedelta(hours=3)))["notify_words_oldest_seconds"] > 3 * 3600 - 60
    operator = await world.service.key("operator")
    (words,) = (await world.service.client.get("/v1/words", headers=operator)).json()["words"]
    read = await world.service.client.post("/v1/words/read", json={"words_ids": [words["words_id"]]}, headers=operator)
    assert read.status_code == 204
    assert (await shown(world, timedelta(hours=3)))["notify_words_oldest_seconds"] == 0
