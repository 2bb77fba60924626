"""Rounds of replies: what moves when one closes, how many there are, and what silence means."""

from collections import defaultdict
from uuid import UUID

import pytest
from hypothesis import given, settings

from services.allocation.domain.asked import AskedDay, Changed, Confirmed, Missed, Silence, Verdict
from services.allocation.domain.replies import answer, close_round
from tests.unit.allocation.asked_days import (
    EQUAL,
    ONE,
    RE_OFFER,
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
    is_asked,
    less,
    memories,
    moves,
    moves_and_late_offers,
    net_steps,
    new_day,
    play,
    standing,
    steps_of,
    sum_of,
    told,
)

law = settings(max_examples=2000, deadline=None, derandomize=True)


# -- Laws over whatever may happen ---------------------------------------------------------------------------


@law
@given(days, moves_and_late_offers, all_weights, memories)
def test_nothing_moves_before_the_round_closes_and_then_only_what_was_freed(
    day: AskedDay, moves: list[Said | int | Parts], weights: dict[UUID, int], memory_vnd: dict[UUID, int]
) -> None:
    for step in play(day, moves, weights, memory_vnd):
        if step.outcome is None:
            continue
        if not step.closed_a_round:
            others = [x for x in step.before.baskets if x.household_id != step.replied]
            assert others == [x for x in step.after.baskets if x.household_id != step.replied]
            assert told(step.after) == told(step.before)
            continue
        raised_steps: defaultdict[UUID, int] = defaultdict(int)
        freed_steps: defaultdict[UUID, int] = defaultdict(int)
        for effect in step.outcome.effects:
            for more in effect.raised if isinstance(effect, Changed) else ():
                raised_steps[more.offer_id] += more.more_steps
                freed_steps[more.offer_id] = more.why.freed_steps
        assert all(raised_steps[offer_id] <= freed_steps[offer_id] for offer_id in raised_steps)
        now = standing(step.after) if not step.after.open else told(step.after)
        lowered = {offer for (household, offer), steps in told(step.before).items() if now[household, offer] < steps}
        # Whoever is raised takes what somebody gave, in this round or before late offers were added to it.
        waited = {x.offer_id for x in step.before.offers if sum_of(step.before, x.offer_id) < net_steps(x)}
        assert raised_steps.keys() <= lowered | waited


@law
@given(days, moves, all_weights, memories)
def test_no_more_rounds_than_the_cooperative_chose_and_then_every_basket_is_final(
    day: AskedDay, moves: list[Said | int], weights: dict[UUID, int], memory_vnd: dict[UUID, int]
) -> None:
    for step in play(day, moves, weights, memory_vnd):
        day = step.after
        assert day.round_no <= day.policy.rounds
        assert day.open == any(x.answer is None and is_asked(day, x) for x in day.baskets)
    closings = 0
    while day.open:
        day = close_round(day, day.round_no, weights, memory_vnd).day
        closings += 1
    assert closings <= day.policy.rounds
    assert all(item.quantity_steps == item.confirmed_steps for x in day.baskets for item in x.items)
    for basket in day.baskets:
        outcome = answer(day, [cannot(basket.household_id, basket.version)], weights, memory_vnd)
        assert outcome.verdicts[0] in {Verdict.ROUND_CLOSED, Verdict.NOT_ASKED}
        assert (outcome.day, outcome.effects) == (day, ())


# -- Worked examples -----------------------------------------------------------------------------------------


def test_freed_quantity_is_offered_to_those_who_have_room_and_they_are_asked_again() -> None:
    day = new_day(beans(one=(10, 10), two=(10, 12), three=(10, 30)))
    waiting = answered(day, confirm(ONE), less(TWO, 4))
    assert waiting.effects == (Confirmed(ONE, 1),)
    assert steps_of(waiting.day) == [(1, 10), (1, 10), (1, 10)]
    raised = answered(waiting.day, confirm(THREE))
    assert steps_of(raised.day) == [(1, 10), (2, 4), (2, 16)]
    assert [x.basket.household_id for x in raised.effects if isinstance(x, Changed)] == [TWO, THREE]
    assert Confirmed(TWO, 2) in raised.effects
    assert (raised.day.round_no, raised.day.open) == (2, True)
    final = answered(raised.day, confirm(THREE, 2))
    assert final.effects == (Confirmed(THREE, 2),)
    assert not final.day.open


def test_with_one_round_nothing_is_offered_again() -> None:
    outcome = answered(new_day(beans(one=(5, 5), two=(0, 9)), rounds=1), less(ONE, 2))
    assert steps_of(outcome.day) == [(2, 2), (1, 0)]
    assert outcome.effects[1:] == (Confirmed(ONE, 2), Missed(UUID(int=100), 3))


@pytest.mark.parametrize(
    ("silence", "steps", "missing"), [(YES, [(1, 10), (2, 0), (2, 13)], 0), (RE_OFFER, [(1, 10), (2, 0), (3, 10)], 3)]
)
def test_a_household_that_confirmed_ten_is_asked_thirteen_and_says_nothing(
    silence: Silence, steps: list[tuple[int, int]], missing: int
) -> None:
    day = new_day(beans(one=(10, 10), two=(3, 3), three=(10, 30)), silence=silence)
    raised = answered(day, confirm(ONE), cannot(TWO), confirm(THREE)).day
    assert steps_of(raised) == [(1, 10), (2, 0), (2, 13)]
    outcome = close_round(raised, 2, EQUAL, {})
    assert steps_of(outcome.day) == steps
    assert outcome.day.offers[0].missing_steps == missing
    assert [x for x in outcome.effects if isinstance(x, Confirmed)] == [
        Confirmed(THREE, steps[2][0], silent=silence is YES)
    ]
    assert not outcome.day.open


def test_silence_means_yes_where_the_cooperative_chose_so() -> None:
    outcome = close_round(new_day(beans(one=(5, 9), two=(0, 9)), silence=YES), 1, EQUAL, {})
    assert steps_of(outcome.day) == [(1, 5), (1, 0)]
    assert outcome.effects == (Confirmed(ONE, 1, silent=True),)


def test_what_a_silent_household_had_is_offered_to_others_and_not_to_itself() -> None:
    outcome = close_round(new_day(beans(one=(5, 9), two=(0, 3)), silence=RE_OFFER), 1, EQUAL, {})
    assert steps_of(outcome.day) == [(2, 0), (2, 3)]
    assert outcome.effects[-1] == Missed(UUID(int=100), 2)


def test_a_thousand_households_and_twenty_products_are_asked_in_a_moment() -> None:
    households = [UUID(int=number) for number in range(1, 1001)]
    of = {household: (20, 20 + number % 30) for number, household in enumerate(households)}
    day = new_day(*(Parts(f"product {number}", 10_000, of) for number in range(20)), silence=YES)
    weights = dict.fromkeys(households, 1)
    replies = [cannot(x) if x.int % 3 == 0 else confirm(x) for x in households]
    outcome = answer(day, replies, weights, {})
    assert set(outcome.verdicts) == {Verdict.ACCEPTED}
    assert (outcome.day.round_no, outcome.day.open) == (2, True)
