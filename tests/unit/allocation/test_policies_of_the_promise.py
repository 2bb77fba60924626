"""Tiers, minimums, the buffer and the fair rule, against `plain_promise` over random market days."""

from collections.abc import Callable, Sequence
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from services.allocation.commands import command_of
from services.allocation.domain.books import (
    Cancel,
    Change,
    CloseIntake,
    Command,
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
from services.allocation.domain.fair import Asking, share_by_tier
from services.allocation.domain.policies import PromisePolicy, PromiseRule
from services.allocation.domain.promise import decide
from tests.integration.allocation.market import Stream
from tests.unit.allocation.kept_books import Books
from tests.unit.allocation.plain_promise import PlainPromise

rule = settings(max_examples=2000, deadline=None, derandomize=True)

A, B = UUID(int=1), UUID(int=2)
ORDERS = [UUID(int=number) for number in range(101, 115)]
FIRST, SECOND, THIRD = ORDERS[:3]
FAIR, FIRST_COME = PromiseRule.FAIR, PromiseRule.FIRST_COME

_tiers, _minimums = st.sampled_from([5, 5, 1, 3, 9]), st.sampled_from([1, 1, 2, 3, 5])
_rules, _offers, _orders = st.sampled_from(PromiseRule), st.sampled_from([A, B]), st.sampled_from(ORDERS[:8])
_wanted = st.lists(st.builds(Wanted, st.integers(1, 2), _offers, st.integers(0, 6), _minimums), max_size=3).map(tuple)
_closings = st.builds(CloseIntake, _offers, st.sampled_from([False, False, True]))
_commands: st.SearchStrategy[Command] = st.one_of(
    st.builds(Place, _orders, _wanted, _tiers),
    st.builds(Place, _orders, _wanted, _tiers),
    st.builds(Change, _orders, _wanted, _tiers),
    st.builds(Cancel, _orders),
    st.builds(SetSupply, _offers, st.integers(0, 15), rule=_rules),
    st.integers(0, 2).flatmap(lambda n: _closings if n == 0 else st.builds(Cancel, _orders)),
    st.builds(SetSupply, _offers, st.just(0), st.just(True)),
)
_mixed_days = st.lists(_commands, max_size=30)

_one_line = st.builds(Wanted, st.just(1), st.just(A), st.integers(0, 4), _minimums).map(lambda wanted: (wanted,))
_crowding: st.SearchStrategy[Command] = st.one_of(
    st.builds(Change, st.sampled_from(ORDERS), _one_line, _tiers),
    st.builds(Place, st.sampled_from([UUID(int=number) for number in range(200, 210)]), _one_line, _tiers),
    st.builds(Cancel, st.sampled_from(ORDERS)),
    st.builds(SetSupply, st.just(A), st.integers(0, 25)),
    st.builds(SetSupply, st.just(A), st.integers(0, 25)),
)
# One offer, wanted by every order: long queues, and much that is freed, lost, passed over and waited for in a batch.
_crowded_days = st.builds(
    lambda supply, chosen, lines, tiers, then, close: [
        SetSupply(A, supply, rule=chosen),
        *(Place(order, line, tier) for order, line, tier in zip(ORDERS, lines, tiers, strict=True)),
        *then,
        *close,
    ],
    st.integers(0, 25),
    st.sampled_from([FIRST_COME, FIRST_COME, FAIR]),
    st.lists(_one_line, min_size=len(ORDERS), max_size=len(ORDERS)),
    st.lists(_tiers, min_size=len(ORDERS), max_size=len(ORDERS)),
    st.lists(_crowding, min_size=2, max_size=12),
    st.sampled_from([[], [CloseIntake(A)], [CloseIntake(A, withdrawn=True)]]),
)
days: st.SearchStrategy[list[Command]] = _mixed_days | _crowded_days


def plain(lines: dict[tuple[UUID, int], Line]) -> dict[tuple[UUID, int], Line]:
    """Without what the plain rules do not say."""
    return {key: replace(line, reason=None, needed_steps=1) for key, line in lines.items()}


def apply_in_batches(books: Books, day: Sequence[Command], sizes: Sequence[int]) -> None:
    """Load no more than `queue_ends` asks for."""
    start = 0
    for size in [*sizes, len(day)]:
        books.apply(*day[start : start + size], load_all=False)
        start += size


# -- Laws over random days -----------------------------------------------------------------------------------


@rule
@given(days, st.lists(st.integers(1, 10), max_size=8))
def test_promises_are_as_the_plain_rules_say_however_the_day_is_cut(day: list[Command], sizes: list[int]) -> None:
    books, whole, cut, oracle = Books(), Books(), Books(), PlainPromise()
    for command in day:
        books.apply(command)
        oracle.apply(command)
        assert plain(books.lines) == oracle.lines()
        assert_lawful(books)
    whole.apply(*day)
    apply_in_batches(cut, day, sizes)
    assert books == whole == cut


def assert_lawful(books: Books) -> None:
    for book in books.books.values():
        lines = sorted(books.of_offer(book.offer_id), key=lambda line: (line.tier, line.position))
        assert book.promised_net_steps == sum(line.net_steps for line in lines) <= book.supply_steps
        assert book.short_steps == sum(line.short_steps for line in lines)
        assert book.largest_minimum >= max((line.minimum_steps for line in lines), default=1)
        for line in lines:
            assert line.ordered_steps == line.promised_steps + line.short_steps + line.cancelled_steps
            assert 0 <= line.shorted_steps <= line.promised_steps
            assert (line.reason is None) == (line.short_steps == line.shorted_steps == 0)
            own = [x for x in lines if (x.order_id, x.line_no) == (line.order_id, line.line_no)]
            net_steps = sum(x.net_steps for x in own)
            assert net_steps == 0 or net_steps >= line.minimum_steps
            if line.short_steps and book.open and book.rule is FIRST_COME:  # nobody waits who could be served
                needed = 1 if net_steps else line.minimum_steps
                assert min(book.free_steps, sum(x.short_steps for x in own)) < needed


@rule
@given(st.integers(0, 40), st.lists(st.tuples(_tiers, st.integers(1, 9), st.integers(1, 9)), max_size=9))
def test_a_fair_share_keeps_to_tiers_and_minimums_and_leaves_nothing_that_somebody_could_use(
    supply_steps: int, lines: list[tuple[int, int, int]]
) -> None:
    askings = [Asking(UUID(int=n), tier, cap, min(least, cap)) for n, (tier, cap, least) in enumerate(lines)]
    shares = share_by_tier(supply_steps, askings, b"seed")
    left_steps = supply_steps - sum(shares.steps.values())
    assert left_steps >= 0
    for one in askings:
        got = shares.steps[one.line_id]
        assert got == 0 or one.minimum_steps <= got <= one.steps
        assert (one.line_id in shares.dropped) <= (got == 0)
        assert got == one.steps or left_steps < (one.minimum_steps if got == 0 else 1)
        for other in askings:
            if other.tier == one.tier and other.line_id not in shares.dropped and one.line_id not in shares.dropped:
                assert got >= min(one.steps, shares.steps[other.line_id] - 1)
            if other.tier < one.tier and got:  # whoever comes first has all, or needs more than the later tier took
                rest = other.steps - shares.steps[other.line_id]
                assert rest == 0 or other.line_id in shares.dropped


# -- Worked examples -----------------------------------------------------------------------------------------


def placed(order_id: UUID, steps: int, tier: int = 5, minimum: int = 1) -> Place:
    return Place(order_id, (Wanted(1, A, steps, minimum),), tier)


def stands(books: Books) -> list[tuple[int, Reason | None]]:
    """What is coming of each place, and why not more."""
    return [(line.net_steps, line.reason) for line in books.of_offer(A)]


def test_a_contract_order_waits_first_but_takes_nothing_from_the_open_sale() -> None:
    books = Books()
    books.apply(SetSupply(A, 4), placed(FIRST, 4), placed(SECOND, 3), placed(THIRD, 3, tier=1))
    assert stands(books) == [(4, None), (0, Reason.SOLD_OUT), (0, Reason.SOLD_OUT)]
    books.apply(SetSupply(A, 8), load_all=False)
    assert stands(books) == [(4, None), (1, Reason.SOLD_OUT), (3, None)]


def test_the_last_tier_loses_first_even_what_it_was_promised_earlier() -> None:
    books = Books()
    books.apply(SetSupply(A, 6), placed(FIRST, 2, tier=9), placed(SECOND, 2), placed(THIRD, 2, tier=1))
    books.apply(SetSupply(A, 3), load_all=False)
    lost = Reason.PLEDGES_REDUCED
    assert stands(books) == [(0, lost), (1, lost), (2, None)]


def test_a_changed_order_takes_new_places_in_its_new_tier_and_keeps_those_that_it_has() -> None:
    books = Books()
    books.apply(SetSupply(A, 2), placed(FIRST, 2), placed(SECOND, 2))
    books.apply(Change(FIRST, (Wanted(1, A, 3),), tier=1), SetSupply(A, 3))
    assert [(line.tier, line.net_steps) for line in books.of_offer(A)] == [(5, 2), (5, 0), (1, 1)]


def test_a_line_gets_its_minimum_or_nothing_and_the_next_one_is_served_in_its_place() -> None:
    books = Books()
    books.apply(SetSupply(A, 4), placed(FIRST, 6, minimum=5), placed(SECOND, 3), placed(THIRD, 2))
    assert stands(books) == [(0, Reason.BELOW_MINIMUM), (3, None), (1, Reason.SOLD_OUT)]
    books.apply(Cancel(SECOND), load_all=False)  # 1 of 3 to the next; 2 are free, which is not enough for the first
    assert [steps for steps, _ in stands(books)] == [0, 0, 2]
    assert books.books[A].free_steps == 2
    books.apply(SetSupply(A, 7), load_all=False)
    assert [steps for steps, _ in stands(books)] == [5, 0, 2]


def test_a_line_that_would_fall_below_its_minimum_loses_all_and_others_are_served_with_the_rest() -> None:
    books = Books()
    books.apply(SetSupply(A, 8), placed(FIRST, 2), placed(SECOND, 6, minimum=4), placed(THIRD, 3))
    decision = books.apply(SetSupply(A, 5), load_all=False)
    assert stands(books) == [(2, None), (0, Reason.BELOW_MINIMUM), (3, None)]
    assert decision.effects[0] == Shorted(SECOND, (LineShortage(1, A, 6, 0, Reason.BELOW_MINIMUM),))
    assert [(type(effect), effect.order_id) for effect in decision.effects[1:]] == [(Promised, THIRD)]


def test_a_customer_who_is_content_with_less_is_served_at_once() -> None:
    books = Books()
    books.apply(SetSupply(A, 3), placed(FIRST, 6, minimum=4))
    books.apply(Change(FIRST, (Wanted(1, A, 6, 2),)), load_all=False)
    assert stands(books) == [(3, Reason.SOLD_OUT)]


def test_a_minimum_above_what_is_coming_already_takes_nothing_back() -> None:
    books = Books()
    books.apply(SetSupply(A, 3), placed(FIRST, 3), Change(FIRST, (Wanted(1, A, 9, 8),)))
    assert [(x.net_steps, x.minimum_steps) for x in books.of_offer(A)] == [(3, 3), (0, 3)]


def test_a_minimum_above_the_quantity_asks_for_all_or_nothing() -> None:
    books = Books()
    books.apply(SetSupply(A, 3), placed(FIRST, 4, minimum=9), placed(SECOND, 3, minimum=9))
    assert stands(books) == [(0, Reason.BELOW_MINIMUM), (3, None)]


def test_a_fair_offer_promises_nothing_before_its_cut_off_and_then_answers_every_order() -> None:
    books = Books()
    books.apply(SetSupply(A, 10, rule=FAIR), placed(FIRST, 8), placed(SECOND, 2), placed(THIRD, 2, tier=1))
    assert stands(books) == [(0, Reason.DECIDED_AT_CUT_OFF)] * 3
    assert books.books[A].available_steps == 0
    decision = books.apply(SetSupply(A, 8, rule=FIRST_COME), CloseIntake(A), load_all=False)
    assert stands(books) == [(4, Reason.SOLD_OUT), (2, None), (2, None)]
    assert {(type(effect), effect.order_id) for effect in decision.effects} == {
        (Promised, order_id) for order_id in (FIRST, SECOND, THIRD)
    }


def test_of_a_fair_offer_what_nobody_asked_for_is_available() -> None:
    books = Books()
    books.apply(SetSupply(A, 10, rule=FAIR), placed(FIRST, 3))
    assert books.books[A].available_steps == 7
    books.apply(CloseIntake(A))
    assert books.books[A].available_steps == 0


def test_at_the_cut_off_the_line_with_the_largest_minimum_is_dropped_first() -> None:
    books = Books()
    orders = (placed(FIRST, 6, minimum=6), placed(SECOND, 6, minimum=4), placed(THIRD, 6))
    books.apply(SetSupply(A, 9, rule=FAIR), *orders, CloseIntake(A))
    assert sorted(stands(books)[1:]) == [(4, Reason.SOLD_OUT), (5, Reason.SOLD_OUT)]
    assert stands(books)[0] == (0, Reason.BELOW_MINIMUM)


def test_a_fair_offer_that_was_withdrawn_says_so_at_its_cut_off() -> None:
    books = Books()
    books.apply(SetSupply(A, 9, rule=FAIR), placed(FIRST, 2), SetSupply(A, 0, withdrawn=True), CloseIntake(A))
    assert stands(books) == [(0, Reason.OFFER_WITHDRAWN)]


def test_an_order_that_overtook_its_fair_offer_is_shared_with_at_the_cut_off() -> None:
    books = Books()
    books.apply(placed(FIRST, 5, minimum=2))
    books.apply(SetSupply(A, 3, rule=FAIR), placed(SECOND, 5), CloseIntake(A), load_all=False)
    assert sorted(steps for steps, _ in stands(books)) in ([0, 3], [1, 2])


@pytest.mark.parametrize("chosen", PromiseRule)
def test_lines_that_name_the_same_number_and_offer_twice_are_one_line(chosen: PromiseRule) -> None:
    books = Books()
    lines = (Wanted(1, A, 2, 3), Wanted(2, A, 1), Wanted(1, A, 3, 2), Wanted(1, B, 1))
    books.apply(SetSupply(A, 9, rule=chosen), SetSupply(B, 9), Place(FIRST, lines))
    assert [(x.line_no, x.ordered_steps, x.minimum_steps) for x in books.of_offer(A)] == [(1, 5, 3), (2, 1, 1)]
    before = books.of_offer(A)
    books.apply(Change(FIRST, lines))
    assert books.of_offer(A) == before


@pytest.mark.parametrize(
    ("permille", "pledged", "supply"), [(0, 7, 7), (100, 10, 9), (100, 11, 9), (1, 1, 0), (999, 1000, 1), (1000, 5, 0)]
)
def test_the_buffer_is_rounded_up_to_whole_steps(permille: int, pledged: int, supply: int) -> None:
    assert PromisePolicy(permille).supply_steps(pledged) == supply


def test_an_offer_is_taken_in_by_the_policy_of_its_cooperative() -> None:
    event = Stream().published(1, {0: 5, 1: 6}).event
    assert command_of(event) == SetSupply(event.offer_id, 11)
    assert command_of(event, PromisePolicy(100, FAIR)) == SetSupply(event.offer_id, 9, rule=FAIR)


@pytest.mark.parametrize(
    ("refused", "why"),
    [
        (lambda: Wanted(4, A, 1, 0), "line 4: minimum_steps is 0"),
        (lambda: PromisePolicy(1001), "buffer_permille is 1001"),
        (lambda: decide([CloseIntake(A)], [OfferBook(A, 5, 0, rule=FAIR, short_steps=2)], []), "not all of its lines"),
    ],
)
def test_bad_input_is_refused_with_what_is_wrong(refused: Callable[[], object], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        refused()
