"""What people are told because something happened besides their basket: each kind, to those who agreed to it."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from msgspec.structs import replace

from services.chassis.inbox import Received
from services.contracts.allocation import (
    ArrivalRecorded,
    DaySettled,
    OfferAvailabilityChanged,
    OrderShorted,
    SettledHousehold,
    ShortedLine,
)
from services.contracts.catalog import OfferPublished
from services.notify.domain.facts import ArrivalFacts, DaySettlementFacts
from services.notify.domain.staff_facts import ShortfallFacts, ShortOffer, SoldOutFacts
from tests.integration.notify.peers import Mailbox
from tests.integration.notify.world import ARRIVE_BY, DAY, REPLY_BY, TRACE, World

GATHERED = timedelta(minutes=6)
"""By then what is gathered goes out."""

WORK, MONEY, ALERTS = "work@example.vn", "money@example.vn", "alerts@example.vn"


@pytest.fixture
async def agreed(world: World) -> World:
    """Each purpose has a person of its own; where a kind has the wrong purpose, the wrong one is written to."""
    await world.agree(WORK, "work", household=world.household)
    await world.agree(MONEY, "money", household=world.household)
    await world.agree(ALERTS, "alerts")
    return world


def arrival(world: World, lot: str, accepted_steps: int, rejected_steps: int = 0) -> ArrivalRecorded:
    return ArrivalRecorded(
        uuid4(), world.household, DAY, world.offer, world.cabbage, lot, accepted_steps, rejected_steps,
        "bị dập" if rejected_steps else None,
    )  # fmt: skip


def offered(world: World, offer_id: UUID, product_id: UUID) -> OfferPublished:
    return OfferPublished(offer_id, product_id, DAY, 20_000, REPLY_BY, world.point, ARRIVE_BY, ())


def shorted(offer_id: UUID, before_steps: int, after_steps: int) -> OrderShorted:
    line = ShortedLine(
        line_no=1, offer_id=offer_id, before_steps=before_steps, after_steps=after_steps, reason="not_delivered"
    )
    return OrderShorted(order_id=uuid4(), lines=(line,))


async def test_arrivals_of_a_household_are_gathered_into_one_notice(agreed: World, mail: Mailbox) -> None:
    await agreed.apply(arrival(agreed, "VH-1", 10), arrival(agreed, "VH-2", 5, 2))
    await agreed.run("send_email")
    assert mail.letters == []
    await agreed.apply(arrival(agreed, "VH-3", 1))
    await agreed.run("send_email", after=GATHERED)
    (said,) = await agreed.facts_told("arrival")
    assert isinstance(said, ArrivalFacts)
    lines = [(line.lot, line.accepted_steps, line.rejected_steps, line.reason) for line in said.lines]
    assert lines == [("VH-1", 10, 0, None), ("VH-2", 5, 2, "bị dập"), ("VH-3", 1, 0, None)]
    assert len(mail.to(WORK)) == len(mail.letters) == 1


async def test_a_corrected_arrival_replaces_its_line_and_says_so(agreed: World, mail: Mailbox) -> None:
    first, second = arrival(agreed, "VH-1", 10), arrival(agreed, "VH-2", 5)
    await agreed.apply(first, second)
    await agreed.run("send_email", after=GATHERED)
    await agreed.apply(replace(first, accepted_steps=9))
    await agreed.run("send_email", after=GATHERED)
    before, after = await agreed.facts_told("arrival")
    assert [line.accepted_steps for line in before.lines] == [10, 5]
    assert [(line.lot, line.accepted_steps) for line in after.lines] == [("VH-1", 9), ("VH-2", 5)]
    assert [letter["Subject"] for letter in mail.letters] == [
        "Hàng đã nhận của gia đình thứ Ba, 24/11/2099",
        "Đính chính: Hàng đã nhận của gia đình thứ Ba, 24/11/2099",
    ]


async def test_a_settled_day_is_told_to_each_household_to_the_dong(agreed: World, mail: Mailbox) -> None:
    await agreed.agree("neighbour@example.vn", "money", household=agreed.neighbour)
    households = (
        SettledHousehold(agreed.household, 250_001, 12_501, 237_500),
        SettledHousehold(agreed.neighbour, 99_999, 5_000, 94_999),
    )
    await agreed.apply(DaySettled(DAY, households))
    await agreed.run("send_email")
    said = await agreed.facts_told("settlement_day")
    assert all(isinstance(one, DaySettlementFacts) for one in said)
    assert sum(one.settled.gross_vnd for one in said) == 350_000
    assert sum(one.settled.net_vnd + one.settled.fee_vnd for one in said) == 350_000
    assert "237.500" in mail.to(MONEY)[0]["Subject"]
    assert "94.999" in mail.to("neighbour@example.vn")[0]["Subject"]
    assert len(mail.letters) == 2


async def test_who_did_not_agree_to_be_told_of_money_is_not_told_of_it(world: World, mail: Mailbox) -> None:
    await world.agree(WORK, "work", household=world.household)
    await world.apply(DaySettled(DAY, (SettledHousehold(world.household, 100, 5, 95),)))
    await world.run("send_email")
    assert mail.letters == []
    assert await world.states() == [("undeliverable", 0, "no_contact")]


async def test_an_offer_is_sold_out_once_and_several_make_one_notice(agreed: World, mail: Mailbox) -> None:
    other = uuid4()
    await agreed.apply(offered(agreed, agreed.offer, agreed.cabbage), offered(agreed, other, agreed.coriander))
    gone, back = OfferAvailabilityChanged(agreed.offer, 100, 0), OfferAvailabilityChanged(agreed.offer, 100, 4)
    await agreed.apply(gone, OfferAvailabilityChanged(other, 50, 0), OfferAvailabilityChanged(uuid4(), 0, 0))
    await agreed.run("send_email", after=GATHERED)
    await agreed.apply(back, gone)
    await agreed.run("send_email", after=GATHERED)
    (said,) = await agreed.facts_told("sold_out")
    assert isinstance(said, SoldOutFacts)
    assert (said.delivery_day, said.products) == (DAY, ("Cải mèo", "Rau mùi"))
    assert len(mail.to(ALERTS)) == len(mail.letters) == 1


async def test_an_offer_of_which_something_is_left_at_its_cut_off_is_not_called_sold_out(
    agreed: World, mail: Mailbox
) -> None:
    await agreed.apply(offered(agreed, agreed.offer, agreed.cabbage))
    await agreed.apply(
        OfferAvailabilityChanged(agreed.offer, 100, 30), OfferAvailabilityChanged(agreed.offer, 100, 0, open=False)
    )
    await agreed.run("send_email", after=GATHERED)
    assert mail.letters == []


async def test_shortfalls_of_a_day_are_added_up(agreed: World, mail: Mailbox) -> None:
    other = uuid4()
    await agreed.apply(offered(agreed, agreed.offer, agreed.cabbage), offered(agreed, other, agreed.coriander))
    await agreed.apply(shorted(agreed.offer, 10, 7), shorted(agreed.offer, 4, 0), shorted(other, 2, 1))
    await agreed.run("send_email", after=GATHERED)
    (said,) = await agreed.facts_told("shortfall")
    assert isinstance(said, ShortfallFacts)
    assert {(one.goods.name, one.missing_steps, one.orders) for one in said.offers} == {
        ("Cải mèo", 7, 2),
        ("Rau mùi", 1, 1),
    }
    await agreed.apply(shorted(agreed.offer, 5, 4))
    await agreed.run("send_email", after=GATHERED)
    _, later = await agreed.facts_told("shortfall")
    assert [(one.missing_steps, one.orders) for one in later.offers if one.goods.name == "Cải mèo"] == [(8, 3)]
    assert len(mail.to(ALERTS)) == len(mail.letters) == 2


async def test_events_of_one_transaction_are_added_up_as_well(agreed: World) -> None:
    await agreed.apply(offered(agreed, agreed.offer, agreed.cabbage))
    now = datetime.now(UTC)
    await agreed.apply_together(
        [
            Received(agreed.cooperative, 1_000_000 + n, uuid4(), now, TRACE, shorted(agreed.offer, 10, 10 - n))
            for n in range(1, 4)
        ]
    )
    await agreed.run("send_email", after=GATHERED)
    (said,) = await agreed.facts_told("shortfall")
    assert said.offers == (ShortOffer(said.offers[0].goods, 6, 3),)
    (notice,) = await agreed.notices()
    assert notice["version"] == 3, "as if they had come one by one, or a rebuild would find something else"


async def test_another_day_has_a_notice_of_its_own(agreed: World) -> None:
    tomorrow, day = uuid4(), date(2099, 11, 25)
    await agreed.apply(
        offered(agreed, agreed.offer, agreed.cabbage),
        replace(offered(agreed, tomorrow, agreed.cabbage), delivery_day=day),
        shorted(agreed.offer, 3, 1),
        shorted(tomorrow, 3, 2),
    )
    await agreed.run("send_email", after=GATHERED)
    assert sorted((one.delivery_day, one.offers[0].missing_steps) for one in await agreed.facts_told("shortfall")) == [
        (DAY, 2),
        (day, 1),
    ]
