"""Who is asked where a delivery shall be worth the way: the rule against itself word by word, and its promises."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from fractions import Fraction
from hashlib import sha256
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from services.allocation.domain.baskets import RULE, DayLimits, DayOffer, DayPlan, assign_day
from tests.unit.allocation.days import (
    HOUSEHOLDS,
    all_weights,
    brought_vnd,
    day_limits,
    day_offer,
    day_offers,
    memories,
    steps_of,
)

rule = settings(max_examples=300, deadline=None, derandomize=True)

EQUAL = dict.fromkeys(HOUSEHOLDS, 1)
leasts = st.integers(1, 300_000)
coming = st.frozensets(st.sampled_from(HOUSEHOLDS), max_size=2)


def among(
    asked: Collection[UUID], offers: Sequence[DayOffer], weights: dict[UUID, int], memory_vnd: dict[UUID, int]
) -> DayPlan:
    """The day as if the others had not pledged."""
    kept = [replace(offer, pledges=tuple(p for p in offer.pledges if p[0] in asked)) for offer in offers]
    return assign_day(kept, weights, memory_vnd)


def covered(asked: Collection[UUID], offers: Sequence[DayOffer]) -> bool:
    return all(sum(steps for h, steps in x.pledges if h in asked) >= x.promised_net_steps for x in offers)


def too_little(plan: DayPlan, offers: Sequence[DayOffer], least_vnd: int) -> set[UUID]:
    """Those who bring something, but neither the least nor all that they pledged."""
    steps = steps_of(plan)
    less = {h for x in offers for h, pledged in x.pledges if steps.get((x.offer_id, h), 0) < pledged}
    return {h for h, vnd in brought_vnd(plan, offers).items() if 0 < vnd < least_vnd and h in less}


@rule
@given(day_offers(), all_weights, memories, leasts, coming)
def test_the_rule_is_carried_out_word_by_word_and_only_who_is_needed_brings_too_little(
    offers: list[DayOffer], weights: dict[UUID, int], memory_vnd: dict[UUID, int], least_vnd: int, come: frozenset[UUID]
) -> None:
    seed = RULE.encode() + b"".join(
        x.offer_id.bytes for x in sorted(offers, key=lambda x: (x.product_code, x.offer_id))
    )
    pledging = {h for x in offers for h, steps in x.pledges if steps}
    could_vnd = {h: sum(dict(x.pledges).get(h, 0) * x.step_value_vnd for x in offers) for h in pledging}
    queue = sorted(
        pledging - come,
        key=lambda h: (
            could_vnd[h] < least_vnd,
            Fraction(memory_vnd.get(h, 0), weights[h]),
            sha256(seed + h.bytes).digest(),
        ),
    )
    needed = set(pledging)
    for household in reversed(queue):
        if covered(needed - {household}, offers):
            needed.remove(household)
    aside = [h for h in queue if h not in needed and could_vnd[h] >= least_vnd]
    asked = [needed | set(aside[:n]) for n in range(len(aside) + 1)]
    plans = [among(own, offers, weights, memory_vnd) for own in asked]
    excused = come | too_little(plans[0], offers, least_vnd)
    fits = [too_little(plan, offers, least_vnd) <= excused for plan in plans]

    limits = DayLimits(least_vnd=least_vnd, coming=come)
    plan = assign_day(offers, weights, memory_vnd, limits)
    found = steps_of(plan)
    last = [n for n, fit in enumerate(fits) if fit and not (fits[n + 1] if n + 1 < len(fits) else False)]
    assert found in [steps_of(plans[n]) for n in last]
    if len(last) == 1:
        assert found == steps_of(plans[last[0]])

    # What the docstring promises: who brings too little is needed, and none of the needed can be spared.
    assert too_little(plan, offers, least_vnd) <= come | needed
    assert not any(covered(needed - {household}, offers) for household in needed - come)


@rule
@given(day_offers(weighed=True), all_weights, memories, day_limits)
def test_nothing_is_missing_that_would_not_be_if_all_were_asked(
    offers: list[DayOffer], weights: dict[UUID, int], memory_vnd: dict[UUID, int], limits: DayLimits
) -> None:
    missing = dict(assign_day(offers, weights, memory_vnd, limits).missing)
    if_all = dict(assign_day(offers, weights, memory_vnd, replace(limits, least_vnd=0)).missing)
    assert all(steps <= if_all.get(offer_id, 0) for offer_id, steps in missing.items())


@rule
@given(day_offers(weighed=True), all_weights, memories, day_limits)
def test_who_was_spared_is_told_so_and_nobody_else_is(
    offers: list[DayOffer], weights: dict[UUID, int], memory_vnd: dict[UUID, int], limits: DayLimits
) -> None:
    plan = assign_day(offers, weights, memory_vnd, limits)
    if_all = assign_day(offers, weights, memory_vnd, replace(limits, least_vnd=0))
    for basket, before in zip(plan.baskets, if_all.baskets, strict=True):
        if basket.not_worthwhile:
            assert before.items
            assert not basket.items
            assert basket.household_id not in limits.coming
    if plan.baskets == if_all.baskets:
        assert not any(basket.not_worthwhile for basket in plan.baskets)


@rule
@given(day_offers(), all_weights, memories, leasts)
def test_a_least_that_all_reach_changes_nothing(
    offers: list[DayOffer], weights: dict[UUID, int], memory_vnd: dict[UUID, int], least_vnd: int
) -> None:
    free = assign_day(offers, weights, memory_vnd)
    lowest = min((vnd for vnd in brought_vnd(free, offers).values() if vnd), default=least_vnd)
    assert assign_day(offers, weights, memory_vnd, DayLimits(least_vnd=min(least_vnd, lowest))) == free


# -- Worked examples -----------------------------------------------------------------------------------------


def bringing(plan: DayPlan) -> dict[UUID, list[int]]:
    return {x.household_id: [item.quantity_steps for item in x.items] for x in plan.baskets if x.items}


def test_two_go_with_four_steps_instead_of_eight_with_one() -> None:
    behind = {HOUSEHOLDS[2]: -2, HOUSEHOLDS[5]: -1}
    offer = day_offer(1, "beans", 20_000, 8, dict.fromkeys(HOUSEHOLDS, 10))
    plan = assign_day([offer], EQUAL, behind, DayLimits(least_vnd=60_000))
    assert bringing(plan) == {HOUSEHOLDS[2]: [4], HOUSEHOLDS[5]: [4]}
    assert sum(basket.not_worthwhile for basket in plan.baskets) == 6
    assert {(x.why.households, x.why.not_asked) for basket in plan.baskets for x in basket.items} == {(2, 6)}


def test_the_only_one_who_has_it_brings_it_however_little_it_is_and_spoils_nothing_for_the_others() -> None:
    only = HOUSEHOLDS[0]
    beans = day_offer(1, "beans", 20_000, 8, dict.fromkeys(HOUSEHOLDS[1:], 10))
    honey = day_offer(2, "honey", 30_000, 1, {only: 5})
    plan = assign_day([beans, honey], EQUAL, {only: 500_000}, DayLimits(least_vnd=60_000))
    assert bringing(plan)[only] == [1]
    assert sorted(steps for h, steps in bringing(plan).items() if h != only) == [[4], [4]]


def test_a_household_whose_whole_pledge_is_too_little_is_asked_only_if_it_is_needed() -> None:
    tiny, large, other = HOUSEHOLDS[:3]
    pledges = {tiny: 2, large: 10, other: 10}
    limits = DayLimits(least_vnd=60_000)
    spared = assign_day([day_offer(1, "beans", 20_000, 12, pledges)], EQUAL, {tiny: -(10**6)}, limits)
    needed = assign_day([day_offer(1, "beans", 20_000, 21, pledges)], EQUAL, {tiny: 10**6}, limits)
    assert bringing(spared) == {large: [6], other: [6]}
    assert bringing(needed) == {tiny: [1], large: [10], other: [10]}


def test_small_deliveries_happen_rather_than_a_shortfall() -> None:
    offer = day_offer(1, "beans", 10_000, 8, dict.fromkeys(HOUSEHOLDS[:2], 7))
    plan = assign_day([offer], EQUAL, {}, DayLimits(least_vnd=60_000))
    assert bringing(plan) == {household: [4] for household in HOUSEHOLDS[:2]}


def test_a_household_that_comes_anyway_brings_more_however_little_it_is() -> None:
    anyway, at_home = HOUSEHOLDS[:2]
    offer = day_offer(1, "beans", 10_000, 2, dict.fromkeys(HOUSEHOLDS[:2], 7))
    plan = assign_day([offer], EQUAL, {at_home: -1}, DayLimits(least_vnd=60_000, coming=frozenset({anyway})))
    assert bringing(plan) == {anyway: [2]}


def test_who_is_spared_today_comes_first_tomorrow() -> None:
    memory_vnd: dict[UUID, int] = {}
    days = []
    for number in range(4):
        offer = day_offer(number, "beans", 20_000, 8, dict.fromkeys(HOUSEHOLDS, 10))
        plan = assign_day([offer], EQUAL, memory_vnd, DayLimits(least_vnd=60_000))
        days.append(bringing(plan).keys())
        for x in plan.entries:
            memory_vnd[x.household_id] = memory_vnd.get(x.household_id, 0) + x.assigned_vnd - x.fair_vnd
    assert [len(day) for day in days] == [2] * 4
    assert set().union(*days) == set(HOUSEHOLDS)
