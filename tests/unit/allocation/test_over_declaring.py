"""What a household gains that pledges more than it has: nothing of one product, and what is known of whole days.

A household uses min(asked, what it truly has) of each product, worth so many VND; its true pledges are what it has.
Others keep to what they pledged, and there is no least delivery. Memory is that of the day's morning.

Proven: a pledge that was not asked for in full may be raised without changing what anybody is asked for, loads or not,
since caps that do not bind take no part in the level. So of a single product nothing can be gained: who was asked for
all that it has can use no more of it. The same holds for the last product of a day.

Tested, not proven: nothing is gained over a day whose steps all have the same value and nobody's load is limited.

Not so in general. Where steps differ in value, being asked for more of an early product than one has may cost a cheap
step of the next and win a dear one after it (only by rounding: values of whole steps do not divide evenly). Where
loads are limited, it may decide what the load, one's own or another's, is filled with. Both are kept below.
And over days: the fair part of a day counts pledges, so a raised pledge that nobody asks for can still raise the debt.
"""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from services.allocation.domain.baskets import DayLimits, DayOffer, DayPlan, assign_day
from tests.unit.allocation.days import HOUSEHOLDS, all_weights, day_offer, day_offers, loads, memories, steps_of

rule = settings(max_examples=400, deadline=None, derandomize=True)

ME, OTHER = HOUSEHOLDS[:2]
EQUAL = dict.fromkeys(HOUSEHOLDS, 1)


def raised(offer: DayOffer, household: UUID, more_steps: int) -> DayOffer:
    """A pledge of 0 too is raised, since nobody checks what grows on a field."""
    pledges = dict(offer.pledges)
    return replace(offer, pledges=tuple((pledges | {household: pledges.get(household, 0) + more_steps}).items()))


def used_vnd(plan: DayPlan, offers: Sequence[DayOffer], household: UUID) -> int:
    """What the household can use of the plan, if `offers` holds its true pledges."""
    steps = steps_of(plan)
    return sum(
        min(steps.get((x.offer_id, household), 0), dict(x.pledges).get(household, 0)) * x.step_value_vnd for x in offers
    )


rises = st.lists(st.integers(0, 30), min_size=4, max_size=4)


@rule
@given(day_offers(weighed=True), all_weights, memories, loads, st.data())
def test_raising_pledges_that_are_not_asked_for_in_full_changes_nothing_on_the_day(
    offers: list[DayOffer],
    weights: dict[UUID, int],
    memory_vnd: dict[UUID, int],
    load_grams: dict[UUID, int],
    data: st.DataObject,
) -> None:
    limits = DayLimits(load_grams)
    plan = assign_day(offers, weights, memory_vnd, limits)
    steps = steps_of(plan)
    higher = [
        replace(
            offer,
            pledges=tuple(
                (h, pledged + data.draw(st.integers(0, 30)) * (steps.get((offer.offer_id, h), 0) < pledged))
                for h, pledged in offer.pledges
            ),
        )
        for offer in offers
    ]
    after = assign_day(higher, weights, memory_vnd, limits)
    assert (steps_of(after), after.missing) == (steps, plan.missing)


@rule
@given(day_offers(most=1, weighed=True), all_weights, memories, loads, st.sampled_from(HOUSEHOLDS), st.integers(1, 50))
def test_over_declaring_gains_nothing_of_one_product(
    offers: list[DayOffer],
    weights: dict[UUID, int],
    memory_vnd: dict[UUID, int],
    load_grams: dict[UUID, int],
    household: UUID,
    more_steps: int,
) -> None:
    limits = DayLimits(load_grams)
    truthful = assign_day(offers, weights, memory_vnd, limits)
    inflated = assign_day([raised(x, household, more_steps) for x in offers], weights, memory_vnd, limits)
    assert used_vnd(inflated, offers, household) <= used_vnd(truthful, offers, household)


@rule
@given(day_offers(), all_weights, memories, st.sampled_from(HOUSEHOLDS), rises, st.integers(1, 30))
def test_over_declaring_gains_nothing_over_a_day_whose_steps_have_one_value(
    offers: list[DayOffer],
    weights: dict[UUID, int],
    memory_vnd: dict[UUID, int],
    household: UUID,
    more_steps: list[int],
    value: int,
) -> None:
    offers = [replace(offer, step_value_vnd=value * 500) for offer in offers]
    higher = [raised(offer, household, more) for offer, more in zip(offers, more_steps, strict=False)]
    truthful, inflated = (assign_day(own, weights, memory_vnd) for own in (offers, higher))
    assert used_vnd(inflated, offers, household) <= used_vnd(truthful, offers, household)


# -- What is known to break it -------------------------------------------------------------------------------


def test_with_steps_of_different_value_a_cheap_step_lost_may_win_a_dear_one() -> None:
    offers = [
        day_offer(1, "a", 1, 4, {ME: 1, OTHER: 6}),
        day_offer(2, "b", 3, 5, {ME: 4, OTHER: 3}),
        day_offer(3, "c", 9, 5, {ME: 3, OTHER: 5}),
    ]
    truthful = assign_day(offers, EQUAL, {ME: -13, OTHER: -13})
    inflated = assign_day([raised(offers[0], ME, 2), *offers[1:]], EQUAL, {ME: -13, OTHER: -13})
    assert (used_vnd(truthful, offers, ME), used_vnd(inflated, offers, ME)) == (28, 34)


def test_with_limited_loads_it_may_decide_what_anothers_load_is_filled_with() -> None:
    third = HOUSEHOLDS[2]
    offers = [
        day_offer(1, "a", 9, 6, {ME: 2, OTHER: 1, third: 6}, step_grams=2),
        day_offer(2, "b", 9, 1, {ME: 1, OTHER: 3, third: 4}, step_grams=5),
        day_offer(3, "c", 9, 6, {ME: 6, OTHER: 6, third: 3}, step_grams=4),
        day_offer(4, "d", 9, 11, {ME: 6, OTHER: 6, third: 2}, step_grams=1),
    ]
    limits, memory_vnd = DayLimits({OTHER: 3, ME: 9, third: 23}), {OTHER: -15, ME: -19, third: -3}
    truthful = assign_day(offers, EQUAL, memory_vnd, limits)
    inflated = assign_day([raised(offers[0], ME, 3), *offers[1:]], EQUAL, memory_vnd, limits)
    assert used_vnd(truthful, offers, ME) < used_vnd(inflated, offers, ME)
