"""Weighing in: what was asked is the measure, more needs an explicit act, and recording twice is recording once."""

from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.allocation.domain.arrivals import Arrival, Expected, accepted_steps, find_faults, steps_weighed

OFFERS, HOUSEHOLDS = [UUID(int=1), UUID(int=2)], [UUID(int=11), UUID(int=12)]

arrivals = st.builds(
    Arrival,
    st.integers(1, 5).map(lambda n: UUID(int=100 + n)),
    st.sampled_from(OFFERS),
    st.sampled_from(HOUSEHOLDS),
    st.integers(0, 6),
)
asked = st.fixed_dictionaries({(offer, who): st.integers(0, 6) for offer in OFFERS for who in HOUSEHOLDS})


def arrival(number: int, steps: int, rejected_steps: int = 0, reason: str | None = None) -> Arrival:
    return Arrival(UUID(int=number), OFFERS[0], HOUSEHOLDS[0], steps, rejected_steps, reason)


def expected(steps: int, *known: Arrival) -> Expected:
    return Expected({(OFFERS[0], HOUSEHOLDS[0]): steps}, {one.arrival_id: one for one in known})


@settings(max_examples=500)
@given(asked, st.lists(arrivals, max_size=6))
def test_what_is_recorded_without_a_fault_never_exceeds_what_is_asked(
    steps: dict[tuple[UUID, UUID], int], new: list[Arrival]
) -> None:
    kept: dict[UUID, Arrival] = {}
    for one in new:
        if not find_faults(Expected(steps, kept), [one], may_exceed=False):
            kept[one.arrival_id] = one
    assert all(total <= steps[place] for place, total in accepted_steps(kept.values()).items())


@settings(max_examples=500)
@given(asked, st.lists(arrivals, max_size=6))
def test_arrivals_recorded_together_are_judged_as_one_by_one(
    steps: dict[tuple[UUID, UUID], int], new: list[Arrival]
) -> None:
    kept: dict[UUID, Arrival] = {}
    one_by_one = []
    for index, one in enumerate(new):
        found = find_faults(Expected(steps, kept), [one], may_exceed=False)
        one_by_one += [(index, field) for _, field, _ in found]
        if not any(field == "arrival_id" for _, field, _ in found):
            kept[one.arrival_id] = one
    together = find_faults(Expected(steps, {}), new, may_exceed=False)
    assert [(index, field) for index, field, _ in together] == one_by_one


def test_the_same_arrival_again_is_no_more_than_it_was() -> None:
    assert find_faults(expected(5, arrival(7, 5)), [arrival(7, 5)], may_exceed=False) == []


def test_more_than_was_asked_needs_an_explicit_act() -> None:
    ((index, field, fault),) = find_faults(expected(5, arrival(7, 3)), [arrival(8, 3)], may_exceed=False)
    assert (index, field) == (0, "accepted_steps")
    assert "6 steps" in fault
    assert "only 5" in fault
    assert find_faults(expected(5, arrival(7, 3)), [arrival(8, 3)], may_exceed=True) == []


def test_what_was_too_much_can_always_be_lowered() -> None:
    assert find_faults(expected(5, arrival(7, 9)), [arrival(7, 8)], may_exceed=False) == []


def test_a_rejection_says_why() -> None:
    assert [field for _, field, _ in find_faults(expected(5), [arrival(7, 4, 1)], may_exceed=False)] == ["reason"]
    assert find_faults(expected(5), [arrival(7, 4, 1, "wilted")], may_exceed=False) == []


def test_negative_quantities_are_named_all_at_once() -> None:
    found = find_faults(expected(5), [arrival(7, -1, -2)], may_exceed=True)
    assert [field for _, field, _ in found] == ["accepted_steps", "rejected_steps"]


@given(st.integers(0, 10_000), st.integers(1, 2_000))
def test_a_weight_counts_in_whole_steps_and_never_more_than_it_is(grams: int, step_grams: int) -> None:
    steps = steps_weighed(grams, step_grams)
    assert steps * step_grams <= grams < (steps + 1) * step_grams


def test_a_weight_below_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="-1 g"):
        steps_weighed(-1, 500)
