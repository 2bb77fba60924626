"""What households and the union are told because time has passed: reminders, months, the day in the evening."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pytest
from msgspec.structs import replace

from services.chassis.ids import uuid7
from services.contracts.allocation import (
    BasketConfirmed,
    DaySettled,
    DeliveredLine,
    OrderDelivered,
    SettledHousehold,
    SettlementCorrected,
)
from services.contracts.catalog import OfferPublished
from services.notify.domain.facts import MonthSettlementFacts, ReminderFacts
from services.notify.domain.replies import CANNOT, CONFIRM, CurrentBasket, Reply
from services.notify.domain.staff_facts import CooperativeDay, SummaryFacts
from services.notify.store import baskets
from tests.integration.notify.peers import Mailbox
from tests.integration.notify.test_kinds_by_event import shorted
from tests.integration.notify.world import ARRIVE_BY, DAY, REPLY_BY, World

HOME, MONEY, UNION = "nha@example.vn", "tien@example.vn", "lien-hiep@example.vn"
REMIND_AT = ARRIVE_BY - timedelta(minutes=90)
MINUTE = timedelta(minutes=1)

# -- Reminders -------------------------------------------------------------------------------------------------


@pytest.fixture
async def told(world: World, mail: Mailbox) -> World:
    """The household was told its basket long before."""
    await world.agree(HOME, "work", household=world.household)
    await world.apply(world.basket())
    await world.run("send_email")
    mail.letters.clear()
    return world


async def remind(world: World, now: datetime = REMIND_AT) -> int:
    """How many reminders there are after the job ran at that time and the mail went out."""
    await world.run_at("remind", now)
    await world.run_at("send_email", now)
    return len(await world.facts_told("reminder"))


async def set_policy(world: World, **body: int) -> None:
    path = f"/v1/cooperatives/{world.cooperative}/notice-policy"
    assert (await world.service.client.put(path, json=body, headers=await world.staff())).status_code == 200


async def test_a_household_is_reminded_once_when_it_is_time(told: World, mail: Mailbox) -> None:
    assert await remind(told, REMIND_AT - MINUTE) == 0
    assert await remind(told) == 1
    assert await remind(told, REMIND_AT + MINUTE) == 1
    (said,), (letter,) = await told.facts_told("reminder"), mail.to(HOME)
    assert isinstance(said, ReminderFacts)
    assert [(item.goods.name, item.quantity_steps) for item in said.items] == [("Rau mùi", 3), ("Cải mèo", 25)]
    assert letter["Subject"] == "Nhắc lại: Hàng cần mang thứ Ba, 24/11/2099"


async def test_two_processes_remind_once(told: World, mail: Mailbox) -> None:
    await asyncio.gather(*(told.run_at("remind", REMIND_AT) for _ in range(4)))
    await told.run_at("send_email", REMIND_AT)
    assert len(mail.letters) == 1


async def test_nobody_is_reminded_of_what_is_past(told: World) -> None:
    assert await remind(told, ARRIVE_BY) == 0


@pytest.mark.parametrize(("minutes", "at", "reminded"), [(0, MINUTE, 0), (30, 31 * MINUTE, 0), (30, 30 * MINUTE, 1)])
async def test_the_cooperative_says_how_long_before(told: World, minutes: int, at: timedelta, reminded: int) -> None:
    await set_policy(told, remind_before_minutes=minutes)
    assert await remind(told, ARRIVE_BY - at) == reminded


async def test_a_changed_basket_has_a_reminder_of_its_own_and_says_what_holds_now(told: World) -> None:
    await told.apply(told.changed(2, 10))
    await told.run("send_email")
    assert await remind(told) == 1
    (said,) = await told.facts_told("reminder")
    assert [item.quantity_steps for item in said.items] == [10]
    await told.apply(told.changed(3, 9))
    await told.run("send_email")
    assert await remind(told) == 2
    assert [item.quantity_steps for item in (await told.facts_told("reminder"))[1].items] == [9]


@pytest.mark.parametrize(("before", "reminded"), [(61 * MINUTE, 1), (59 * MINUTE, 0), (-5 * MINUTE, 0)])
async def test_whoever_was_told_within_the_hour_needs_no_reminder(
    told: World, before: timedelta, reminded: int
) -> None:
    await told.service.runtime.pool.execute("update notice set told_at = $1", REMIND_AT - before)
    assert await remind(told, REMIND_AT + 10 * MINUTE) == reminded


async def test_whoever_was_not_told_is_to_be_called_and_not_reminded(world: World) -> None:
    await world.apply(world.basket())
    assert await remind(world) == 0


async def test_who_has_nothing_to_bring_is_not_reminded(told: World) -> None:
    await told.apply(told.changed(2, 0))
    await told.run("send_email")
    assert await remind(told) == 0


@pytest.mark.parametrize(("steps", "reminded"), [(0, 0), (7, 1)])
async def test_a_confirmed_basket_counts_for_what_is_settled_of_it(told: World, steps: int, reminded: int) -> None:
    basket = told.basket()
    items = tuple(replace(item, confirmed_steps=steps) for item in basket.items)
    await told.apply(BasketConfirmed(told.household, DAY, 1, items, by="staff"))
    assert await remind(told) == reminded


@pytest.mark.parametrize(("answer", "reminded"), [(CANNOT, 0), (CONFIRM, 1)])
async def test_who_cannot_come_is_not_reminded_unless_it_is_asked_again(
    told: World, answer: str, reminded: int
) -> None:
    standing = await baskets.get_basket(told.service.runtime.pool, told.household, DAY)
    assert standing is not None
    await answer_with(told, standing.basket, Reply(1, answer, "other" if answer == CANNOT else None, ()))
    assert await remind(told) == reminded
    await told.apply(told.changed(2, 4))
    await told.run("send_email")
    assert await remind(told) == reminded + 1


async def answer_with(world: World, basket: CurrentBasket, reply: Reply) -> None:
    async with world.service.runtime.pool.acquire() as conn, conn.transaction():
        await baskets.save_reply(conn, basket, reply, "page", datetime.now(UTC))


# -- Months ----------------------------------------------------------------------------------------------------

FIRST_AT_EIGHT = datetime(2099, 12, 1, 1, 0, tzinfo=UTC)
NOVEMBER, TEN_MINUTES = date(2099, 11, 1), timedelta(minutes=10)


def settled(world: World, day: date, gross_vnd: int, fee_vnd: int) -> DaySettled:
    return DaySettled(day, (SettledHousehold(world.household, gross_vnd, fee_vnd, gross_vnd - fee_vnd),))


async def months(world: World, now: datetime = FIRST_AT_EIGHT) -> list[MonthSettlementFacts]:
    """What was told of months after the job ran at that time and the mail went out."""
    assert await world.run_at("tell_months", now) is False
    await world.run_at("send_email", now + TEN_MINUTES)
    return await world.facts_told("settlement_month")


@pytest.fixture
async def november(world: World, mail: Mailbox) -> World:
    """Two days were settled, on the first and the last of the month, and one before and one after it."""
    await world.agree(HOME, "work", household=world.household)
    await world.agree(MONEY, "money", household=world.household)
    await world.apply(
        settled(world, date(2099, 10, 31), 1, 0),
        settled(world, NOVEMBER, 200_001, 10_000),
        settled(world, date(2099, 11, 30), 99_999, 5_000),
        settled(world, date(2099, 12, 1), 3, 0),
    )
    await world.run("send_email")
    await world.run_at("tell_months", datetime(2099, 11, 1, 2, 0, tzinfo=UTC))
    await world.run_at("send_email", datetime(2099, 11, 1, 3, 0, tzinfo=UTC))
    assert [one.month for one in await world.facts_told("settlement_month")] == [date(2099, 10, 1)]
    mail.letters.clear()
    return world


async def test_a_month_is_told_on_the_first_at_eight_and_agrees_with_its_days(november: World, mail: Mailbox) -> None:
    assert len(await months(november, FIRST_AT_EIGHT - MINUTE)) == 1
    *_, said = await months(november)
    assert said.month == NOVEMBER
    assert [day.delivery_day for day in said.days] == [NOVEMBER, date(2099, 11, 30)]
    assert (said.gross_vnd, said.fee_vnd, said.net_vnd) == (300_000, 15_000, 285_000)
    assert "285.000" in mail.to(MONEY)[0]["Subject"]
    assert len(mail.letters) == 1
    assert len(await months(november, FIRST_AT_EIGHT + MINUTE)) == 2


async def test_several_processes_tell_a_month_once(november: World) -> None:
    await asyncio.gather(*(november.run_at("tell_months", FIRST_AT_EIGHT) for _ in range(4)))
    assert len([n for n in await november.notices() if n["kind"] == "settlement_month"]) == 2


async def test_a_correction_stands_in_the_month_and_is_no_day_more(november: World, mail: Mailbox) -> None:
    await november.apply(SettlementCorrected(uuid4(), november.household, NOVEMBER, -50_000, "cân lại"))
    *_, said = await months(november)
    assert (said.gross_vnd, said.fee_vnd, said.net_vnd) == (250_000, 15_000, 235_000)
    assert said.day_count == 2
    assert "2 ngày" in mail.letters[0].get_content()


async def test_a_later_correction_replaces_what_was_told_of_the_month(november: World, mail: Mailbox) -> None:
    await november.agree("hang-xom@example.vn", "money", household=november.neighbour)
    await november.apply(DaySettled(NOVEMBER, (SettledHousehold(november.neighbour, 10, 0, 10),)))
    await november.run("send_email")
    mail.letters.clear()
    await months(november)
    assert len(mail.letters) == 2
    await november.apply(SettlementCorrected(uuid4(), november.household, NOVEMBER, 1_000, "thiếu"))
    *_, said = await months(november, FIRST_AT_EIGHT + timedelta(days=20))
    assert said.net_vnd == 286_000
    assert len(mail.letters) == 3, "only the household whose month has changed is told again"
    assert "thay cho thông báo trước" in mail.letters[2].get_content()


async def test_a_change_that_is_under_way_is_not_lost(november: World) -> None:
    """The job passes over a month of which something is being settled, and tells it once that has committed."""
    ledger, held = november.service.runtime.ledger, asyncio.Event()
    correction = SettlementCorrected(uuid4(), november.household, NOVEMBER, 1_000, "thiếu")
    done = asyncio.Event()

    async def slow() -> None:
        async with ledger.pool.acquire() as conn, conn.transaction():
            await conn.execute("update month_to_tell set changed_at = now() where month = $1", NOVEMBER)
            held.set()
            await done.wait()

    other = asyncio.create_task(slow())
    await held.wait()
    assert len(await months(november)) == 1
    done.set()
    await other
    await november.apply(correction)
    *_, said = await months(november)
    assert said.net_vnd == 286_000


# -- The union's evening ---------------------------------------------------------------------------------------

EVENING = datetime(2099, 11, 24, 13, 0, tzinfo=UTC)


def delivered() -> OrderDelivered:
    return OrderDelivered(uuid7(), DAY, (DeliveredLine(line_no=1, offer_id=uuid7(), delivered_steps=2),))


async def test_the_union_reads_the_day_in_numbers_once(world: World, mail: Mailbox) -> None:
    await world.agree_for_the_union(UNION, "summary")
    await world.agree_for_the_union("khac@example.vn", "alerts")
    await world.agree(HOME, "work", household=world.household)
    await world.apply(OfferPublished(world.offer, world.cabbage, DAY, 20_000, REPLY_BY, world.point, ARRIVE_BY, ()))
    await world.apply(world.basket(), world.basket(world.neighbour))
    await world.run("send_email")
    mail.letters.clear()
    less, lost = shorted(world.offer, 5, 2), shorted(world.offer, 3, 0)
    first = delivered()
    await world.apply(less, replace(less, lines=less.lines), lost)
    await world.apply(first, first, delivered(), replace(delivered(), order_id=less.order_id))
    await world.apply(settled(world, DAY, 100_000, 5_000))
    assert await world.run_at("sum_up_the_day", EVENING - MINUTE) is False
    await world.run_at("send_email", EVENING)
    assert await world.facts_told("daily_summary") == []
    await asyncio.gather(*(world.run_at("sum_up_the_day", EVENING) for _ in range(3)))
    await world.run_at("sum_up_the_day", EVENING + 60 * MINUTE)
    await world.run_at("send_email", EVENING + 60 * MINUTE)
    (said,) = await world.facts_told("daily_summary")
    assert isinstance(said, SummaryFacts)
    assert (said.union, said.day) == ("Liên hiệp Hợp tác xã", DAY)
    assert said.cooperatives == (CooperativeDay("Hợp tác xã Rau Vân Hồ", 4, 2, 2, 1, 1, 95_000),)
    assert len(mail.to(UNION)) == len(mail.letters) == 1
    assert mail.letters[0]["From"].addresses[0].display_name == "Chợ Phiên"


async def test_an_evening_that_was_missed_is_made_up_for_in_the_night(world: World) -> None:
    await world.agree_for_the_union(UNION, "summary")
    await world.apply(settled(world, DAY, 100_000, 5_000))
    night = EVENING + timedelta(hours=9)
    await world.run_at("sum_up_the_day", night)
    await world.run_at("send_email", night)
    assert [one.day for one in await world.facts_told("daily_summary")] == [DAY]
    await world.run_at("sum_up_the_day", EVENING + timedelta(days=1))
    await world.run_at("send_email", EVENING + timedelta(days=1))
    assert len(await world.facts_told("daily_summary")) == 1, "on the next day nothing happened"
