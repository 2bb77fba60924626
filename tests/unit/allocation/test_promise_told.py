"""What orders are told of their promise: all of it as it stands, and only when something has happened to it."""

from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from services.allocation.domain.books import (
    Cancel,
    Change,
    CloseIntake,
    Command,
    LineShortage,
    Place,
    Promised,
    Reason,
    SetSupply,
    Shorted,
    Wanted,
)
from tests.unit.allocation.kept_books import Books
from tests.unit.allocation.promise_days import FIRST, ORDERS, SECOND, A, B, batches, days

rule = settings(max_examples=300, deadline=None, derandomize=True)


# -- Laws over random days -----------------------------------------------------------------------------------


@rule
@given(days, st.lists(st.tuples(st.integers(1, 3), st.sampled_from([A, B]), st.integers(0, 9)), max_size=4))
def test_every_line_of_a_change_gets_its_answer_whatever_is_closed(
    day: list[Command], lines: list[tuple[int, UUID, int]]
) -> None:
    books = Books()
    books.apply(*day, CloseIntake(A))
    asked = {(line_no, offer_id): steps for line_no, offer_id, steps in lines if steps}
    decision = books.apply(Change(ORDERS[0], tuple(Wanted(*key, steps) for key, steps in asked.items())))
    (said,) = [x for x in decision.effects if isinstance(x, Promised) and x.order_id == ORDERS[0]]
    told = {(x.line_no, x.offer_id): x for x in said.lines}
    for key, steps in asked.items():
        answered_steps = told[key].ordered_steps - told[key].cancelled_steps
        assert answered_steps == max(steps, told[key].net_steps if key[1] == A else 0)


@rule
@given(days, st.lists(st.integers(1, 12), max_size=8))
def test_an_order_is_told_its_whole_promise_as_it_stands_after_the_batch(day: list[Command], sizes: list[int]) -> None:
    books = Books()
    for batch in batches(day, sizes):
        effects = books.apply(*batch).effects
        assert len({(type(effect), effect.order_id) for effect in effects}) == len(effects)
        for effect in effects:
            if isinstance(effect, Promised):
                places = books.of_order(effect.order_id)
                assert [(x.line_no, x.offer_id) for x in effect.lines] == sorted(
                    {(x.line_no, x.offer_id) for x in places}
                )
                for line in effect.lines:
                    own = [x for x in places if (x.line_no, x.offer_id) == (line.line_no, line.offer_id)]
                    assert line.net_steps == sum(x.net_steps for x in own)
                    assert line.ordered_steps == line.promised_steps + line.short_steps + line.cancelled_steps
                    assert (line.reason is None) == (line.short_steps == line.shorted_steps == 0)


@rule
@given(days)
def test_exactly_the_orders_that_something_happened_to_are_told(day: list[Command]) -> None:
    books = Books()
    for command in day:
        before = dict(books.lines)
        known = {line.order_id for line in before.values()}
        decision = books.apply(command)
        promised = {effect.order_id for effect in decision.effects if isinstance(effect, Promised)}
        shorted = {effect.order_id for effect in decision.effects if isinstance(effect, Shorted)}

        told = {
            line.order_id
            for line in decision.lines
            if (was := before.get((line.offer_id, line.position))) and line.promised_steps > was.promised_steps
        }
        if isinstance(command, Change) or (isinstance(command, Place) and command.order_id not in known):
            told.add(command.order_id)
        elif isinstance(command, Cancel):
            assert command.order_id not in promised
        assert promised == told

        lost = {
            line.order_id
            for line in decision.lines
            if (was := before.get((line.offer_id, line.position))) and line.shorted_steps > was.shorted_steps
        }
        assert shorted == lost


# -- Worked examples -----------------------------------------------------------------------------------------


def test_cancelling_serves_who_waits_and_tells_them() -> None:
    books = Books()
    books.apply(SetSupply(A, 4), Place(FIRST, (Wanted(1, A, 4),)), Place(SECOND, (Wanted(7, A, 3),)))
    decision = books.apply(Cancel(FIRST), load_all=False)
    cancelled, served = books.of_offer(A)
    assert (cancelled.promised_steps, cancelled.short_steps, cancelled.cancelled_steps) == (0, 0, 4)
    assert (served.promised_steps, served.short_steps, served.reason) == (3, 0, None)
    assert [(type(effect), effect.order_id) for effect in decision.effects] == [(Promised, SECOND)]


def test_falling_supply_takes_from_the_newest_and_says_before_and_after() -> None:
    books = Books()
    books.apply(SetSupply(A, 10), Place(FIRST, (Wanted(1, A, 6),)), Place(SECOND, (Wanted(1, A, 4),)))
    decision = books.apply(SetSupply(A, 7), SetSupply(A, 5))
    assert decision.effects == (
        Shorted(SECOND, (LineShortage(1, A, 4, 0, Reason.PLEDGES_REDUCED),)),
        Shorted(FIRST, (LineShortage(1, A, 6, 5, Reason.PLEDGES_REDUCED),)),
    )


def test_the_last_word_on_an_order_is_its_whole_promise_however_often_it_lost_and_gained() -> None:
    books = Books()
    decision = books.apply(
        SetSupply(A, 10),
        Place(FIRST, (Wanted(1, A, 10),)),
        SetSupply(A, 0),
        Change(FIRST, (Wanted(1, A, 14),)),
        SetSupply(A, 3),
    )
    assert [type(effect) for effect in decision.effects] == [Shorted, Promised]
    last = decision.effects[-1]
    assert isinstance(last, Promised)
    assert [line.net_steps for line in last.lines] == [sum(line.net_steps for line in books.of_offer(A))]
