"""When an order is asked for again, and when it is not."""

from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.orders.domain.pulls import (
    FIRST_WAIT_S,
    GIVE_UP_AFTER,
    GIVE_UP_ASKED,
    LONGEST_WAIT_S,
    STALE_ASKED,
    Outcome,
    again_at,
    is_fault,
    is_given_up,
    is_older,
    is_settled,
    next_at_once,
)

NOW = datetime(2026, 11, 23, tzinfo=UTC)


@settings(max_examples=300)
@given(attempts=st.integers(1, 10**6), seed=st.integers())
def test_the_wait_is_anything_up_to_a_span_that_doubles_until_it_is_long_enough(attempts: int, seed: int) -> None:
    wait_s = (again_at(attempts, NOW, Random(seed)) - NOW).total_seconds()
    assert 0 <= wait_s <= min(FIRST_WAIT_S * 2 ** min(attempts - 1, 60), LONGEST_WAIT_S)


def test_the_same_chance_gives_the_same_wait_and_another_one_another() -> None:
    assert again_at(3, NOW, Random(1)) == again_at(3, NOW, Random(1)) != again_at(3, NOW, Random(2))


@pytest.mark.parametrize("outcome", [one for one in Outcome if one not in (Outcome.PULLED, Outcome.STALE)])
def test_what_went_wrong_is_never_taken_for_done(outcome: Outcome) -> None:
    assert not is_settled(outcome, 10**6)


def test_an_order_is_done_when_it_was_pulled() -> None:
    assert is_settled(Outcome.PULLED, 1)


def test_an_order_that_stays_older_than_its_push_is_taken_as_it_is() -> None:
    asked = [is_settled(Outcome.STALE, attempts) for attempts in range(1, STALE_ASKED + 1)]
    assert asked == [False] * (STALE_ASKED - 1) + [True]


def test_an_order_is_given_up_after_days_and_not_before_it_was_asked_for_some_times() -> None:
    assert not is_given_up(10**6, GIVE_UP_AFTER - timedelta(seconds=1))
    assert not is_given_up(GIVE_UP_ASKED - 1, timedelta(days=10**4))
    assert is_given_up(GIVE_UP_ASKED, GIVE_UP_AFTER)


def test_an_order_is_to_blame_only_for_what_is_said_of_it_or_where_it_was_asked_for_by_itself() -> None:
    own = {Outcome.MISSING, Outcome.MALFORMED, Outcome.FAILED}
    assert {one for one in Outcome if is_fault(one, 2)} == own
    assert {one for one in Outcome if is_fault(one, 1)} == own | {Outcome.UNWELL, Outcome.REFUSED}


def test_half_as_many_are_asked_for_where_all_failed_and_twice_as_many_after_success() -> None:
    assert [next_at_once(1000, asked, failed=True) for asked in (50, 3, 2, 1)] == [25, 1, 1, 1]
    assert [next_at_once(now, 1, failed=False) for now in (1, 25, 600, 1000)] == [2, 50, 1000, 1000]


def test_what_was_pulled_is_compared_with_its_push_by_the_second() -> None:
    told = NOW + timedelta(milliseconds=1750)
    assert [is_older(NOW + timedelta(seconds=wait_s), told) for wait_s in (0, 1, 2)] == [True, False, False]
