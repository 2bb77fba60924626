"""What households answer: what counts, what is refused, and the same in whatever batches and order the replies come."""

from dataclasses import replace
from random import Random
from uuid import UUID

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from services.allocation.domain.asked import Answer, AskedDay, Changed, Confirmed, Missed, Outcome, Reply, Verdict
from services.allocation.domain.replies import answer, close_round
from tests.unit.allocation.asked_days import (
    ONE,
    RE_OFFER,
    STRANGER,
    THREE,
    TWO,
    Parts,
    Said,
    all_weights,
    answered,
    anything_said,
    basket_of,
    beans,
    cannot,
    confirm,
    days,
    is_asked,
    less,
    memories,
    moves_and_late_offers,
    new_day,
    play,
    the_basket,
    truths,
)

law = settings(max_examples=2000, deadline=None, derandomize=True)


# -- Laws over whatever may happen ---------------------------------------------------------------------------


@law
@given(days, moves_and_late_offers, all_weights, memories)
def test_what_a_household_confirmed_only_its_own_word_lowers(
    day: AskedDay, moves: list[Said | int | Parts], weights: dict[UUID, int], memory_vnd: dict[UUID, int]
) -> None:
    for step in play(day, moves, weights, memory_vnd):
        for was in step.before.baskets:
            now = the_basket(step.after, was.household_id)
            stands = {item.offer_id: item for item in now.items}
            for item in was.items if was.household_id != step.replied else ():
                assert stands[item.offer_id].confirmed_steps >= item.confirmed_steps
                silent = is_asked(step.before, was) and was.answer is None and day.policy.silence is RE_OFFER
                kept_steps = item.confirmed_steps if silent else was.standing_steps()[item.offer_id]
                assert now.standing_steps()[item.offer_id] >= kept_steps


@law
@given(days, moves_and_late_offers, all_weights, memories)
def test_a_reply_that_is_not_accepted_and_a_deadline_that_is_over_change_nothing(
    day: AskedDay, moves: list[Said | int | Parts], weights: dict[UUID, int], memory_vnd: dict[UUID, int]
) -> None:
    for step, move in zip(play(day, moves, weights, memory_vnd), moves, strict=True):
        match move:
            case Said():
                assert step.outcome is not None
                basket = basket_of(step.before, move.household)
                refused = step.outcome.verdicts != (Verdict.ACCEPTED,)
                assert refused or (basket is not None and is_asked(step.before, basket) and not move.versions_ahead)
            case int():
                refused = not step.before.open or move != 0
            case Parts():
                refused = False
        if refused:
            assert step.outcome is not None
            assert (step.outcome.day, step.outcome.effects) == (step.before, ())


# -- Batches and order ---------------------------------------------------------------------------------------


@law
@given(days, st.lists(anything_said | truths, max_size=12), st.integers(0, 3), all_weights, memories, st.data())
def test_replies_in_batches_do_what_they_do_one_by_one(
    day: AskedDay,
    said: list[Said],
    ahead: int,
    weights: dict[UUID, int],
    memory_vnd: dict[UUID, int],
    data: st.DataObject,
) -> None:
    # Some replies name versions that exist only after others of the batch have closed a round.
    replies = [replace(x.reply(day), version=1 + data.draw(st.integers(0, ahead))) for x in said]
    whole = answer(day, replies, weights, memory_vnd)
    one_by_one = day
    verdicts: list[Verdict] = []
    effects: list[Changed | Confirmed | Missed] = []
    while replies:
        size = data.draw(st.integers(1, len(replies)))
        outcome = answer(one_by_one, replies[:size], weights, memory_vnd)
        one_by_one, replies = outcome.day, replies[size:]
        verdicts += outcome.verdicts
        effects += outcome.effects
    assert (whole.day, list(whole.verdicts), list(whole.effects)) == (one_by_one, verdicts, effects)


@law
@given(days, st.lists(truths, unique_by=lambda said: said.household), st.integers(0, 2**32), all_weights, memories)
def test_the_order_in_which_households_answer_does_not_matter(
    day: AskedDay, said: list[Said], seed: int, weights: dict[UUID, int], memory_vnd: dict[UUID, int]
) -> None:
    replies = [x.reply(day) for x in said]
    shuffled = Random(seed).sample(replies, len(replies))
    first, second = (answer(day, x, weights, memory_vnd).day for x in (replies, shuffled))
    assert first == second
    assert close_round(first, 1, weights, memory_vnd) == close_round(second, 1, weights, memory_vnd)


@law
@given(days, st.lists(truths, max_size=10), st.integers(0, 2**32), all_weights, memories)
def test_while_the_round_waits_only_the_last_word_of_each_household_counts(
    day: AskedDay, said: list[Said], seed: int, weights: dict[UUID, int], memory_vnd: dict[UUID, int]
) -> None:
    waits_for = [x.household_id for x in day.baskets if is_asked(day, x)]
    assume(waits_for)
    replies = [x.reply(day) for x in said if x.household != waits_for[0]]
    last = list({reply.household_id: reply for reply in replies}.values())
    Random(seed).shuffle(last)
    assert answer(day, replies, weights, memory_vnd).day == answer(day, last, weights, memory_vnd).day


# -- Worked examples -----------------------------------------------------------------------------------------


def test_a_household_may_correct_what_it_said_up_to_what_it_is_asked_for() -> None:
    day = new_day(beans(one=(10, 10), two=(1, 9)))
    for reply, steps in [
        (less(ONE, 1), 1),
        (less(ONE, 8), 8),
        (cannot(ONE), 0),
        (less(ONE, 11), 0),
        (confirm(ONE), 10),
    ]:
        day = answered(day, reply).day
        assert the_basket(day, ONE).standing_steps() == {UUID(int=100): steps}
    assert the_basket(day, ONE).reason is None


def test_an_answer_that_lowers_nothing_is_a_confirmation() -> None:
    for reply in (less(ONE, 5), Reply(ONE, 1, Answer.LESS), Reply(ONE, 1, Answer.LESS, ((UUID(int=7), 0),))):
        outcome = answered(new_day(beans(one=(5, 5))), reply)
        assert the_basket(outcome.day, ONE).answer is Answer.CONFIRM
        assert outcome.effects == (Confirmed(ONE, 1),)


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        (confirm(STRANGER), Verdict.NOT_ASKED),
        (confirm(THREE), Verdict.NOT_ASKED),
        (confirm(TWO, 2), Verdict.OTHER_VERSION),
        (confirm(TWO, 0), Verdict.OTHER_VERSION),
        (less(TWO, 6), Verdict.MORE_THAN_ASKED),
        (Reply(TWO, 1, Answer.LESS, ((UUID(int=7), 1),)), Verdict.MORE_THAN_ASKED),
    ],
)
def test_a_reply_that_does_not_fit_is_told_why(reply: Reply, verdict: Verdict) -> None:
    day = new_day(beans(one=(5, 5), two=(5, 5), three=(0, 5)))
    outcome = answered(day, reply)
    assert outcome == Outcome(day, (verdict,), ())


def test_a_reply_after_its_round_is_too_late_also_while_others_are_asked_again() -> None:
    outcome = answered(new_day(beans(one=(5, 5), two=(5, 9), three=(5, 5))), confirm(ONE), cannot(THREE), confirm(TWO))
    assert outcome.day.open
    late = answered(outcome.day, cannot(ONE), confirm(TWO), confirm(THREE), confirm(THREE, 2))
    assert late.verdicts == (
        Verdict.ROUND_CLOSED,
        Verdict.OTHER_VERSION,
        Verdict.OTHER_VERSION,
        Verdict.NOT_ASKED,
    )
    assert late.day == outcome.day
