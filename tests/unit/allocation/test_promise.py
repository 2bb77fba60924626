"""Promises against `promise_in_words`, over random market days cut into random batches."""

from collections.abc import Callable
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from services.allocation.domain.books import (
    Change,
    CloseIntake,
    Command,
    Decision,
    Line,
    LineShortage,
    OfferBook,
    Place,
    Promised,
    Reason,
    SetSupply,
    Shorted,
    Wanted,
)
from services.allocation.domain.policies import PromiseRule
from services.allocation.domain.promise import decide
from tests.unit.allocation.kept_books import Books
from tests.unit.allocation.promise_days import FIRST, SECOND, THIRD, A, B, batches, days
from tests.unit.allocation.promise_in_words import StepByStep

rule = settings(max_examples=300, deadline=None, derandomize=True)


def without_reasons(lines: dict[tuple[UUID, int], Line]) -> dict[tuple[UUID, int], Line]:
    return {key: replace(line, reason=None) for key, line in lines.items()}


# -- Laws over random days -----------------------------------------------------------------------------------


@rule
@given(days)
def test_every_command_does_what_the_rule_says_in_words(day: list[Command]) -> None:
    books, oracle = Books(), StepByStep()
    for command in day:
        books.apply(command)
        oracle.apply(command)
        assert without_reasons(books.lines) == oracle.lines()


@rule
@given(days, st.lists(st.integers(0, 12), max_size=8), st.booleans())
def test_however_a_day_is_cut_into_batches_the_books_come_out_the_same(
    day: list[Command], sizes: list[int], load_all: bool
) -> None:
    """Also when no more is loaded than `queue_ends` asks for."""
    whole, cut = Books(), Books()
    whole.apply(*day)
    for batch in batches(day, sizes):
        cut.apply(*batch, load_all=load_all)
    assert cut == whole


@rule
@given(days, st.lists(st.integers(1, 12), max_size=8))
def test_loading_only_the_reachable_ends_of_the_queues_decides_and_says_the_same(
    day: list[Command], sizes: list[int]
) -> None:
    full, frugal = Books(), Books()
    for batch in batches(day, sizes):
        assert frugal.apply(*batch, load_all=False) == full.apply(*batch)


@rule
@given(days)
def test_every_line_adds_up_and_names_a_reason_exactly_when_something_is_missing(day: list[Command]) -> None:
    books = Books()
    for command in day:
        books.apply(command)
        for line in books.lines.values():
            assert line.ordered_steps == line.promised_steps + line.short_steps + line.cancelled_steps
            assert min(line.promised_steps, line.short_steps, line.cancelled_steps) >= 0
            assert 0 <= line.shorted_steps <= line.promised_steps
            assert (line.reason is None) == (line.short_steps == line.shorted_steps == 0)
            if line.shorted_steps:
                assert line.reason in {Reason.PLEDGES_REDUCED, Reason.OFFER_WITHDRAWN}


@rule
@given(days)
def test_an_offer_is_never_oversold_and_its_book_is_the_sum_of_its_lines(day: list[Command]) -> None:
    books = Books()
    for command in day:
        books.apply(command)
        for book in books.books.values():
            lines = books.of_offer(book.offer_id)
            assert book.promised_net_steps == sum(line.net_steps for line in lines) <= book.supply_steps
            assert [line.position for line in lines] == list(range(1, book.last_position + 1))


@rule
@given(days)
def test_no_line_waits_while_supply_is_free(day: list[Command]) -> None:
    books = Books()
    for command in day:
        books.apply(command)
        for book in books.books.values():
            if book.open and book.free_steps:
                assert not any(line.short_steps for line in books.of_offer(book.offer_id))


@rule
@given(days)
def test_a_later_line_never_gets_what_an_earlier_waiting_line_could_take(day: list[Command]) -> None:
    books = Books()
    for command in day:
        before = dict(books.lines)
        for line in books.apply(command).lines:
            was = before.get((line.offer_id, line.position))
            if line.promised_steps > (was.promised_steps if was else 0):
                earlier = [x for x in books.of_offer(line.offer_id) if x.position < line.position]
                assert not any(x.short_steps for x in earlier)


@rule
@given(days)
def test_what_was_promised_is_lost_only_by_falling_supply_or_by_giving_it_back(day: list[Command]) -> None:
    books = Books()
    for command in day:
        before = dict(books.lines)
        for line in books.apply(command).lines:
            was = before.get((line.offer_id, line.position))
            if was and line.net_steps < was.net_steps:
                assert isinstance(command, SetSupply) or command.order_id == line.order_id  # type: ignore[union-attr]


@rule
@given(days, st.data())
def test_a_closed_offer_keeps_its_supply_and_all_that_is_coming(day: list[Command], data: st.DataObject) -> None:
    books = Books()
    books.apply(*day, CloseIntake(A))
    supply_steps, lines = books.books[A].supply_steps, books.of_offer(A)
    books.apply(*data.draw(days))
    assert books.books[A].supply_steps == supply_steps
    assert [line.net_steps for line in books.of_offer(A)[: len(lines)]] == [line.net_steps for line in lines]
    assert all(line.net_steps == 0 for line in books.of_offer(A)[len(lines) :])


@rule
@given(days)
def test_placing_again_closing_again_and_the_same_supply_again_change_nothing(day: list[Command]) -> None:
    books = Books()
    books.apply(*day)
    placed = [Place(order_id, (Wanted(1, A, 3),)) for order_id in {line.order_id for line in books.lines.values()}]
    supplies = [SetSupply(x.offer_id, x.supply_steps) for x in books.books.values() if x.listed]
    closed = [CloseIntake(x.offer_id) for x in books.books.values() if not x.open]
    assert books.apply(*placed, *supplies, *closed) == Decision((), (), ())


# -- Worked examples -----------------------------------------------------------------------------------------


def test_an_order_gets_all_then_part_then_none() -> None:
    books = Books()
    books.apply(SetSupply(A, 10), *(Place(order, (Wanted(1, A, 6),)) for order in (FIRST, SECOND, THIRD)))
    assert [(x.promised_steps, x.short_steps, x.reason) for x in books.of_offer(A)] == [
        (6, 0, None),
        (4, 2, Reason.SOLD_OUT),
        (0, 6, Reason.SOLD_OUT),
    ]


def test_two_lines_for_one_offer_share_its_supply() -> None:
    books = Books()
    books.apply(SetSupply(A, 5), Place(FIRST, (Wanted(1, A, 4), Wanted(2, A, 4))))
    assert [(x.line_no, x.promised_steps) for x in books.of_offer(A)] == [(1, 4), (2, 1)]


def test_a_raise_keeps_its_promise_and_asks_for_the_rest_behind_the_others() -> None:
    books = Books()
    books.apply(
        SetSupply(A, 5),
        Place(FIRST, (Wanted(1, A, 5),)),
        Place(SECOND, (Wanted(1, A, 2),)),
        Change(FIRST, (Wanted(1, A, 8),)),
        SetSupply(A, 8),
    )
    assert [(x.order_id, x.ordered_steps, x.promised_steps) for x in books.of_offer(A)] == [
        (FIRST, 5, 5),
        (SECOND, 2, 2),
        (FIRST, 3, 1),
    ]


def test_lowering_gives_back_what_is_not_coming_before_what_is() -> None:
    books = Books()
    books.apply(
        SetSupply(A, 10),
        Place(FIRST, (Wanted(1, A, 10),)),
        SetSupply(A, 6),
        Change(FIRST, (Wanted(1, A, 13),)),
        Change(FIRST, (Wanted(1, A, 5),)),
    )
    first, raised = books.of_offer(A)
    assert (first.promised_steps, first.shorted_steps, first.cancelled_steps, first.reason) == (5, 0, 5, None)
    assert (raised.short_steps, raised.cancelled_steps) == (0, 3)
    assert books.books[A].free_steps == 1


def test_what_was_shorted_does_not_come_back_but_waiting_lines_are_served() -> None:
    books = Books()
    books.apply(SetSupply(A, 4), Place(FIRST, (Wanted(1, A, 4),)), Place(SECOND, (Wanted(1, A, 2),)))
    books.apply(SetSupply(A, 1), SetSupply(A, 4))
    first, second = books.of_offer(A)
    assert (first.net_steps, first.shorted_steps, first.reason) == (1, 3, Reason.PLEDGES_REDUCED)
    assert (second.net_steps, second.reason) == (2, None)
    assert books.books[A].free_steps == 1


def test_a_withdrawn_offer_shorts_everybody_and_takes_no_more() -> None:
    books = Books()
    books.apply(SetSupply(A, 5), Place(FIRST, (Wanted(1, A, 5),)))
    books.apply(SetSupply(A, 0, withdrawn=True), Place(SECOND, (Wanted(1, A, 1),)))
    assert [(x.net_steps, x.reason) for x in books.of_offer(A)] == [
        (0, Reason.OFFER_WITHDRAWN),
        (0, Reason.NO_OFFER),
    ]


def test_an_offer_that_closes_because_it_was_withdrawn_shorts_everybody_also_where_only_its_closing_is_known() -> None:
    books = Books()
    books.apply(SetSupply(A, 5), Place(FIRST, (Wanted(1, A, 2),)), Place(SECOND, (Wanted(1, A, 3),)))
    assert books.apply(CloseIntake(A, withdrawn=True), load_all=False).effects == (
        Shorted(SECOND, (LineShortage(1, A, 3, 0, Reason.OFFER_WITHDRAWN),)),
        Shorted(FIRST, (LineShortage(1, A, 2, 0, Reason.OFFER_WITHDRAWN),)),
    )
    assert (books.books[A].open, books.books[A].listed) == (False, False)
    assert books.apply(SetSupply(A, 0, withdrawn=True), CloseIntake(A, withdrawn=True)) == Decision((), (), ())


def test_a_fair_offer_that_closes_because_it_was_withdrawn_tells_those_who_waited_why() -> None:
    books = Books()
    books.apply(SetSupply(A, 5, rule=PromiseRule.FAIR), Place(FIRST, (Wanted(1, A, 2),)))
    (said,) = books.apply(CloseIntake(A, withdrawn=True), load_all=False).effects
    assert isinstance(said, Promised)
    assert [(line.promised_steps, line.reason) for line in said.lines] == [(0, Reason.OFFER_WITHDRAWN)]


def test_an_order_that_overtakes_its_offer_is_served_when_the_offer_comes() -> None:
    books = Books()
    books.apply(Place(FIRST, (Wanted(1, B, 3),)))
    assert books.of_offer(B)[0].reason == Reason.NO_OFFER
    decision = books.apply(SetSupply(B, 3))
    assert books.of_offer(B)[0].promised_steps == 3
    assert [effect.order_id for effect in decision.effects] == [FIRST]


def test_a_line_for_a_closed_offer_is_short_while_the_other_lines_are_promised() -> None:
    books = Books()
    books.apply(SetSupply(A, 9), SetSupply(B, 9), CloseIntake(A))
    books.apply(Place(FIRST, (Wanted(1, A, 2), Wanted(2, B, 2))))
    assert books.of_offer(A)[0].reason == Reason.INTAKE_CLOSED
    assert books.of_offer(B)[0].promised_steps == 2


@pytest.mark.parametrize(
    ("refused", "why"),
    [
        (lambda: Wanted(4, A, -1), "line 4: quantity_steps is -1"),
        (lambda: SetSupply(A, -2), "supply_steps is -2"),
        (lambda: SetSupply(A, 1, withdrawn=True), "withdrawn"),
        (lambda: decide([], [], [Line(FIRST, 1, A, 1, 1, 1, 0)]), "book was not loaded"),
        (lambda: decide([SetSupply(A, 1)], [OfferBook(A, 5, 5)], []), "newest lines were loaded"),
    ],
)
def test_bad_input_is_refused_with_what_is_wrong(refused: Callable[[], object], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        refused()
