"""The rules of intake: exact steps, the right offer, and the newest push wins whatever comes when."""

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from services.orders.domain.command import CommandLine, Contact, Kind, OrderCommand
from services.orders.domain.intake import MOST_STEPS, Books, Decision, Offers, Outcome, decide, decide_again
from services.orders.domain.order import LineState, Order, OrderState, Product, SkuMapping
from tests.unit.orders.books import (
    CAI_MEO,
    CAI_MEO_NEXT_DAY,
    CAI_MEO_TOMORROW,
    NEXT_DAY,
    NOW,
    SKUS,
    SU_SU_TOMORROW,
    TOMORROW,
    after,
    books,
    line,
    live,
    new,
    offer,
    promised,
    push,
)


def reasons(decision: Decision) -> list[str | None]:
    return [line.reason for line in decision.order.lines]


def steps(decision: Decision) -> list[int]:
    return [line.quantity_steps for line in decision.order.ordered]


# -- Steps ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sku", "quantity", "expected"),
    [
        ("CAI-KG", "1.5", [3]),
        ("CAI-KG", "0.50", [1]),
        ("CAI-300G", "5", [3]),
        ("SU-SU", "12", [12]),
    ],
)
def test_what_was_sold_becomes_whole_steps_of_the_product(sku: str, quantity: str, expected: list[int]) -> None:
    assert steps(after(new(), push(0, line(1, sku, quantity)))) == expected


@pytest.mark.parametrize(("sku", "quantity"), [("CAI-KG", "0.7"), ("CAI-300G", "1"), ("SU-SU", "0.5")])
def test_what_is_not_in_whole_steps_is_refused_not_rounded(sku: str, quantity: str) -> None:
    decision = after(new(), push(0, line(1, sku, quantity)))
    assert reasons(decision) == ["not_in_steps"]
    assert decision.order.ordered == ()


@given(
    units=st.decimals(min_value=Decimal("0.000001"), max_value=Decimal(999_999), places=6),
    factor=st.fractions(min_value=Fraction(1, 1000), max_value=1000, max_denominator=1000),
    step_milliunits=st.integers(1, 10_000),
)
def test_steps_are_exact_or_refused(units: Decimal, factor: Fraction, step_milliunits: int) -> None:
    product = Product(CAI_MEO.product_id, "kg", step_milliunits)
    world = Books({"X": SkuMapping(product, factor)}, books().offers)
    found = after(new(), push(0, CommandLine(1, "X", units)), in_books=world).order.lines[0]
    milliunits = Fraction(units) * factor * 1000
    if found.state is LineState.ORDERED:
        assert found.quantity_steps * step_milliunits == milliunits
        assert 1 <= found.quantity_steps <= MOST_STEPS
    elif found.reason == "not_in_steps":
        assert milliunits % step_milliunits != 0
    else:
        assert (found.reason, milliunits > MOST_STEPS * step_milliunits) == ("too_many", True)


# -- Which offer ---------------------------------------------------------------------------------------------


def test_without_a_day_the_earliest_day_that_takes_orders_serves() -> None:
    assert after(new(), push(0, line(1, "CAI-KG"))).order.lines[0].offer_id == CAI_MEO_TOMORROW
    later = after(new(), push(0, line(1, "CAI-KG")), in_books=books(CAI_MEO_TOMORROW))
    assert later.order.lines[0].offer_id == CAI_MEO_NEXT_DAY


def test_the_day_that_was_asked_for_serves_and_no_other() -> None:
    assert after(new(), push(0, line(1, "CAI-KG"), day=NEXT_DAY)).order.lines[0].offer_id == CAI_MEO_NEXT_DAY
    closed = after(new(), push(0, line(1, "CAI-KG"), day=TOMORROW), in_books=books(CAI_MEO_TOMORROW))
    assert reasons(closed) == ["intake_closed"]
    assert reasons(after(new(), push(0, line(1, "SU-SU"), day=NEXT_DAY))) == ["no_offer"]


def test_a_withdrawn_offer_is_no_offer() -> None:
    world = books(SU_SU_TOMORROW, state="withdrawn")
    assert reasons(after(new(), push(0, line(1, "SU-SU"), day=TOMORROW), in_books=world)) == ["no_offer"]


def test_from_the_cut_off_on_nothing_is_taken_even_where_closing_is_late() -> None:
    overdue = offer(SU_SU_TOMORROW, SKUS["SU-SU"].product, TOMORROW)
    world = Books(SKUS, Offers.of([overdue]))
    command = push(0, line(1, "SU-SU"), day=TOMORROW)
    assert reasons(decide(new(), command, world, overdue.cut_off_at)) == ["intake_closed"]
    before = decide(new(), command, world, overdue.cut_off_at - timedelta(microseconds=1))
    assert before.order.ordered[0].offer_id == SU_SU_TOMORROW


def test_an_unknown_sku_holds_up_only_its_own_line() -> None:
    decision = after(new(), push(0, line(1, "???"), line(2, "SU-SU", "4")))
    assert reasons(decision) == ["unknown_sku", None]
    assert steps(decision) == [4]
    assert decision.outcome is Outcome.PLACED


# -- The newest push wins ------------------------------------------------------------------------------------

SKU = st.sampled_from([*SKUS, "???"])
LINE = st.builds(
    lambda line_no, sku, quantity, all_or_nothing: CommandLine(
        line_no, sku, Decimal(quantity), None, Decimal(quantity) if all_or_nothing else None
    ),
    st.integers(1, 4),
    SKU,
    st.sampled_from(["1", "2", "0.5", "5"]),
    st.booleans(),
)
LINES = st.lists(LINE, max_size=4).map(lambda lines: tuple({one.line_no: one for one in lines}.values()))
PUSH = st.builds(
    lambda minute, lines, day, cancel: push(minute, *lines, day=day, cancel=cancel),
    st.integers(0, 3),
    LINES,
    st.sampled_from([None, TOMORROW, NEXT_DAY]),
    st.booleans(),
)


@given(st.data(), st.lists(PUSH, min_size=1, max_size=5))
def test_any_order_and_any_repetition_of_pushes_ends_in_the_same_state(
    data: st.DataObject, commands: list[OrderCommand]
) -> None:
    in_order = after(new(), *sorted(commands, key=lambda command: command.revision)).order
    repeated = commands + data.draw(st.lists(st.sampled_from(commands), max_size=5))
    shuffled = after(new(), *data.draw(st.permutations(repeated))).order
    assert live(shuffled) == live(in_order)
    assert shuffled.state == in_order.state
    assert shuffled.command is not None
    assert in_order.command is not None
    assert shuffled.command.revision == in_order.command.revision


def test_asking_for_the_day_that_serves_already_keeps_the_promise() -> None:
    placed = after(new(), push(0, line(1, "SU-SU", "2"))).order
    told = promised(placed, (1, SU_SU_TOMORROW, 1, 1))
    again = after(told, push(1, line(1, "SU-SU", "2"), day=TOMORROW))
    assert again.outcome is Outcome.UNCHANGED
    assert again.order.state is OrderState.PART_PROMISED


FEW = [(line(1, "SU-SU", "2"),), (line(1, "SU-SU", "2"), line(2, "CAI-KG")), (line(1, "SU-SU", "3"), line(2, "???"))]
AGAIN = st.tuples(st.sampled_from(FEW), st.sampled_from([None, TOMORROW]), st.sampled_from([False, False, False, True]))


@given(st.lists(st.tuples(AGAIN, st.booleans()), max_size=6))
def test_an_order_waits_for_a_promise_only_while_one_is_to_come(
    day: list[tuple[tuple[tuple[CommandLine, ...], date | None, bool], bool]],
) -> None:
    order, to_come = new(), False
    for minute, ((lines, delivery_day, cancel), answered) in enumerate(day):
        decision = decide(order, push(minute, *lines, day=delivery_day, cancel=cancel), books(), NOW)
        order, to_come = decision.order, to_come or decision.outcome in (Outcome.PLACED, Outcome.CHANGED)
        if answered and to_come:
            ordered = [(one.line_no, one.offer_id, one.quantity_steps) for one in order.ordered if one.offer_id]
            order = promised(order, *((no, offer_id, quantity, 0) for no, offer_id, quantity in ordered))
            to_come = False
        assert to_come or not order.announced or order.state is not OrderState.PLACED


def test_created_updated_and_cancelled_in_all_orders_end_cancelled() -> None:
    pushes = (push(0, line(1, "SU-SU")), push(5, line(1, "SU-SU", "3")), push(9, cancel=True))
    for some_order in permutations(pushes):
        order = after(new(), *some_order).order
        assert (live(order), order.state) == ([], OrderState.CANCELLED)


def test_a_push_that_is_not_newer_has_no_effect() -> None:
    first = after(new(), push(5, line(1, "SU-SU", "3")))
    assert after(first.order, push(5, line(1, "SU-SU", "3"))) == Decision(first.order, Outcome.REPEATED)
    assert after(first.order, push(4, line(1, "SU-SU", "9"))) == Decision(first.order, Outcome.REPEATED)


def test_a_newer_push_that_says_the_same_is_not_announced() -> None:
    first = after(new(), push(0, line(1, "SU-SU", "3")))
    again = after(first.order, push(1, line(1, "SU-SU", "3.0")))
    assert (again.outcome, live(again.order)) == (Outcome.UNCHANGED, live(first.order))


def test_a_cancellation_before_the_order_leaves_a_tombstone() -> None:
    tombstone = after(new(), push(5, cancel=True))
    assert (tombstone.outcome, tombstone.order.state) == (Outcome.UNCHANGED, OrderState.CANCELLED)
    late = after(tombstone.order, push(0, line(1, "SU-SU")))
    assert (late.outcome, late.order) == (Outcome.REPEATED, tombstone.order)


def test_an_order_is_placed_once_and_a_cancelled_one_comes_back_as_a_change() -> None:
    placed = after(new(), push(0, line(1, "SU-SU")))
    cancelled = after(placed.order, push(1, cancel=True))
    back = after(cancelled.order, push(2, line(1, "SU-SU")))
    assert [one.outcome for one in (placed, cancelled, back)] == ["placed", "cancelled", "changed"]


def test_equal_quantities_written_differently_have_one_revision() -> None:
    assert push(0, line(1, "SU-SU", "2")).revision == push(0, line(1, "SU-SU", "2.00")).revision


# -- Closed offers -------------------------------------------------------------------------------------------


def test_a_line_of_a_closed_offer_stays_as_it_was_and_the_others_follow() -> None:
    placed = after(new(), push(0, line(1, "CAI-KG"), line(2, "SU-SU", "2")))
    changed = after(
        placed.order, push(1, line(1, "CAI-KG", "4"), line(2, "SU-SU", "5")), in_books=books(CAI_MEO_TOMORROW)
    )
    assert [(one.line_no, one.quantity_steps) for one in changed.order.ordered] == [(1, 2), (2, 5)]
    assert changed.late_lines == {1}
    assert changed.outcome is Outcome.CHANGED


def test_the_same_said_again_after_the_cut_off_is_not_too_late_and_moves_nothing() -> None:
    placed = after(new(), push(0, line(1, "CAI-KG")))
    again = after(placed.order, push(1, line(1, "CAI-KG")), in_books=books(CAI_MEO_TOMORROW))
    assert (again.outcome, again.late_lines) == (Outcome.UNCHANGED, frozenset())
    assert live(again.order) == live(placed.order)


def test_a_cancellation_cancels_only_what_is_still_open() -> None:
    placed = after(new(), push(0, line(1, "CAI-KG"), line(2, "SU-SU", "2"), line(3, "???")))
    cancelled = after(placed.order, push(1, cancel=True), in_books=books(CAI_MEO_TOMORROW))
    assert [one.state for one in cancelled.order.lines] == ["ordered", "cancelled", "cancelled"]
    assert (cancelled.outcome, cancelled.late_lines) == (Outcome.CHANGED, frozenset({1}))
    assert cancelled.order.state is OrderState.PLACED


def test_a_cancellation_that_is_too_late_for_everything_is_not_announced() -> None:
    placed = after(new(), push(0, line(1, "SU-SU", "2")))
    cancelled = after(placed.order, push(1, cancel=True), in_books=books(SU_SU_TOMORROW))
    assert (cancelled.outcome, cancelled.late_lines) == (Outcome.UNCHANGED, frozenset({1}))


def test_lines_counted_anew_after_the_cut_off_do_not_cancel_each_other() -> None:
    placed = after(new(), push(0, line(1, "CAI-KG"), line(2, "SU-SU", "2")))
    fewer = after(placed.order, push(1, line(1, "SU-SU", "2")), in_books=books(CAI_MEO_TOMORROW))
    assert [(one.sku, one.quantity_steps) for one in fewer.order.ordered] == [("CAI-KG", 2), ("SU-SU", 2)]
    assert fewer.late_lines == {1}


@given(st.lists(PUSH, min_size=1, max_size=3), st.lists(PUSH, min_size=1, max_size=4))
def test_whatever_is_pushed_after_the_cut_off_leaves_closed_lines_as_they_were(
    before: list[OrderCommand], pushed: list[OrderCommand]
) -> None:
    order = after(new(), *before).order
    closed = books(CAI_MEO_TOMORROW)
    bound = [one for one in order.ordered if one.offer_id == CAI_MEO_TOMORROW]
    then = after(order, *pushed, in_books=closed).order
    assert [one for one in then.ordered if one.offer_id == CAI_MEO_TOMORROW] == bound
    assert len({one.line_no for one in then.lines}) == len(then.lines)


# -- The review queue ----------------------------------------------------------------------------------------


def test_a_mapped_sku_releases_its_line_and_leaves_the_others() -> None:
    placed = after(new(), push(0, line(1, "MỚI", "2"), line(2, "SU-SU", "4")))
    grown = Books(SKUS | {"MỚI": SKUS["CAI-KG"]}, books().offers)
    released = decide_again(placed.order, grown, NOW)
    assert released.outcome is Outcome.CHANGED
    assert [(one.line_no, one.quantity_steps) for one in released.order.ordered] == [(1, 4), (2, 4)]
    assert decide_again(released.order, grown, NOW).outcome is Outcome.UNCHANGED


def test_a_cancelled_order_is_not_released() -> None:
    cancelled = after(new(), push(0, line(1, "MỚI")), push(1, cancel=True))
    assert decide_again(cancelled.order, books(), NOW) == Decision(cancelled.order, Outcome.UNCHANGED)


def test_an_open_line_stays_with_its_offer_when_an_earlier_day_appears() -> None:
    later_only = Books(SKUS, Offers.of([books().offers.by_id[CAI_MEO_NEXT_DAY]]))
    placed = after(new(), push(0, line(1, "CAI-KG")), in_books=later_only)
    more = after(placed.order, push(1, line(1, "CAI-KG", "2")))
    assert more.order.ordered[0].offer_id == CAI_MEO_NEXT_DAY


# -- The least that is useful --------------------------------------------------------------------------------


def with_minimum(sku: str, quantity: str, minimum: str | None) -> CommandLine:
    return CommandLine(1, sku, Decimal(quantity), None, Decimal(minimum) if minimum else None)


@pytest.mark.parametrize(
    ("sku", "quantity", "minimum", "expected"),
    [("CAI-KG", "5", "1.5", 3), ("CAI-300G", "10", "5", 3), ("SU-SU", "12", "12", 12), ("SU-SU", "12", None, 1)],
)
def test_a_minimum_becomes_whole_steps_like_the_quantity(
    sku: str, quantity: str, minimum: str | None, expected: int
) -> None:
    (ordered,) = after(new(), push(0, with_minimum(sku, quantity, minimum))).order.ordered
    assert ordered.minimum_steps == expected


@pytest.mark.parametrize(("sku", "quantity", "minimum"), [("CAI-KG", "5", "0.7"), ("CAI-300G", "5", "1")])
def test_a_minimum_that_is_not_in_whole_steps_refuses_its_line(sku: str, quantity: str, minimum: str) -> None:
    decision = after(new(), push(0, with_minimum(sku, quantity, minimum)))
    assert (reasons(decision), decision.order.ordered) == (["not_in_steps"], ())


def test_another_minimum_is_a_change_and_the_same_one_is_not() -> None:
    placed = after(new(), push(0, with_minimum("SU-SU", "4", None)))
    restated = after(placed.order, push(1, with_minimum("SU-SU", "4", "3")))
    assert restated.outcome is Outcome.CHANGED
    assert after(restated.order, push(2, with_minimum("SU-SU", "4", "3.0"))).outcome is Outcome.UNCHANGED
    assert after(restated.order, push(2, with_minimum("SU-SU", "4", None))).outcome is Outcome.CHANGED


def test_a_minimum_is_too_late_after_the_cut_off() -> None:
    placed = after(new(), push(0, with_minimum("SU-SU", "4", "2")))
    late = after(placed.order, push(1, with_minimum("SU-SU", "4", "3")), in_books=books(SU_SU_TOMORROW))
    assert (set(late.late_lines), late.order.ordered[0].minimum_steps) == ({1}, 2)
    same = after(placed.order, push(1, with_minimum("SU-SU", "4", "2")), in_books=books(SU_SU_TOMORROW))
    assert same.late_lines == frozenset()


# -- Erased customers ----------------------------------------------------------------------------------------


def told(minute: int, name: str, *lines: CommandLine, cancel: bool = False) -> OrderCommand:
    """A push that names its customer."""
    kind = Kind.CANCEL if cancel else Kind.UPSERT
    contact = Contact(name, "0912345678", None, "mai@example.vn", "4711")
    return OrderCommand.make("A-1", NOW + timedelta(minutes=minute), int(cancel), kind, None, lines, contact)


def erased(order: Order) -> Order:
    """The order once its customer was erased."""
    assert order.command is not None
    return replace(order, command=order.command.without_contact(), contact_erased=True)


def test_the_same_push_is_a_repetition_after_the_customer_was_erased() -> None:
    push_of_mai = told(0, "Lò Thị Mai", line(1, "SU-SU"))
    order = erased(after(new(), push_of_mai).order)
    assert decide(order, push_of_mai, books(), NOW) == Decision(order, Outcome.REPEATED)


def test_no_later_push_brings_an_erased_customer_back() -> None:
    order = erased(after(new(), told(0, "Lò Thị Mai", line(1, "SU-SU"))).order)
    for command in (told(1, "Lò Thị Mai", line(1, "SU-SU", "2")), told(2, "Lò Thị Mai", cancel=True)):
        decision = decide(order, command, books(), NOW)
        order = decision.order
        assert decision.outcome in (Outcome.CHANGED, Outcome.CANCELLED)
        assert order.contact_erased
        assert order.command == command.without_contact()
