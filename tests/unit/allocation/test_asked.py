"""What is asked of households: sums, the most that each can bring, versions, and offers that come late."""

from collections import defaultdict
from uuid import UUID

import pytest
from hypothesis import given, settings

from services.allocation.domain.asked import (
    Answer,
    AskedBasket,
    AskedDay,
    AskedItem,
    AskedOffer,
    Changed,
    Missed,
    Reply,
    ReplyPolicy,
)
from services.allocation.domain.replies import ask, close_round
from tests.unit.allocation.asked_days import (
    EQUAL,
    ONE,
    THREE,
    TWO,
    YES,
    Parts,
    Said,
    all_weights,
    answered,
    asked,
    beans,
    confirm,
    days,
    less,
    memories,
    moves_and_late_offers,
    new_day,
    play,
    standing,
    steps_of,
    told,
)

law = settings(max_examples=2000, deadline=None, derandomize=True)
OFFER = AskedOffer(UUID(int=100), "beans", 10_000, 5)


# -- Laws over whatever may happen ---------------------------------------------------------------------------


@law
@given(days, moves_and_late_offers, all_weights, memories)
def test_what_is_asked_is_what_was_promised_but_for_what_is_missing_or_waits(
    day: AskedDay, moves: list[Said | int | Parts], weights: dict[UUID, int], memory_vnd: dict[UUID, int]
) -> None:
    told_in_round = told(day)
    for step in play(day, moves, weights, memory_vnd):
        if step.closed_a_round:
            told_in_round = told(step.after)
        told_in_round |= {key: steps for key, steps in told(step.after).items() if key not in told_in_round}
        stands = standing(step.after)
        for offer in step.after.offers:
            households = [key for key in stands if key[1] == offer.offer_id]
            waiting_steps = sum(told_in_round[key] - stands[key] for key in households)
            assert waiting_steps >= 0
            assert waiting_steps == 0 or not step.closed_a_round
            assert sum(stands[key] for key in households) == (
                offer.promised_net_steps - offer.missing_steps - waiting_steps
            )
        if not step.after.open:
            assert stands == told(step.after)


@law
@given(days, moves_and_late_offers, all_weights, memories)
def test_what_is_missing_is_said_once_and_stays_missing(
    day: AskedDay, moves: list[Said | int | Parts], weights: dict[UUID, int], memory_vnd: dict[UUID, int]
) -> None:
    said_steps: defaultdict[UUID, int] = defaultdict(int)
    for step in play(day, moves, weights, memory_vnd):
        for effect in step.outcome.effects if step.outcome else ():
            if isinstance(effect, Missed):
                assert effect.steps > 0
                said_steps[effect.offer_id] += effect.steps
        assert {x.offer_id: x.missing_steps for x in step.after.offers if x.missing_steps} == said_steps


@law
@given(days, moves_and_late_offers, all_weights, memories)
def test_nobody_is_asked_for_more_than_its_most_and_that_never_rises(
    day: AskedDay, moves: list[Said | int | Parts], weights: dict[UUID, int], memory_vnd: dict[UUID, int]
) -> None:
    for step in play(day, moves, weights, memory_vnd):
        before = {(x.household_id, item.offer_id): item for x in step.before.baskets for item in x.items}
        for basket in step.after.baskets:
            for item in basket.items:
                was = before.get((basket.household_id, item.offer_id), item)
                assert 0 <= item.confirmed_steps <= item.quantity_steps <= item.most_steps <= was.most_steps


@law
@given(days, moves_and_late_offers, all_weights, memories)
def test_every_change_of_a_basket_is_one_version_and_is_told_once(
    day: AskedDay, moves: list[Said | int | Parts], weights: dict[UUID, int], memory_vnd: dict[UUID, int]
) -> None:
    for step in play(day, moves, weights, memory_vnd):
        if step.outcome is None:
            continue
        before = told(step.before)
        changed = [effect for effect in step.outcome.effects if isinstance(effect, Changed)]
        assert [x.basket for x in changed] == [x for x in step.after.baskets if x not in versions(step.before, x)]
        for was, now in zip(step.before.baskets, step.after.baskets, strict=True):
            differs = any(before[now.household_id, x.offer_id] != x.quantity_steps for x in now.items)
            assert now.version == was.version + differs


def versions(day: AskedDay, basket: AskedBasket) -> list[AskedBasket]:
    """The basket itself, when the day holds the same version of it."""
    return [basket for x in day.baskets if (x.household_id, x.version) == (basket.household_id, basket.version)]


# -- Worked examples -----------------------------------------------------------------------------------------


def test_offers_that_come_late_are_asked_for_with_the_whole_basket_in_the_open_round() -> None:
    day = answered(new_day(beans(one=(10, 10), two=(3, 3), three=(1, 6)), rounds=1), less(ONE, 4), confirm(TWO)).day
    late = asked(day, Parts("plums", 20_000, {ONE: (2, 2), TWO: (0, 5)}))
    assert (late.round_no, late.open) == (1, True)
    assert steps_of(late) == [(2, 4), (1, 3), (1, 1)]
    assert [x.answer for x in late.baskets] == [None, Answer.CONFIRM, None]
    outcome = close_round(late, 1, EQUAL, {})
    assert [[x.quantity_steps for x in basket.items] for basket in outcome.day.baskets] == [[4, 0], [3, 0], [0]]
    assert [x.missing_steps for x in outcome.day.offers] == [7, 2]


def test_offers_that_come_after_the_last_round_open_a_new_one_for_those_who_get_something() -> None:
    final = answered(new_day(beans(one=(5, 5), two=(5, 5)), rounds=1), confirm(ONE), confirm(TWO)).day
    assert not final.open
    again = asked(final, Parts("plums", 20_000, {TWO: (2, 2), THREE: (0, 2)}))
    assert (again.open, again.round_no, again.last_round_no) == (True, 2, 2)
    assert [(x.version, x.round_no) for x in again.baskets] == [(1, 1), (2, 2), (1, 0)]
    outcome = close_round(again, 2, EQUAL, {})
    assert [[x.quantity_steps for x in basket.items] for basket in outcome.day.baskets] == [[5], [5, 0], [0]]


def test_a_day_on_which_nothing_is_asked_is_final_at_once() -> None:
    day = new_day(beans(one=(0, 5)))
    assert (day.open, day.round_no) == (False, 0)


@pytest.mark.parametrize(
    ("offers", "items", "why"),
    [
        ([OFFER, OFFER], {ONE: [AskedItem(OFFER.offer_id, 5, 5)]}, "an offer comes twice"),
        ([OFFER], {ONE: [AskedItem(OFFER.offer_id, 4, 5)]}, "5 steps promised, 0 missing, 4 asked"),
        ([OFFER], {ONE: [AskedItem(OFFER.offer_id, 5, 5)] * 2}, "an item comes twice"),
        ([], {ONE: [AskedItem(OFFER.offer_id, 5, 5)]}, "of an offer that is not asked now"),
    ],
)
def test_parts_that_do_not_add_up_are_refused_with_what_is_wrong(
    offers: list[AskedOffer], items: dict[UUID, list[AskedItem]], why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        ask(AskedDay(ReplyPolicy(YES, 1)), offers, items)


def test_bad_values_are_refused_with_what_is_wrong() -> None:
    with pytest.raises(ValueError, match="rounds is 0"):
        ReplyPolicy(YES, 0)
    with pytest.raises(ValueError, match="3 steps confirmed of 2 asked of 5 at most"):
        AskedItem(OFFER.offer_id, 2, 5, 3)
    with pytest.raises(ValueError, match="quantities with the answer confirm"):
        Reply(ONE, 1, Answer.CONFIRM, ((OFFER.offer_id, 1),))
    with pytest.raises(ValueError, match="the answer cannot with the reason None"):
        Reply(ONE, 1, Answer.CANNOT)
    with pytest.raises(ValueError, match="the answer less with the reason 'sick'"):
        Reply(ONE, 1, Answer.LESS, reason="sick")
    with pytest.raises(ValueError, match="an offer is named twice"):
        Reply(ONE, 1, Answer.LESS, ((OFFER.offer_id, 1),) * 2)
    with pytest.raises(ValueError, match="-1 steps of offer"):
        less(ONE, -1)
