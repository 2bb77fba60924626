"""Where freed quantity goes: step by step to whoever stands lowest, leximin by brute force, and why."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from hashlib import sha256
from itertools import product
from uuid import UUID

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from services.allocation.domain.asked import AskedDay, Changed
from services.allocation.domain.freed import RULE
from services.allocation.domain.replies import answer, close_round
from tests.unit.allocation.asked_days import (
    EQUAL,
    HOUSEHOLDS,
    ONE,
    THREE,
    TWO,
    YES,
    Parts,
    Said,
    all_weights,
    answered,
    beans,
    cannot,
    confirm,
    days,
    memories,
    moves_and_late_offers,
    net_steps,
    new_day,
    play,
    sum_of,
    told,
    truths,
)

law = settings(max_examples=2000, deadline=None, derandomize=True)
quantities = st.tuples(st.integers(0, 6), st.integers(0, 6)).map(lambda steps: (steps[0], sum(steps)))
words = st.lists(truths, max_size=6)


# -- The re-share against what it stands for -----------------------------------------------------------------


def re_shared(day: AskedDay, weights: dict[UUID, int], memory_vnd: dict[UUID, int]) -> AskedDay:
    """Step by step: each freed step to the household with room that stands lowest, ties by lot."""
    baskets = {x.household_id: {item.offer_id: item for item in x.items} for x in day.baskets}
    value_vnd = {offer.offer_id: offer.step_value_vnd for offer in day.offers}
    had_vnd = {
        household: memory_vnd.get(household, 0) + sum(x.quantity_steps * value_vnd[x.offer_id] for x in items.values())
        for household, items in baskets.items()
    }
    for offer in sorted(day.offers, key=lambda offer: (offer.product_code, offer.offer_id)):
        seed = RULE.encode() + offer.offer_id.bytes + bytes([0, 0, 0, day.round_no])
        for _ in range(net_steps(offer) - sum_of(day, offer.offer_id)):
            standings = [
                (Fraction(had_vnd[h], weights[h]), sha256(seed + h.bytes).digest(), h)
                for h, items in baskets.items()
                if offer.offer_id in items and items[offer.offer_id].room_steps
            ]
            if standings:
                _, _, lowest = min(standings)
                item = baskets[lowest][offer.offer_id]
                baskets[lowest][offer.offer_id] = replace(item, quantity_steps=item.quantity_steps + 1)
                had_vnd[lowest] += offer.step_value_vnd
    return replace(day, baskets=tuple(replace(x, items=tuple(baskets[x.household_id].values())) for x in day.baskets))


@law
@given(days, words, words, st.just(EQUAL) | all_weights, st.just({}) | memories)
def test_freed_steps_go_one_by_one_to_whoever_stands_lowest_with_all_that_it_has(
    day: AskedDay, first: list[Said], second: list[Said], weights: dict[UUID, int], memory_vnd: dict[UUID, int]
) -> None:
    moves: list[Said | int | Parts] = [*first, 0, *second, 0]
    for step, move in zip(play(day, moves, weights, memory_vnd), moves, strict=True):
        if step.closed_a_round and step.before.round_no < step.before.last_round_no:
            # As a last round it frees the same, and shares nothing.
            as_last = replace(step.before, last_round_no=step.before.round_no)
            [freed] = play(as_last, [move], weights, memory_vnd)
            freed_day = replace(freed.after, offers=step.before.offers)
            assert told(step.after) == told(re_shared(freed_day, weights, memory_vnd))


@law
@given(
    st.lists(quantities, min_size=2, max_size=4),
    st.integers(1, 7),
    st.lists(st.integers(-20, 20), min_size=4, max_size=4),
)
def test_one_freed_offer_is_shared_leximin_above_what_each_has(
    of: list[tuple[int, int]], value_vnd: int, memory: list[int]
) -> None:
    assume(of[0][0] > 0)
    households = HOUSEHOLDS[: len(of)]
    memory_vnd = dict(zip(households, memory, strict=False))
    day = new_day(Parts("beans", value_vnd, dict(zip(households, of, strict=True))), silence=YES)
    day = answer(day, [cannot(ONE)], EQUAL, memory_vnd).day
    after = close_round(day, 1, EQUAL, memory_vnd).day if day.open else day

    def standings_vnd(more: Sequence[int]) -> list[int]:
        return sorted(
            memory_vnd[household] + value_vnd * (steps + given_steps)
            for household, (steps, _), given_steps in zip(households[1:], of[1:], more, strict=True)
        )

    rooms = [most - steps for steps, most in of[1:]]
    freed = min(of[0][0], sum(rooms))
    splits = [split for split in product(*(range(room + 1) for room in rooms)) if sum(split) == freed]
    got = [told(after)[household, UUID(int=100)] - steps for household, (steps, _) in zip(households, of, strict=True)]
    assert standings_vnd(got[1:]) == max(standings_vnd(split) for split in splits)
    assert got[0] == -of[0][0]


@law
@given(days, moves_and_late_offers, all_weights, memories)
def test_the_explanation_says_what_the_numbers_say(
    day: AskedDay, moves: list[Said | int | Parts], weights: dict[UUID, int], memory_vnd: dict[UUID, int]
) -> None:
    for step in play(day, moves, weights, memory_vnd):
        changed = [x for x in step.outcome.effects if isinstance(x, Changed)] if step.outcome else []
        for basket, raised in ((x.basket, x.raised) for x in changed):
            for more in raised:
                household, why = basket.household_id, more.why
                item = next(x for x in basket.items if x.offer_id == more.offer_id)
                assert item.quantity_steps == why.floor_steps + more.more_steps
                assert item.most_steps == why.floor_steps + why.room_steps
                assert why.floor_steps == item.confirmed_steps
                assert 0 < more.more_steps <= min(why.room_steps, why.freed_steps)
                assert (why.rule, why.weight) == (RULE, weights[household])
                assert why.memory_vnd == memory_vnd.get(household, 0)
                assert why.households >= 1


# -- Worked examples -----------------------------------------------------------------------------------------


def test_a_household_that_cannot_come_is_not_asked_for_anything_else_that_day() -> None:
    other = Parts("chayote", 10_000, {ONE: (0, 9), TWO: (4, 4), THREE: (1, 9)})
    day = new_day(beans(one=(2, 2)), other)
    after = answered(day, cannot(ONE), cannot(TWO), confirm(THREE)).day
    assert [[x.quantity_steps for x in basket.items] for basket in after.baskets] == [[0, 0], [0], [5]]


def test_a_household_with_room_and_without_a_weight_is_refused() -> None:
    day = new_day(beans(one=(5, 5), two=(0, 5)))
    with pytest.raises(ValueError, match=f"no share weight for {TWO}"):
        answer(day, [cannot(ONE)], {ONE: 1}, {})
