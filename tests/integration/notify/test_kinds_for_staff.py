"""Staff are told of what they must see to: once for all that is new, and not every minute."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from services.notify.domain.contacts import Sender
from services.notify.domain.messages import Said
from services.notify.domain.notices import CALL
from services.notify.domain.staff_facts import CallListFacts, NotUnderstoodFacts, QuarantinedFacts
from services.notify.store import words
from tests.integration.notify.peers import Mailbox
from tests.integration.notify.world import ARRIVE_BY, World

STAFF = "van-phong@example.vn"
PAUSE = timedelta(minutes=15)
JUST_BEFORE = PAUSE - timedelta(seconds=1)


@pytest.fixture
async def office(world: World) -> World:
    """Somebody of the staff is told of alerts, and somebody else of money only."""
    await world.agree(STAFF, "alerts")
    await world.agree("ke-toan@example.vn", "money")
    return world


async def run(world: World, job: str, now: datetime) -> None:
    await world.run_at(job, now)
    await world.run_at("send_email", now)


# -- Calls -----------------------------------------------------------------------------------------------------


async def test_staff_are_told_once_how_many_are_to_be_called_and_by_when(office: World, mail: Mailbox) -> None:
    now = datetime.now(UTC)
    await run(office, "tell_of_calls", now)
    assert mail.letters == []
    await office.apply(office.basket(), office.basket(office.neighbour))
    await asyncio.gather(*(office.run_at("tell_of_calls", now) for _ in range(4)))
    await run(office, "tell_of_calls", now + PAUSE)
    (said,) = await office.facts_told("call_list")
    assert isinstance(said, CallListFacts)
    assert (said.households, said.first_by_at) == (2, ARRIVE_BY)
    assert len(mail.to(STAFF)) == len(mail.letters) == 1


async def test_who_comes_onto_the_call_list_later_is_told_after_the_pause(office: World) -> None:
    now = datetime.now(UTC)
    await office.apply(office.basket())
    await run(office, "tell_of_calls", now)
    await office.apply(office.basket(office.neighbour))
    await run(office, "tell_of_calls", now + JUST_BEFORE)
    assert [one.households for one in await office.facts_told("call_list")] == [1]
    await run(office, "tell_of_calls", now + PAUSE)
    await run(office, "tell_of_calls", now + 2 * PAUSE)
    assert [one.households for one in await office.facts_told("call_list")] == [1, 2]


async def test_who_was_called_is_not_counted_any_more(office: World) -> None:
    now = datetime.now(UTC)
    await office.apply(office.basket(), office.basket(office.neighbour))
    (first, _) = [n for n in await office.notices() if n["kind"] == "basket"]
    path = f"/v1/cooperatives/{office.cooperative}/call-list/{first['notice_id']}"
    answer = await office.service.client.post(path, json={"outcome": "told"}, headers=await office.staff())
    assert answer.status_code == 204
    assert (await office.notices())[0]["channel"] == CALL
    await run(office, "tell_of_calls", now)
    assert [one.households for one in await office.facts_told("call_list")] == [1]


async def test_a_changed_basket_is_a_new_call_for_the_same_household(office: World) -> None:
    now = datetime.now(UTC)
    await office.apply(office.basket())
    await run(office, "tell_of_calls", now)
    await office.apply(office.changed(2, 10))
    await run(office, "tell_of_calls", now + PAUSE)
    assert [one.households for one in await office.facts_told("call_list")] == [1, 1]


async def test_what_staff_have_not_been_told_yet_is_overtaken_by_the_newer_number(office: World, mail: Mailbox) -> None:
    now = (datetime.now(UTC) + timedelta(days=1)).replace(hour=5)  # at noon, far from the end of a day
    mail.on_rcpt = lambda _: "451 4.3.0 try later"
    await office.apply(office.basket())
    await run(office, "tell_of_calls", now)
    await office.apply(office.basket(office.neighbour))
    await office.run_at("tell_of_calls", now + PAUSE)
    mail.on_rcpt = lambda _: "250 OK"
    await office.run_at("send_email", now + PAUSE + PAUSE / 3)
    assert [one.households for one in await office.facts_told("call_list")] == [2]
    assert len(mail.letters) == 1


# -- Words -----------------------------------------------------------------------------------------------------


async def say(world: World, said_at: datetime, became: str = "not_understood") -> None:
    said = Said("zalo_oa", "246845883529197922", "hôm nay mưa to quá", uuid4().hex, said_at)
    sender = Sender(uuid4(), world.cooperative, world.household)
    async with world.service.runtime.pool.acquire() as conn:
        assert await words.insert_words(conn, said, sender, became, said_at)


async def test_staff_are_told_that_something_was_not_understood(office: World, mail: Mailbox) -> None:
    now = datetime.now(UTC)
    await say(office, now - timedelta(minutes=2))
    await say(office, now - timedelta(minutes=1), "not_asked")
    await say(office, now, "understood")
    await asyncio.gather(*(office.run_at("tell_of_words", now) for _ in range(3)))
    await run(office, "tell_of_words", now + PAUSE)
    (said,) = await office.facts_told("not_understood")
    assert isinstance(said, NotUnderstoodFacts)
    assert said.said_at == now - timedelta(minutes=2)
    assert len(mail.to(STAFF)) == len(mail.letters) == 1
    assert "mưa" not in mail.letters[0].get_content()


async def test_words_that_come_soon_after_wait_for_the_pause(office: World) -> None:
    now = datetime.now(UTC)
    await say(office, now)
    await run(office, "tell_of_words", now)
    later = now + timedelta(minutes=1)
    await say(office, later)
    await run(office, "tell_of_words", now + JUST_BEFORE)
    assert len(await office.facts_told("not_understood")) == 1
    await run(office, "tell_of_words", now + PAUSE)
    assert [one.said_at for one in await office.facts_told("not_understood")] == [now, later]


async def test_what_was_read_before_is_no_news(office: World) -> None:
    now = datetime.now(UTC)
    await say(office, now)
    await office.service.runtime.pool.execute("update words set read_at = now()")
    await run(office, "tell_of_words", now)
    assert await office.facts_told("not_understood") == []


# -- Quarantine ------------------------------------------------------------------------------------------------


async def park(world: World, sequence: int, status: str = "quarantined") -> None:
    await world.service.runtime.pool.execute(
        "insert into parked_event (producer, stream, sequence, status, event) values ('allocation', $1, $2, $3, '{}') "
        "on conflict (stream, producer, sequence) do update set status = excluded.status",
        world.cooperative,
        sequence,
        status,
    )


async def test_staff_are_told_of_events_in_quarantine_once(office: World, mail: Mailbox) -> None:
    now = datetime.now(UTC)
    await park(office, 7)
    await park(office, 8, "waiting")
    await asyncio.gather(*(office.run_at("tell_of_quarantine", now) for _ in range(3)))
    await run(office, "tell_of_quarantine", now + PAUSE)
    (said,) = await office.facts_told("quarantined")
    assert isinstance(said, QuarantinedFacts)
    assert (said.service, said.events) == ("notify", 1)
    assert "python -m services.notify quarantine list" in mail.letters[0].get_content()
    await park(office, 8)
    await run(office, "tell_of_quarantine", now + 2 * PAUSE)
    assert [one.events for one in await office.facts_told("quarantined")] == [1, 2]


async def test_an_event_that_fails_again_after_a_retry_is_told_again(office: World) -> None:
    now = datetime.now(UTC)
    await park(office, 7)
    await run(office, "tell_of_quarantine", now)
    await park(office, 7, "retry")
    await run(office, "tell_of_quarantine", now + PAUSE)
    await park(office, 7)
    await run(office, "tell_of_quarantine", now + 2 * PAUSE)
    assert len(await office.facts_told("quarantined")) == 2


async def test_the_stream_of_nobody_we_know_is_passed_over(office: World) -> None:
    await park(replace_cooperative(office), 7)
    await run(office, "tell_of_quarantine", datetime.now(UTC))
    assert await office.facts_told("quarantined") == []


def replace_cooperative(world: World) -> World:
    return World(world.service)
