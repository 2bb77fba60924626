"""What changes when days close: what is added to baskets, and entries that memory reads."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest

from services.allocation.domain.baskets import DayOffer
from services.allocation.domain.cut_off import ClosedDay, Closing, Means, close_days
from services.allocation.domain.sharing import FairnessEntry
from services.allocation.domain.terms import step_value_vnd

COOPERATIVE, OTHER = UUID(int=1), UUID(int=2)
ONE, TWO = UUID(int=11), UUID(int=12)
MEANS = {ONE: Means(1), TWO: Means(1)}
DAY = date(2025, 11, 20)


def offer(number: int, promised_steps: int, **pledges: int) -> DayOffer:
    """Of a step value of 10 000 VND; pledges by `one` and `two`."""
    own = tuple((ONE if name == "one" else TWO, steps) for name, steps in pledges.items())
    at = datetime(2025, 11, 19, 22, tzinfo=UTC)
    return DayOffer(UUID(int=100 + number), UUID(int=200), "cai-meo", 10_000, UUID(int=300), at, promised_steps, own)


def close(
    *closings: Closing, entries: dict[UUID, dict[tuple[date, UUID], FairnessEntry]] | None = None
) -> list[ClosedDay]:
    return close_days(closings, MEANS, entries or {}, {})


def steps(day: ClosedDay) -> dict[UUID, list[int]]:
    return {basket.household_id: [item.quantity_steps for item in basket.items] for basket in day.baskets}


def test_everyone_who_pledged_has_a_first_basket_and_an_entry() -> None:
    [day] = close(Closing(COOPERATIVE, DAY, (offer(1, 3, one=3, two=0), offer(2, 0, two=5))))
    assert steps(day) == {ONE: [3], TWO: []}
    # The capped equal share would have been 15 000 each.
    assert day.entries == (FairnessEntry(ONE, 30_000, 15_000), FairnessEntry(TWO, 0, 15_000))


def test_a_second_closing_of_the_day_adds_to_baskets_and_entries() -> None:
    first, second = close(
        Closing(COOPERATIVE, DAY, (offer(1, 1, one=1), offer(2, 1, one=1, two=1))),
        Closing(COOPERATIVE, DAY, (offer(3, 2, one=2, two=2),)),
    )
    assert steps(first) == {ONE: [1], TWO: [1]}
    assert [(len(basket.items), len(basket.added)) for basket in second.baskets] == [(2, 1), (2, 1)]
    assert second.entries == (FairnessEntry(ONE, 20_000, 20_000), FairnessEntry(TWO, 20_000, 20_000))


def test_a_household_that_gets_nothing_more_is_not_told_again() -> None:
    before = {(ONE, DAY): (), (TWO, DAY): ()}
    [day] = close_days([Closing(COOPERATIVE, DAY, (offer(1, 1, one=1), offer(2, 0, two=3)))], MEANS, {}, before)
    assert steps(day) == {ONE: [1]}


def weighed(number: int, promised_steps: int, **pledges: int) -> DayOffer:
    return replace(offer(number, promised_steps, **pledges), step_grams=1_000)


def test_what_was_asked_before_that_day_takes_its_part_of_the_load_and_other_days_do_not() -> None:
    closings = [
        Closing(COOPERATIVE, DAY, (weighed(1, 3, one=3),)),
        Closing(COOPERATIVE, DAY, (weighed(2, 4, one=4),)),
        Closing(COOPERATIVE, DAY + timedelta(days=1), (weighed(3, 5, one=5),)),
    ]
    first, second, other_day = close_days(closings, MEANS | {ONE: Means(1, 5_000)}, {}, {})
    assert (first.missing, second.missing, other_day.missing) == ((), ((UUID(int=102), 2),), ())
    assert (steps(second), steps(other_day)) == ({ONE: [3, 2]}, {ONE: [5]})


def test_a_household_that_comes_anyway_is_asked_for_more_and_one_that_was_spared_is_told_why() -> None:
    first, second = close(
        Closing(COOPERATIVE, DAY, (offer(1, 8, one=8),), least_vnd=60_000),
        Closing(COOPERATIVE, DAY, (offer(2, 2, one=9, two=9),), least_vnd=60_000),
    )
    assert steps(first) == {ONE: [8]}
    assert [(x.household_id, len(x.items), x.not_worthwhile) for x in second.baskets] == [
        (ONE, 2, False),
        (TWO, 0, True),
    ]


def test_closing_a_day_with_nothing_left_to_share_changes_nothing() -> None:
    assert close(Closing(COOPERATIVE, DAY, ())) == [ClosedDay((), (), {})]


@pytest.mark.parametrize(
    ("cooperative_id", "days_ago", "counts"),
    [
        (COOPERATIVE, 0, True),
        (COOPERATIVE, 29, True),
        (COOPERATIVE, 30, False),
        (COOPERATIVE, -1, False),
        (OTHER, 1, False),
    ],
)
def test_memory_is_of_the_same_cooperative_and_ends_with_the_day_itself(
    cooperative_id: UUID, days_ago: int, counts: bool
) -> None:
    day = DAY - timedelta(days=days_ago)
    past = {(day, ONE): FairnessEntry(ONE, 40_000, 20_000), (day, TWO): FairnessEntry(TWO, 0, 20_000)}
    [closed] = close(Closing(COOPERATIVE, DAY, (offer(1, 4, one=4, two=4),)), entries={cooperative_id: past})
    assert steps(closed) == ({TWO: [4], ONE: []} if counts else {ONE: [2], TWO: [2]})


def test_what_one_closing_did_is_remembered_by_the_next_day() -> None:
    first, second = close(
        Closing(COOPERATIVE, DAY, (offer(1, 1, one=1, two=1),)),
        Closing(COOPERATIVE, DAY + timedelta(days=1), (offer(2, 1, one=1, two=1),)),
    )
    assert {household for day in (first, second) for household, own in steps(day).items() if own} == {ONE, TWO}


def test_a_step_is_worth_a_whole_number_of_dong() -> None:
    assert step_value_vnd(30_000, 500) == 15_000
    with pytest.raises(ValueError, match="not whole"):
        step_value_vnd(30_001, 500)
