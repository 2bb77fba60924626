"""Days on which households can carry only so much: sums, loads, what is missing, and how it is told."""

import json
from dataclasses import asdict, replace
from random import Random
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.allocation.domain.baskets import DayLimits, DayOffer, ShareLevel, Why, assign_day
from tests.unit.allocation.days import (
    HOUSEHOLDS,
    all_weights,
    brought_vnd,
    day_limits,
    day_offer,
    day_offers,
    items_of,
    loads,
    memories,
    steps_of,
)

rule = settings(max_examples=300, deadline=None, derandomize=True)

ONE, TWO, THREE = HOUSEHOLDS[:3]
EQUAL = dict.fromkeys(HOUSEHOLDS, 1)


def in_order(offers: list[DayOffer]) -> list[DayOffer]:
    return sorted(offers, key=lambda offer: (offer.product_code, offer.offer_id))


# -- Laws ----------------------------------------------------------------------------------------------------


@rule
@given(day_offers(weighed=True), all_weights, memories, day_limits)
def test_items_and_what_is_missing_add_up_to_the_net_promise(
    offers: list[DayOffer], weights: dict[UUID, int], memory_vnd: dict[UUID, int], limits: DayLimits
) -> None:
    plan = assign_day(offers, weights, memory_vnd, limits)
    missing = dict(plan.missing)
    assert all(steps > 0 for steps in missing.values())
    for offer in offers:
        items = items_of(plan, offer).values()
        assert sum(x.quantity_steps for x in items) + missing.get(offer.offer_id, 0) == offer.promised_net_steps
        assert {x.why.shared_steps for x in items} <= {offer.promised_net_steps - missing.get(offer.offer_id, 0)}


@rule
@given(day_offers(weighed=True), all_weights, memories, day_limits)
def test_nobody_brings_more_than_it_pledged_or_can_carry_and_something_is_missing_only_where_loads_are_full(
    offers: list[DayOffer], weights: dict[UUID, int], memory_vnd: dict[UUID, int], limits: DayLimits
) -> None:
    plan = assign_day(offers, weights, memory_vnd, limits)
    steps = steps_of(plan)
    room = dict(limits.load_grams)
    for offer in in_order(offers):
        caps = dict(offer.pledges)
        if offer.step_grams:
            caps = {h: min(cap, room.get(h, 10**9) // offer.step_grams) for h, cap in caps.items()}
        for household, cap in caps.items():
            got = steps.get((offer.offer_id, household), 0)
            assert got <= cap
            if offer.offer_id in dict(plan.missing):
                assert got == cap
            if household in room:
                room[household] -= got * (offer.step_grams or 0)
    for basket in plan.baskets:
        carried = sum(item.grams for item in basket.items)
        assert carried <= limits.load_grams.get(basket.household_id, carried)


@rule
@given(day_offers(weighed=True), all_weights, memories, day_limits, st.integers(0, 2**32))
def test_the_order_of_offers_pledges_and_limits_does_not_matter(
    offers: list[DayOffer], weights: dict[UUID, int], memory_vnd: dict[UUID, int], limits: DayLimits, seed: int
) -> None:
    random = Random(seed)
    shuffled = [
        replace(offer, pledges=tuple(random.sample(offer.pledges, len(offer.pledges))))
        for offer in random.sample(offers, len(offers))
    ]
    other_limits = replace(limits, load_grams=dict(reversed(list(limits.load_grams.items()))))
    other_weights = dict(reversed(list(weights.items())))
    assert assign_day(shuffled, other_weights, memory_vnd, other_limits) == assign_day(
        offers, weights, memory_vnd, limits
    )


@rule
@given(day_offers(weighed=True), all_weights, memories, loads)
def test_loads_that_are_not_reached_change_nothing(
    offers: list[DayOffer], weights: dict[UUID, int], memory_vnd: dict[UUID, int], light: dict[UUID, int]
) -> None:
    free = assign_day(offers, weights, memory_vnd)
    plenty = DayLimits({household: 4 * 20 * 1000 + grams for household, grams in light.items()})
    bounded = assign_day(offers, weights, memory_vnd, plenty)
    assert steps_of(bounded) == steps_of(free)
    assert (bounded.entries, bounded.missing) == (free.entries, ())


@rule
@given(day_offers(weighed=True), all_weights, memories, day_limits)
def test_fair_parts_add_up_and_stay_within_what_could_have_been_carried(
    offers: list[DayOffer], weights: dict[UUID, int], memory_vnd: dict[UUID, int], limits: DayLimits
) -> None:
    plan = assign_day(offers, weights, memory_vnd, limits)
    assert {entry.household_id: entry.assigned_vnd for entry in plan.entries} == brought_vnd(plan, offers)
    assert sum(entry.assigned_vnd - entry.fair_vnd for entry in plan.entries) == 0
    for entry in plan.entries:
        load_grams = limits.load_grams.get(entry.household_id)
        own = [(x, steps) for x in offers for household, steps in x.pledges if household == entry.household_id]
        weightless_vnd = sum(steps * x.step_value_vnd for x, steps in own if x.step_grams is None or load_grams is None)
        per_gram = max((x.step_value_vnd / x.step_grams for x, _ in own if x.step_grams), default=0)
        assert entry.fair_vnd <= weightless_vnd + per_gram * (load_grams or 0) + 1e-6


@rule
@given(day_offers(weighed=True), all_weights, memories, day_limits)
def test_the_explanation_of_a_limit_says_what_the_numbers_say(
    offers: list[DayOffer], weights: dict[UUID, int], memory_vnd: dict[UUID, int], limits: DayLimits
) -> None:
    plan = assign_day(offers, weights, memory_vnd, limits)
    for offer in offers:
        pledged = sum(steps > 0 for _, steps in offer.pledges)
        for household, item in items_of(plan, offer).items():
            why = item.why
            assert why.households + why.not_asked == pledged
            assert (why.load_steps is None) == (household not in limits.load_grams or offer.step_grams is None)
            full = why.load_steps is not None and item.quantity_steps == why.load_steps < item.pledged_steps
            assert (why.level is ShareLevel.FULL_LOAD) == full
            assert why.even_steps <= min(item.pledged_steps, why.load_steps or item.pledged_steps)


# -- Worked examples -----------------------------------------------------------------------------------------


def test_a_full_motorbike_gets_no_more_and_the_others_bring_the_rest() -> None:
    offer = day_offer(1, "beans", 10_000, 20, {ONE: 30, TWO: 30}, step_grams=500)
    plan = assign_day([offer], EQUAL, {}, DayLimits({ONE: 2_900}))
    assert {h: (x.quantity_steps, x.why.level, x.why.load_steps) for h, x in items_of(plan, offer).items()} == {
        ONE: (5, ShareLevel.FULL_LOAD, 5),
        TWO: (15, ShareLevel.EQUAL_SHARE, None),
    }


def test_what_nobody_can_carry_is_missing_and_asked_of_nobody() -> None:
    beans = day_offer(1, "beans", 10_000, 8, {ONE: 8, TWO: 8}, step_grams=1_000)
    plums = day_offer(2, "plums", 10_000, 5, {ONE: 5}, step_grams=1_000)
    plan = assign_day([plums, beans], EQUAL, {}, DayLimits({ONE: 6_500, TWO: 10_000}))
    assert steps_of(plan) == {
        (beans.offer_id, ONE): 4,
        (beans.offer_id, TWO): 4,
        (plums.offer_id, ONE): 2,
    }
    assert plan.missing == ((plums.offer_id, 3),)


def test_a_product_without_a_known_weight_is_no_load() -> None:
    herbs = day_offer(1, "herbs", 10_000, 5, {ONE: 5})
    plan = assign_day([herbs], EQUAL, {}, DayLimits({ONE: 0}))
    assert [(x.quantity_steps, x.why.load_steps, x.grams) for x in plan.baskets[0].items] == [(5, None, 0)]


def test_a_load_bounds_the_fair_part_so_that_no_debt_grows_from_what_could_not_be_carried() -> None:
    offers = [day_offer(n, code, 10_000, 20, {ONE: 20, TWO: 20}, 1_000) for n, code in enumerate(["beans", "plums"])]
    plan = assign_day(offers, EQUAL, {}, DayLimits({ONE: 5_000}))
    assert [(entry.assigned_vnd, entry.fair_vnd) for entry in plan.entries] == [(50_000, 50_000), (350_000, 350_000)]


def test_an_explanation_stored_before_there_were_limits_can_still_be_read() -> None:
    offer = day_offer(1, "beans", 10_000, 1, {ONE: 1})
    stored = asdict(assign_day([offer], EQUAL, {}).baskets[0].items[0].why)
    old = {name: stored[name] for name in stored if name not in ("load_steps", "not_asked")}
    why = Why(**json.loads(json.dumps(old)))
    assert (why.load_steps, why.not_asked, why.level) == (None, 0, ShareLevel.ALL_PLEDGED)


@pytest.mark.parametrize(
    ("limits", "why"),
    [
        (DayLimits({ONE: -1}), "load_grams is -1"),
        (DayLimits(least_vnd=-1), "least_vnd is -1"),
    ],
)
def test_a_negative_limit_is_refused(limits: DayLimits, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        assign_day([day_offer(1, "beans", 1, 1, {ONE: 1})], EQUAL, {}, limits)
