"""Promises against a word-by-word model that moves single steps, over random market days cut into random
batches.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from services.allocation.domain.books import (
    Cancel,
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
from services.allocation.domain.promise import decide
from tests.unit.allocation.kept_books import Books

rule = settings(max_examples=300, deadline=None, derandomize=True)

OFFERS = [UUID(int=number) for number in (1, 2, 3)]
ORDERS = [UUID(int=number) for number in range(101, 109)]
A, B = OFFERS[:2]
FIRST, SECOND, THIRD = ORDERS[:3]

_offers, _orders, _steps = st.sampled_from(OFFERS), st.sampled_from(ORDERS), st.integers(0, 6)
_wanted = st.lists(st.builds(Wanted, st.integers(1, 3), _offers, _steps), max_size=4).map(tuple)
_commands: st.SearchStrategy[Command] = st.one_of(
    st.builds(Place, _orders, _wanted),
    st.builds(Place, _orders, _wanted),
    st.builds(Change, _orders, _wanted),
    st.builds(Cancel, _orders),
    st.builds(SetSupply, _offers, st.integers(0, 15)),
    st.builds(SetSupply, _offers, st.just(0), st.just(True)),
    # Rare, because little can happen on an offer once it is closed.
    st.integers(0, 3).flatmap(lambda n: st.builds(CloseIntake if n == 0 else Cancel, _offers if n == 0 else _orders)),
)
_mixed_days = st.lists(_commands, max_size=40)

_one_line = st.integers(1, 4).map(lambda steps: (Wanted(1, A, steps),))
_crowding = st.one_of(
    st.builds(Change, _orders, _one_line),
    st.builds(Cancel, _orders),
    st.builds(SetSupply, st.just(A), st.integers(0, 15)),
)
# One offer, wanted by every order: long queues, and much that is freed, lost and waited for within one batch.
_crowded_days = st.builds(
    lambda supply, steps, then: [
        SetSupply(A, supply),
        *(Place(order, (Wanted(1, A, n),)) for order, n in zip(ORDERS, steps, strict=True)),
        *then,
    ],
    st.integers(0, 15),
    st.lists(st.integers(1, 4), min_size=len(ORDERS), max_size=len(ORDERS)),
    st.lists(_crowding, min_size=2, max_size=20),
)
days: st.SearchStrategy[list[Command]] = _mixed_days | _crowded_days


@dataclass
class Step:
    """One single step that somebody asked for."""

    order_id: UUID
    line_no: int
    offer_id: UUID
    position: int
    state: str = "short"  # promised, short, shorted (was promised) or cancelled


class StepByStep:
    """The rule in words, one command and one step at a time."""

    def __init__(self) -> None:
        self.supply: dict[UUID, int] = {}
        self.closed: set[UUID] = set()
        self.steps: list[Step] = []

    def apply(self, command: Command) -> None:
        match command:
            case Place(order_id, lines):
                if not any(step.order_id == order_id for step in self.steps):
                    for line_no, offer_id in dict.fromkeys((w.line_no, w.offer_id) for w in lines):
                        same = [w for w in lines if (w.line_no, w.offer_id) == (line_no, offer_id)]
                        self._ask(order_id, line_no, offer_id, sum(w.quantity_steps for w in same))
            case Change(order_id, lines):
                self._change(order_id, lines)
            case Cancel(order_id):
                self._change(order_id, ())
            case SetSupply(offer_id, supply_steps) if offer_id not in self.closed:
                self.supply[offer_id] = supply_steps
                promised = [step for step in self.steps if (step.offer_id, step.state) == (offer_id, "promised")]
                for step in promised[supply_steps:]:
                    step.state = "shorted"
                self._serve()
            case CloseIntake(offer_id):
                self.closed.add(offer_id)

    def _change(self, order_id: UUID, lines: Sequence[Wanted]) -> None:
        keys = sorted({(s.line_no, s.offer_id) for s in self.steps} | {(w.line_no, w.offer_id) for w in lines})
        in_order_of_commands = sorted(
            keys, key=lambda key: next((n for n, w in enumerate(lines) if (w.line_no, w.offer_id) == key), -1)
        )
        rises = []
        for line_no, offer_id in in_order_of_commands:
            wanted = sum(w.quantity_steps for w in lines if (w.line_no, w.offer_id) == (line_no, offer_id))
            held = [
                step
                for step in self.steps
                if (step.order_id, step.line_no, step.offer_id) == (order_id, line_no, offer_id)
                and step.state != "cancelled"
            ]
            held.sort(key=lambda step: (["short", "shorted", "promised"].index(step.state), -step.position))
            for step in held[: max(0, len(held) - wanted)]:
                if step.state != "promised" or offer_id not in self.closed:
                    step.state = "cancelled"
            rises.append((line_no, offer_id, max(0, wanted - len(held))))
        self._serve()
        for line_no, offer_id, rise in rises:
            self._ask(order_id, line_no, offer_id, rise)

    def _ask(self, order_id: UUID, line_no: int, offer_id: UUID, steps: int) -> None:
        position = max((step.position for step in self.steps if step.offer_id == offer_id), default=0) + 1
        self.steps += [Step(order_id, line_no, offer_id, position) for _ in range(steps)]
        self._serve()

    def _serve(self) -> None:
        for step in self.steps:  # in the order of asking
            coming = sum((s.offer_id, s.state) == (step.offer_id, "promised") for s in self.steps)
            free = coming < self.supply.get(step.offer_id, 0) and step.offer_id not in self.closed
            if step.state == "short" and free:
                step.state = "promised"

    def lines(self) -> dict[tuple[UUID, int], Line]:
        ordered = sorted(self.steps, key=lambda step: (step.offer_id, step.position))
        lines = {}
        for (offer_id, position), group in groupby(ordered, key=lambda step: (step.offer_id, step.position)):
            steps = list(group)
            count = [step.state for step in steps].count
            lines[offer_id, position] = Line(
                steps[0].order_id,
                steps[0].line_no,
                offer_id,
                position,
                ordered_steps=len(steps),
                promised_steps=count("promised") + count("shorted"),
                short_steps=count("short"),
                shorted_steps=count("shorted"),
                cancelled_steps=count("cancelled"),
            )
        return lines


def without_reasons(lines: dict[tuple[UUID, int], Line]) -> dict[tuple[UUID, int], Line]:
    return {key: replace(line, reason=None) for key, line in lines.items()}


def batches(day: Sequence[Command], sizes: Sequence[int]) -> Iterator[Sequence[Command]]:
    start = 0
    for size in [*sizes, len(day)]:
        yield day[start : start + size]
        start += size


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
@given(days)
def test_placing_again_closing_again_and_the_same_supply_again_change_nothing(day: list[Command]) -> None:
    books = Books()
    books.apply(*day)
    placed = [Place(order_id, (Wanted(1, A, 3),)) for order_id in {line.order_id for line in books.lines.values()}]
    supplies = [SetSupply(x.offer_id, x.supply_steps) for x in books.books.values() if x.listed]
    closed = [CloseIntake(x.offer_id) for x in books.books.values() if not x.open]
    assert books.apply(*placed, *supplies, *closed) == Decision((), (), ())


# -- What is said --------------------------------------------------------------------------------------------


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
