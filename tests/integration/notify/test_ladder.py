"""A household is told by the ways that it prefers, one after the other, and by a person where none gets through."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from infra.local.providers import Trouble
from infra.local.stack import Stack
from services.contracts.allocation import BasketConfirmed
from tests.integration.notify.peers import Mailbox
from tests.integration.notify.reached import PHONE, STEP, USER, Reached, reached
from tests.integration.notify.world import DAY


@pytest.fixture
async def world(stack: Stack, mail: Mailbox) -> AsyncIterator[Reached]:
    async with reached(stack, mail) as made:
        yield made


async def test_told_is_the_receipt_and_not_the_provider_s_word_that_it_has_the_message(world: Reached) -> None:
    await world.write_down("zalo", "sms")
    world.zalo.reports_at_once = False
    await world.apply(world.basket())
    await world.run("send_zalo")
    assert [one.text for one in world.zalo.to(PHONE.removeprefix("+"))] != []
    assert await world.states_by_channel() == [("queued", "zalo")]
    assert await world.events() == []
    await world.zalo.report()
    assert await world.states_by_channel() == [("told", "zalo")]
    (event,) = await world.events()
    assert json.loads(event["data"])["channel"] == "zalo"
    await world.run("climb", after=STEP)
    await world.run("send_sms", after=STEP)
    assert world.esms.arrived == []


async def test_a_number_without_zalo_gets_an_sms_at_once(world: Reached) -> None:
    await world.write_down("zalo", "sms")
    world.zalo.fail_next(1, -118, path="/template")
    await world.apply(world.basket())
    await world.run("send_zalo")
    await world.run("send_sms")
    (sms,) = world.esms.to(PHONE)
    assert "Cai meo 12,5 kg" in sms.text
    await world.esms.report(sms.provider_id)
    assert await world.states_by_channel() == [("told", "sms")]


async def test_without_a_receipt_in_time_the_next_way_is_taken(world: Reached, mail: Mailbox) -> None:
    await world.write_down("zalo", "sms", "email")
    world.zalo.reports_at_once = False
    await world.apply(world.basket())
    await world.run("send_zalo")
    await world.run("climb", after=STEP - timedelta(seconds=30))
    await world.run("send_sms", after=STEP)
    assert world.esms.arrived == []
    await world.run("climb", after=STEP)
    await world.run("send_sms", after=STEP)
    assert len(world.esms.arrived) == 1
    await world.run("climb", after=2 * STEP)
    await world.run("send_email", after=2 * STEP)
    assert len(mail.letters) == 1
    assert await world.states_by_channel() == [("told", "email")]


async def test_a_late_receipt_is_told_all_the_same_and_stops_what_waits(world: Reached) -> None:
    await world.write_down("zalo", "sms")
    world.zalo.reports_at_once = False
    await world.apply(world.basket())
    await world.run("send_zalo")
    await world.run("climb", after=STEP)
    await world.zalo.report()
    await world.run("send_sms", after=STEP)
    assert world.esms.arrived == []
    assert await world.states_by_channel() == [("told", "zalo")]


async def test_a_message_of_unknown_outcome_goes_to_the_call_list_and_by_no_other_way(world: Reached) -> None:
    await world.write_down("zalo", "sms")
    world.zalo.reports_at_once = False
    world.zalo.troubles.append(Trouble(drop=True, taken=True, path="/template"))
    await world.apply(world.basket())
    await world.run("send_zalo")
    await world.run("climb", after=STEP + timedelta(seconds=1))
    await world.run("send_sms", after=STEP)
    assert world.esms.arrived == []
    (call,) = await world.calls()
    assert (call["state"], call["reason"]) == ("unknown", "outcome_unknown")


async def test_a_receipt_settles_a_message_of_unknown_outcome(world: Reached) -> None:
    await world.write_down("zalo", "sms")
    world.zalo.troubles.append(Trouble(drop=True, taken=True, path="/template"))
    await world.apply(world.basket())
    await world.run("send_zalo")
    await world.zalo.report()
    assert await world.states_by_channel() == [("told", "zalo")]
    assert await world.calls() == []


async def test_a_receipt_that_comes_twice_counts_once(world: Reached) -> None:
    await world.write_down("sms")
    await world.apply(world.basket())
    await world.run("send_sms")
    (sms,) = world.esms.arrived
    assert await world.esms.report(sms.provider_id) == 200
    assert await world.esms.report(sms.provider_id) == 200
    assert len(await world.events()) == 1


async def test_whom_no_way_reaches_is_called_and_then_told(world: Reached) -> None:
    await world.write_down("zalo", "sms")
    world.zalo.fail_next(1, -118, path="/template")
    world.esms.fail_next(1, "99")
    await world.apply(world.basket())
    await world.run("send_zalo")
    await world.run("send_sms")
    (call,) = await world.calls()
    assert call["people"] == [{"name": "bà Mùa Thị Dợ", "phone": PHONE}]
    assert "- Cải mèo: 12,5 kg" in call["text"]
    path, staff = f"/v1/cooperatives/{world.cooperative}/call-list/{call['notice_id']}", await world.staff()
    assert (await world.service.client.post(path, json={"outcome": "not_reached"}, headers=staff)).status_code == 204
    assert (await world.calls())[0]["calls"] == 1
    assert (await world.service.client.post(path, json={"outcome": "told"}, headers=staff)).status_code == 204
    assert await world.calls() == []
    assert await world.states_by_channel() == [("told", "call")]
    assert (await world.service.client.post(path, json={"outcome": "told"}, headers=staff)).status_code == 409
    table = await world.service.client.get(f"/v1/cooperatives/{world.cooperative}/call-list.csv", headers=staff)
    assert table.status_code == 200


async def test_a_message_that_is_due_in_quiet_hours_that_were_written_down_since_waits_for_their_end(
    world: Reached,
) -> None:
    await world.write_down("sms", "email")
    await world.apply(world.basket())
    hour, here = timedelta(hours=1), datetime.now(ZoneInfo("Asia/Ho_Chi_Minh")).replace(second=0, microsecond=0)
    pool = world.service.runtime.pool
    await pool.execute(
        "update contact set quiet_from = $1, quiet_until = $2", (here - hour).time(), (here + hour).time()
    )
    await world.run("send_sms")
    await world.run("climb", after=STEP)
    await world.run("send_sms", after=STEP)
    assert (world.esms.arrived, await world.states()) == ([], [("queued", 0, None)])
    await world.run("count_deliveries")
    shown = (await world.service.client.get("/metrics")).text
    assert 'notify_deliveries_open{channel="sms",state="postponed"} 1.0' in shown
    assert 'notify_deliveries_open{channel="sms",state="queued"} 1.0' not in shown
    await world.run("climb", after=hour)
    await world.run("send_sms", after=hour)
    (sms,) = world.esms.arrived
    await world.esms.report(sms.provider_id)
    assert await world.states_by_channel() == [("told", "sms")]


async def test_who_may_not_read_it_in_time_is_on_the_call_list_before_the_deadline(world: Reached) -> None:
    await world.write_down("zalo", "sms")
    world.zalo.reports_at_once = False
    soon = datetime.now(UTC) + timedelta(minutes=20)
    await world.apply(replace(world.basket(), reply_by_at=soon))
    await world.run("send_zalo")
    assert await world.calls() == []
    pool = world.service.runtime.pool
    alarm_at = await pool.fetchval("select alarm_at from notice")
    assert alarm_at < soon
    await pool.execute("update notice set alarm_at = now()")
    (call,) = await world.calls()
    assert call["state"] == "queued"


async def test_an_answer_by_zalo_is_taken_as_the_household_s_reply(world: Reached) -> None:
    await world.write_down("zalo_oa")
    world.zalo.reports_at_once = False
    far = datetime.now(UTC) + timedelta(hours=5)
    await world.apply(replace(world.basket(), reply_by_at=far))
    await world.run("send_zalo_oa")
    await world.zalo.report()
    await world.run("match_strays")
    assert await world.zalo.write(USER, "Dạ được ạ") == 200
    replied = [json.loads(e["data"]) for e in await world.events() if e["type"] == "notify.household_replied.v1"]
    assert [(r["answer"], r["channel"], r["version"]) for r in replied] == [("confirm", "zalo_oa", 1)]
    assert await world.words() == [("Dạ được ạ", "understood")]


async def test_words_that_nobody_understands_are_for_staff_to_read(world: Reached) -> None:
    await world.write_down("zalo_oa")
    world.zalo.reports_at_once = False
    await world.apply(replace(world.basket(), reply_by_at=datetime.now(UTC) + timedelta(hours=5)))
    await world.run("send_zalo_oa")
    await world.zalo.report()
    await world.run("match_strays")
    assert await world.zalo.write(USER, "mai nhà có đám cưới thì sao?") == 200
    assert [e["type"] for e in await world.events()] == ["notify.notice_delivered.v1"]
    assert await world.words() == [("mai nhà có đám cưới thì sao?", "not_understood")]


async def test_who_says_stop_is_sent_nothing_more_by_that_channel(world: Reached) -> None:
    contact = await world.write_down("sms", "email")
    assert (await world.esms.write(PHONE, "STOP")).status_code == 200
    await world.apply(world.basket())
    await world.run("send_sms")
    assert world.esms.arrived == []
    path = contact["url"]
    kept = (await world.service.client.get(path, headers=await world.staff())).json()
    assert [one["channel"] for one in kept["addresses"] if one.get("consents") or one.get("purposes")] == ["email"]


async def test_what_a_household_says_by_message_is_confirmed_by_message(world: Reached) -> None:
    await world.write_down("sms")
    basket = replace(world.basket(), reply_by_at=datetime.now(UTC) + timedelta(hours=5))
    await world.apply(basket)
    await world.run("send_sms")
    await world.esms.report(world.esms.arrived[0].provider_id)
    assert (await world.esms.write(PHONE, "ok")).status_code == 200
    await world.apply(
        BasketConfirmed(household_id=world.household, delivery_day=DAY, version=1, items=basket.items, by="reply")
    )
    await world.run("send_sms")
    assert [n["kind"] for n in await world.notices()] == ["basket", "basket_confirmed"]
    assert len(world.esms.to(PHONE)) == 2


async def test_the_second_member_is_told_where_the_first_cannot_be(world: Reached, mail: Mailbox) -> None:
    await world.write_down("sms", name="ông Giàng A Chứ")
    await world.write_down("email", name="chị Giàng Thị Mỷ")
    world.esms.fail_next(1, "99")
    await world.apply(world.basket())
    await world.run("send_sms")
    await world.run("send_email")
    (letter,) = mail.letters
    assert "chị Giàng Thị Mỷ" in str(letter["To"])
    assert await world.states_by_channel() == [("told", "email")]
