"""Settlement to the đồng: the fee against exact fractions, and the laws of books that are only added to."""

from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from fractions import Fraction
from hashlib import sha256
from itertools import combinations
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.allocation.domain.settlement import (
    Accepted,
    Entry,
    MonthTotal,
    adjust,
    month_totals,
    recount_day,
    settle_day,
)

rule = settings(max_examples=2000, derandomize=True)

DAY = date(2026, 11, 26)
REASON = "cân lại tại điểm tập kết"


def household(number: int) -> UUID:
    # Scattered ids, so that the order of ids is not the order of numbers.
    return UUID(bytes=sha256(number.to_bytes(4, "big")).digest()[:16])


_households = st.integers(0, 6).map(household)
_small = st.builds(Accepted, _households, st.integers(0, 3), st.integers(1, 3))  # ties, and fees of a đồng or two
_real = st.builds(Accepted, _households, st.integers(0, 400), st.integers(1, 200).map(lambda n: n * 250))
_odd = st.builds(Accepted, _households, st.integers(0, 400), st.integers(1, 99_999))
days = st.lists(_small, max_size=8) | st.lists(_real | _odd, max_size=12)
permilles = st.integers(0, 1000) | st.sampled_from([0, 50, 80, 100, 1000])


def gross_of(accepted: list[Accepted]) -> dict[UUID, int]:
    gross_vnd: Counter[UUID] = Counter()
    for goods in accepted:
        gross_vnd[goods.household_id] += goods.accepted_steps * goods.step_value_vnd
    return dict(gross_vnd)


def half_up(exact: Fraction) -> int:
    whole = int(exact)
    return whole + (exact - whole >= Fraction(1, 2))


# -- A day ---------------------------------------------------------------------------------------------------


@rule
@given(days, permilles)
def test_the_nets_add_up_to_the_gross_minus_the_fee_of_the_whole_day(
    accepted: list[Accepted], fee_permille: int
) -> None:
    entries = settle_day(DAY, accepted, fee_permille)
    total_vnd = sum(goods.accepted_steps * goods.step_value_vnd for goods in accepted)
    fee_vnd = half_up(Fraction(total_vnd * fee_permille, 1000))
    assert sum(entry.gross_vnd for entry in entries) == total_vnd
    assert sum(entry.fee_vnd for entry in entries) == fee_vnd
    assert sum(entry.net_vnd for entry in entries) == total_vnd - fee_vnd
    assert {entry.household_id: entry.gross_vnd for entry in entries} == gross_of(accepted)


@rule
@given(days, permilles)
def test_no_fee_is_above_the_gross_and_none_is_a_dong_off_the_exact_part(
    accepted: list[Accepted], fee_permille: int
) -> None:
    entries = settle_day(DAY, accepted, fee_permille)
    total_vnd, fee_vnd = sum(entry.gross_vnd for entry in entries), sum(entry.fee_vnd for entry in entries)
    for entry in entries:
        assert 0 <= entry.fee_vnd <= entry.gross_vnd
        assert abs(entry.fee_vnd - Fraction(fee_vnd * entry.gross_vnd, max(1, total_vnd))) < 1
        assert entry.net_vnd == entry.gross_vnd - entry.fee_vnd
        assert (entry.delivery_day, entry.adjustment_vnd, entry.reason) == (DAY, 0, None)


@rule
@given(days, permilles)
def test_the_fee_is_split_as_by_trying_every_way_of_rounding_up(accepted: list[Accepted], fee_permille: int) -> None:
    """Of all ways to round some parts up and the others down that give the whole fee, the one nearest to the exact
    parts; of several, the one that rounds up the earlier ids.
    """
    gross_vnd = gross_of(accepted)
    order = sorted(gross_vnd, key=lambda household_id: household_id.int)
    total_vnd = sum(gross_vnd.values())
    fee_vnd = half_up(Fraction(total_vnd * fee_permille, 1000))
    exact = [Fraction(fee_vnd * gross_vnd[household_id], max(1, total_vnd)) for household_id in order]
    left_vnd = fee_vnd - sum(map(int, exact))
    splits = [
        [int(part) + (number in up) for number, part in enumerate(exact)]
        for up in combinations(range(len(order)), left_vnd)  # the earlier ids first
    ]
    best = min(splits, key=lambda split: sum((part - own) ** 2 for part, own in zip(split, exact, strict=True)))
    assert [entry.fee_vnd for entry in settle_day(DAY, accepted, fee_permille)] == best


@rule
@given(days, permilles, st.data())
def test_the_order_in_which_goods_are_named_does_not_matter(
    accepted: list[Accepted], fee_permille: int, data: st.DataObject
) -> None:
    entries = settle_day(DAY, accepted, fee_permille)
    assert settle_day(DAY, data.draw(st.permutations(accepted)), fee_permille) == entries
    assert [entry.household_id.int for entry in entries] == sorted(h.int for h in gross_of(accepted))


def test_the_fee_is_rounded_half_up_for_the_whole_day_and_not_for_each_household() -> None:
    ten = [Accepted(household(number), 1, 5) for number in range(10)]
    assert sum(entry.fee_vnd for entry in settle_day(DAY, ten, 50)) == 3  # 2.5; 0.25 each would round to nothing
    assert sum(entry.fee_vnd for entry in settle_day(DAY, ten[:9], 50)) == 2  # 2.25


def test_a_household_of_which_nothing_was_accepted_is_settled_with_nothing() -> None:
    assert settle_day(DAY, [Accepted(household(1), 0, 9000)], 80) == (Entry(household(1), DAY, 0, 0),)
    assert settle_day(DAY, [], 80) == ()


# -- Corrections ---------------------------------------------------------------------------------------------


@rule
@given(st.lists(days, min_size=1, max_size=4), permilles, st.lists(st.tuples(_households, st.integers(-9, 9))))
def test_after_recounts_the_entries_add_up_to_the_last_count_and_the_adjustments(
    counts: list[list[Accepted]], fee_permille: int, amounts: list[tuple[UUID, int]]
) -> None:
    adjustments = [adjust({DAY}, own, DAY, amount_vnd, REASON) for own, amount_vnd in amounts if amount_vnd]
    booked = [*settle_day(DAY, counts[0], fee_permille), *adjustments]
    for accepted in counts[1:]:
        booked += recount_day(DAY, accepted, fee_permille, booked, REASON)
    expected = {
        entry.household_id: [entry.gross_vnd, entry.fee_vnd] for entry in settle_day(DAY, counts[-1], fee_permille)
    }
    for total in month_totals(booked, 2026, 11):
        assert [total.gross_vnd, total.fee_vnd] == expected.pop(total.household_id, [0, 0])
        assert total.adjustment_vnd == sum(vnd for own, vnd in amounts if own == total.household_id)
        assert total.net_vnd == sum(entry.net_vnd for entry in booked if entry.household_id == total.household_id)
    assert all(amounts_vnd == [0, 0] for amounts_vnd in expected.values())


@rule
@given(days, days, permilles)
def test_a_recount_names_each_household_that_differs_once_and_no_other(
    before: list[Accepted], after: list[Accepted], fee_permille: int
) -> None:
    booked = settle_day(DAY, before, fee_permille)
    corrections = recount_day(DAY, after, fee_permille, booked, REASON)
    was = {entry.household_id: (entry.gross_vnd, entry.fee_vnd) for entry in booked}
    shall = {entry.household_id: (entry.gross_vnd, entry.fee_vnd) for entry in settle_day(DAY, after, fee_permille)}
    differ = [h for h in was.keys() | shall.keys() if was.get(h, (0, 0)) != shall.get(h, (0, 0))]
    assert [entry.household_id for entry in corrections] == sorted(differ, key=lambda h: h.int)
    assert all((entry.delivery_day, entry.reason) == (DAY, REASON) for entry in corrections)
    assert recount_day(DAY, after, fee_permille, [*booked, *corrections], REASON) == ()


def test_a_recount_takes_back_what_was_booked_for_a_household_that_brought_nothing() -> None:
    booked = settle_day(DAY, [Accepted(household(1), 10, 1000)], 100)
    assert recount_day(DAY, [], 100, booked, REASON) == (Entry(household(1), DAY, -10_000, -1000, 0, REASON),)


def test_an_adjustment_is_an_entry_of_its_own_with_its_reason() -> None:
    entry = adjust({DAY}, household(1), DAY, -20_000, "trả lại vỏ sọt")
    assert entry == Entry(household(1), DAY, 0, 0, -20_000, "trả lại vỏ sọt")
    assert entry.net_vnd == -20_000


# -- A month -------------------------------------------------------------------------------------------------


@rule
@given(st.lists(st.tuples(st.integers(-40, 40), days), max_size=4), permilles)
def test_a_month_is_the_sum_of_the_entries_of_its_days_per_household_in_order(
    counted: list[tuple[int, list[Accepted]]], fee_permille: int
) -> None:
    entries = [entry for n, accepted in counted for entry in settle_day(DAY + timedelta(n), accepted, fee_permille)]
    totals = month_totals(entries, 2026, 11)
    november = [entry for entry in entries if date(2026, 11, 1) <= entry.delivery_day <= date(2026, 11, 30)]
    assert [total.household_id for total in totals] == sorted({e.household_id for e in november}, key=lambda h: h.int)
    for total in totals:
        own = [entry for entry in november if entry.household_id == total.household_id]
        assert total.gross_vnd == sum(entry.gross_vnd for entry in own)
        assert total.net_vnd == sum(entry.net_vnd for entry in own)
    assert sum(total.fee_vnd for total in totals) == sum(entry.fee_vnd for entry in november)


def test_a_month_tells_gross_fee_and_adjustments_apart() -> None:
    entries = [
        *settle_day(DAY, [Accepted(household(1), 10, 1000)], 100),
        adjust({DAY}, household(1), DAY, 500, REASON),
        *settle_day(date(2025, 11, 26), [Accepted(household(1), 1, 1)], 0),
    ]
    assert month_totals(entries, 2026, 11) == (MonthTotal(household(1), 10_000, 1000, 500),)
    assert month_totals(entries, 2026, 11)[0].net_vnd == 9500
    assert month_totals(entries, 2026, 10) == ()


# -- Bad input -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("refused", "why"),
    [
        (lambda: Accepted(household(1), -1, 1), "accepted_steps is -1"),
        (lambda: Accepted(household(1), 1, 0), "step_value_vnd is 0"),
        (lambda: settle_day(DAY, [], 1001), "fee_permille is 1001"),
        (lambda: settle_day(DAY, [], -1), "fee_permille is -1"),
        (lambda: adjust({DAY}, household(1), DAY, 0, REASON), "amount_vnd is 0"),
        (lambda: adjust({DAY}, household(1), DAY, 5, " "), "reason is empty"),
        (lambda: adjust(set(), household(1), DAY, 5, REASON), "2026-11-26 is not settled"),
        (lambda: recount_day(DAY, [], 0, [], ""), "reason is empty"),
        (lambda: recount_day(DAY, [], 0, [Entry(household(1), date(2026, 1, 2), 1, 0)], REASON), "of 2026-01-02 is"),
    ],
)
def test_bad_input_is_refused_with_what_is_wrong(refused: Callable[[], object], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        refused()
