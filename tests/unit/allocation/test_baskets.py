"""The plan of a day: sums, pledges, order of input, explanations, and fairness over many days."""

from collections import defaultdict
from dataclasses import replace
from math import ceil
from random import Random
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.allocation.domain.baskets import RULE, DayOffer, ShareLevel, assign_day
from services.allocation.domain.sharing import FairnessEntry, debt_cap, memory
from tests.unit.allocation.days import (
    ARRIVE_BY_AT,
    HOUSEHOLDS,
    all_weights,
    day_offer,
    day_offers,
    items_of,
    memories,
)

rule = settings(max_examples=300, deadline=None, derandomize=True)

# -- Laws over random days -----------------------------------------------------------------------------------


@rule
@given(day_offers(), all_weights, memories)
def test_the_items_of_an_offer_add_up_to_its_net_promise_and_nobody_brings_more_than_it_pledged(
    offers: list[DayOffer], weights: dict[UUID, int], memory_vnd: dict[UUID, int]
) -> None:
    plan = assign_day(offers, weights, memory_vnd)
    for offer in offers:
        items = items_of(plan, offer)
        assert sum(item.quantity_steps for item in items.values()) == offer.promised_net_steps
        pledged = dict(offer.pledges)
        for household, item in items.items():
            assert 0 < item.quantity_steps <= item.pledged_steps == pledged[household]
            assert item.product_id == offer.product_id
            assert (item.collection_point_id, item.arrive_by_at) == (offer.collection_point_id, ARRIVE_BY_AT)


@rule
@given(day_offers(), all_weights, memories)
def test_every_household_that_pledged_has_a_basket_and_a_fairness_entry_and_no_other_has(
    offers: list[DayOffer], weights: dict[UUID, int], memory_vnd: dict[UUID, int]
) -> None:
    plan = assign_day(offers, weights, memory_vnd)
    pledged = sorted({household for offer in offers for household, steps in offer.pledges if steps})
    assert [basket.household_id for basket in plan.baskets] == pledged
    assert [entry.household_id for entry in plan.entries] == pledged
    value_vnd = {offer.offer_id: offer.step_value_vnd for offer in offers}
    for basket, entry in zip(plan.baskets, plan.entries, strict=True):
        assert entry.assigned_vnd == sum(x.quantity_steps * value_vnd[x.offer_id] for x in basket.items)
        pledged_vnd = sum(
            steps * value_vnd[x.offer_id] for x in offers for h, steps in x.pledges if h == entry.household_id
        )
        assert entry.fair_vnd <= pledged_vnd
    assert sum(entry.assigned_vnd - entry.fair_vnd for entry in plan.entries) == 0


@rule
@given(day_offers(), all_weights, memories, st.integers(0, 2**32))
def test_the_order_of_offers_and_pledges_does_not_matter(
    offers: list[DayOffer], weights: dict[UUID, int], memory_vnd: dict[UUID, int], seed: int
) -> None:
    random = Random(seed)
    shuffled = [
        replace(offer, pledges=tuple(random.sample(offer.pledges, len(offer.pledges))))
        for offer in random.sample(offers, len(offers))
    ]
    assert assign_day(shuffled, weights, memory_vnd) == assign_day(offers, weights, memory_vnd)


@rule
@given(day_offers(), all_weights, memories)
def test_what_came_of_earlier_products_counts_as_memory_for_the_next(
    offers: list[DayOffer], weights: dict[UUID, int], memory_vnd: dict[UUID, int]
) -> None:
    plan = assign_day(offers, weights, memory_vnd)
    today_vnd: defaultdict[UUID, int] = defaultdict(int)
    for offer in sorted(offers, key=lambda offer: (offer.product_code, offer.offer_id)):
        so_far = {household: memory_vnd.get(household, 0) + today_vnd[household] for household in HOUSEHOLDS}
        alone = items_of(assign_day([offer], weights, so_far), offer)
        together = items_of(plan, offer)
        assert {h: x.quantity_steps for h, x in together.items()} == {h: x.quantity_steps for h, x in alone.items()}
        for household, item in together.items():
            assert item.why.memory_vnd == memory_vnd.get(household, 0)
            assert item.why.today_vnd == today_vnd[household]
            today_vnd[household] += item.quantity_steps * offer.step_value_vnd


@rule
@given(day_offers(), all_weights, memories)
def test_the_explanation_says_what_the_numbers_say(
    offers: list[DayOffer], weights: dict[UUID, int], memory_vnd: dict[UUID, int]
) -> None:
    plan = assign_day(offers, weights, memory_vnd)
    for offer in offers:
        for household, item in items_of(plan, offer).items():
            why, steps = item.why, item.quantity_steps
            assert (why.rule, why.weight, why.shared_steps) == (
                RULE,
                weights[household],
                offer.promised_net_steps,
            )
            assert why.households == sum(pledged > 0 for _, pledged in offer.pledges)
            match why.level:
                case ShareLevel.ALL_PLEDGED:
                    assert steps == item.pledged_steps
                case ShareLevel.EQUAL_SHARE:
                    assert steps == why.even_steps < item.pledged_steps
                case ShareLevel.ONE_STEP_MORE:
                    assert steps == why.even_steps + 1
                case ShareLevel.CATCHING_UP:
                    assert steps > why.even_steps + 1
                case ShareLevel.AHEAD:
                    assert steps < why.even_steps


@rule
@given(day_offers(), all_weights)
def test_without_memory_the_first_product_comes_out_even_but_for_the_odd_steps(
    offers: list[DayOffer], weights: dict[UUID, int]
) -> None:
    plan = assign_day(offers[:1], weights, {})
    even = {ShareLevel.ALL_PLEDGED, ShareLevel.EQUAL_SHARE, ShareLevel.ONE_STEP_MORE}
    for basket in plan.baskets:
        for item in basket.items:
            assert item.why.level in even
            assert item.why.by_lot == (item.quantity_steps > item.why.even_steps)


# -- Over many days ------------------------------------------------------------------------------------------


def simulate(days: int, weights: dict[UUID, int], demand_steps: range, seed: int) -> list[list[FairnessEntry]]:
    """Days of three products; everyone pledges plenty; memory over the last 30 days, held within its cap."""
    random = Random(seed)
    history: list[list[FairnessEntry]] = []
    for day in range(days):
        offers = [
            day_offer(3 * day + n, code, value_vnd, random.choice(demand_steps), dict.fromkeys(weights, 1000))
            for n, (code, value_vnd) in enumerate([("beans", 9_000), ("chayote", 4_000), ("plums", 17_500)])
        ]
        window = [entry for entries in history[-30:] for entry in entries]
        history.append(list(assign_day(offers, weights, memory(window, debt_cap(window))).entries))
    return history


def few_steps_vnd(dearest_step_vnd: int, weights: dict[UUID, int]) -> dict[UUID, int]:
    """Two of the dearest steps, and two more per average weight or part of one."""
    return {
        household: 2 * dearest_step_vnd * (1 + ceil(len(weights) * weight / sum(weights.values())))
        for household, weight in weights.items()
    }


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    st.just(dict.fromkeys(HOUSEHOLDS, 1)) | all_weights,
    st.sampled_from([range(3), range(12), range(1, 120)]),
    st.integers(0, 2**32),
)
def test_over_any_thirty_days_every_household_comes_within_a_few_steps_of_its_fair_part(
    weights: dict[UUID, int], demand_steps: range, seed: int
) -> None:
    """However little is ordered. A heavy weight may trail by more: Adams' rule rounds in favour of the light."""
    history = simulate(75, weights, demand_steps, seed)
    bound_vnd = few_steps_vnd(17_500, weights)
    for day in range(30, 76):
        window = [entry for entries in history[day - 30 : day] for entry in entries]
        for household, balance_vnd in memory(window, cap_vnd=10**12).items():
            assert abs(balance_vnd) <= bound_vnd[household]


@settings(max_examples=25, deadline=None, derandomize=True)
@given(all_weights, st.sampled_from([range(3), range(12), range(1, 120)]), st.integers(0, 2**32))
def test_a_household_that_always_pledges_one_step_never_claims_more_than_it_pledged_and_did_not_bring(
    weights: dict[UUID, int], demand_steps: range, seed: int
) -> None:
    """Nor does its debt grow from day to day: being behind, it comes first with its one step."""
    random, tiny, value_vnd = Random(seed), HOUSEHOLDS[0], 10_000
    history: list[FairnessEntry] = []
    pledged_vnd = 0
    for day in range(75):
        pledges = dict.fromkeys(weights, 1000) | {tiny: 1}
        offer = day_offer(day, "beans", value_vnd, random.choice(demand_steps), pledges)
        history += assign_day([offer], weights, memory(history, debt_cap(history))).entries
        pledged_vnd += value_vnd
        debt_vnd = sum(entry.fair_vnd - entry.assigned_vnd for entry in history if entry.household_id == tiny)
        got_vnd = sum(entry.assigned_vnd for entry in history if entry.household_id == tiny)
        assert debt_vnd <= min(pledged_vnd - got_vnd, few_steps_vnd(value_vnd, weights)[tiny])


def test_a_household_that_is_behind_gets_more_until_it_has_caught_up() -> None:
    behind, ahead = HOUSEHOLDS[:2]
    weights = {behind: 1, ahead: 1}
    window = [FairnessEntry(behind, 20_000, 50_000), FairnessEntry(ahead, 80_000, 50_000)]
    shares = []
    for day in range(3):
        offer = day_offer(day, "beans", 10_000, 4, {behind: 10, ahead: 10})
        plan = assign_day([offer], weights, memory(window, debt_cap(window)))
        shares.append({household: item.quantity_steps for household, item in items_of(plan, offer).items()})
        window += plan.entries
    assert shares == [{behind: 4}, {behind: 3, ahead: 1}, {behind: 2, ahead: 2}]


# -- Worked examples -----------------------------------------------------------------------------------------


def test_everyone_brings_the_even_share_or_all_that_it_pledged_and_the_odd_step_goes_to_the_least_served() -> None:
    small, behind, third = HOUSEHOLDS[:3]
    offer = day_offer(1, "beans", 10_000, 20, {small: 3, behind: 30, third: 30})
    plan = assign_day([offer], dict.fromkeys(HOUSEHOLDS, 1), {behind: -5_000})
    assert {h: (x.quantity_steps, x.why.level) for h, x in items_of(plan, offer).items()} == {
        small: (3, ShareLevel.ALL_PLEDGED),
        behind: (9, ShareLevel.ONE_STEP_MORE),
        third: (8, ShareLevel.EQUAL_SHARE),
    }
    assert [item.why.by_lot for item in items_of(plan, offer).values()] == [False, False, False]


def test_several_products_together_come_out_fair() -> None:
    one, two = HOUSEHOLDS[:2]
    beans = day_offer(1, "beans", 10_000, 4, {one: 4})
    plums = day_offer(2, "plums", 10_000, 6, {one: 6, two: 6})
    plan = assign_day([plums, beans], {one: 1, two: 1}, {})
    assert [(entry.assigned_vnd, entry.fair_vnd) for entry in plan.entries] == [(50_000, 50_000)] * 2
    assert [item.product_id for item in plan.baskets[0].items] == [beans.product_id, plums.product_id]


def test_a_household_that_pledged_and_is_asked_for_nothing_has_an_empty_basket() -> None:
    behind, ahead = HOUSEHOLDS[:2]
    plan = assign_day([day_offer(1, "beans", 10_000, 1, {behind: 5, ahead: 5})], {behind: 1, ahead: 1}, {ahead: 1})
    assert [(basket.household_id, len(basket.items)) for basket in plan.baskets] == [(behind, 1), (ahead, 0)]


def test_a_thousand_households_and_twenty_products_are_planned_in_a_moment() -> None:
    households = [UUID(int=number) for number in range(1000)]
    pledges = {household: 20 + number % 80 for number, household in enumerate(households)}
    offers = [day_offer(n, f"product {n}", 10_000 + n * 500, 20_000 + n, pledges) for n in range(20)]
    plan = assign_day(offers, dict.fromkeys(households, 1), {})
    assert sum(x.quantity_steps for basket in plan.baskets for x in basket.items) == sum(
        offer.promised_net_steps for offer in offers
    )


@pytest.mark.parametrize(
    ("offers", "why"),
    [
        ([day_offer(1, "beans", 1, 1, {HOUSEHOLDS[0]: 1})] * 2, "comes twice"),
        ([day_offer(1, "beans", 1, 5, {HOUSEHOLDS[0]: 4})], "5 steps promised, only 4 pledged"),
        ([day_offer(1, "beans", 1, 0, {HOUSEHOLDS[0]: -1})], "pledges -1 steps"),
        ([day_offer(1, "beans", 1, 0, {HOUSEHOLDS[7]: 1})], "no share weight"),
        ([day_offer(1, "beans", 0, 0, {HOUSEHOLDS[0]: 1})], "step_value_vnd is 0"),
        ([day_offer(1, "beans", 1, -1, {HOUSEHOLDS[0]: 1})], "total_steps is -1"),
        ([day_offer(1, "beans", 1, 0, {HOUSEHOLDS[0]: 1}, step_grams=0)], "step_grams is 0"),
        (
            [replace(day_offer(1, "beans", 1, 0, {}), pledges=((HOUSEHOLDS[0], 1), (HOUSEHOLDS[0], 2)))],
            "pledges twice",
        ),
    ],
)
def test_a_day_that_does_not_add_up_is_refused_with_what_is_wrong(offers: list[DayOffer], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        assign_day(offers, {HOUSEHOLDS[0]: 1}, {})
