"""A shortfall shared against what the rules stand for: leximin by brute force, dropping line by line, and exact
fractions.
"""

from collections.abc import Callable, Sequence
from fractions import Fraction
from hashlib import sha256
from itertools import product
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from services.allocation.domain.sharing import Claim, share_out
from services.allocation.domain.shortfall import NetCut, NetPromise, SharingRule, share_shortfall

rule = settings(max_examples=500, derandomize=True)

OFFER = UUID(int=7)
EQUAL, PRO_RATA = SharingRule.EQUAL, SharingRule.PRO_RATA
rules = st.sampled_from(SharingRule)


def order(number: int) -> UUID:
    # Scattered ids, so that the order of ids is not the order of numbers.
    return UUID(bytes=sha256(number.to_bytes(4, "big")).digest()[:16])


@st.composite
def line_lists(draw: st.DrawFn, most: int = 7, *, tiers: int = 1, minimums: bool = False) -> list[NetPromise]:
    """Small numbers, so that ties, full lines and lines passed over are frequent; two lines to an order."""
    least = st.integers(1, 9) if minimums else st.just(1)
    rows = draw(st.lists(st.tuples(st.integers(1, tiers), st.integers(0, 9), least), min_size=1, max_size=most))
    return [NetPromise(order(number // 2), number % 2, *row) for number, row in enumerate(rows)]


def total(lines: Sequence[NetPromise]) -> int:
    return sum(line.net_steps for line in lines)


def quantity(data: st.DataObject, lines: Sequence[NetPromise]) -> int:
    return data.draw(st.integers(0, total(lines) + 1), label="available steps")


def net_after(available_steps: int, lines: Sequence[NetPromise], rule: SharingRule = EQUAL) -> list[int]:
    """What each of the lines has after, in the order given."""
    cuts = share_shortfall(OFFER, available_steps, lines, rule).cuts
    after = {(cut.order_id, cut.line_no): cut.after_net_steps for cut in cuts}
    return [after.get((line.order_id, line.line_no), line.net_steps) for line in lines]


def lot(line: NetPromise) -> bytes:
    return sha256(b"shortfall.v1" + OFFER.bytes + line.order_id.bytes + str(line.line_no).encode()).digest()


# -- Laws of both rules --------------------------------------------------------------------------------------


@rule
@given(line_lists(tiers=3, minimums=True), rules, st.data())
def test_never_more_than_available_and_no_line_above_its_net_promise(
    lines: list[NetPromise], how: SharingRule, data: st.DataObject
) -> None:
    available_steps = quantity(data, lines)
    shortfall = share_shortfall(OFFER, available_steps, lines, how)
    after = net_after(available_steps, lines, how)
    assert all(0 <= steps <= line.net_steps for line, steps in zip(lines, after, strict=True))
    assert shortfall.left_steps == available_steps - sum(after) >= 0


@rule
@given(line_lists(tiers=3, minimums=True), rules, st.data())
def test_only_lines_that_lose_are_named_by_order_and_line_number(
    lines: list[NetPromise], how: SharingRule, data: st.DataObject
) -> None:
    available_steps = quantity(data, lines)
    cuts = share_shortfall(OFFER, available_steps, lines, how).cuts
    before = {(line.order_id, line.line_no): line.net_steps for line in lines}
    names = [(cut.order_id, cut.line_no) for cut in cuts]
    assert names == sorted(set(names), key=lambda name: (name[0].int, name[1]))
    assert all(
        before[name] == cut.before_net_steps > cut.after_net_steps for name, cut in zip(names, cuts, strict=True)
    )
    shuffled = data.draw(st.permutations(lines))
    assert share_shortfall(OFFER, available_steps, shuffled, how).cuts == cuts


@rule
@given(line_lists(tiers=3, minimums=True), rules, st.data())
def test_a_later_tier_gets_something_only_when_all_before_it_are_whole(
    lines: list[NetPromise], how: SharingRule, data: st.DataObject
) -> None:
    after = net_after(quantity(data, lines), lines, how)
    short_tiers = [line.tier for line, steps in zip(lines, after, strict=True) if steps < line.net_steps]
    assert all(steps == 0 for line, steps in zip(lines, after, strict=True) if line.tier > min(short_tiers, default=3))
    if short_tiers:  # a tier that fits is whole, whatever the minimums
        assert total([line for line in lines if line.tier <= min(short_tiers)]) > sum(after)


@rule
@given(line_lists(tiers=3), rules, st.data())
def test_without_minimums_nothing_is_left_while_a_line_wants_more(
    lines: list[NetPromise], how: SharingRule, data: st.DataObject
) -> None:
    available_steps = quantity(data, lines)
    assert sum(net_after(available_steps, lines, how)) == min(available_steps, total(lines))


@rule
@given(line_lists(tiers=2), rules, st.data())
def test_equal_lines_differ_by_one_step_at_most(lines: list[NetPromise], how: SharingRule, data: st.DataObject) -> None:
    after = net_after(quantity(data, lines), lines, how)
    for line, steps in zip(lines, after, strict=True):
        for other, others_steps in zip(lines, after, strict=True):
            if (line.tier, line.net_steps) == (other.tier, other.net_steps):
                assert abs(steps - others_steps) <= 1


@rule
@given(line_lists(tiers=2, minimums=True), rules, st.data())
def test_a_line_has_nothing_or_what_is_of_use_and_what_is_left_is_of_no_use_to_its_tier(
    lines: list[NetPromise], how: SharingRule, data: st.DataObject
) -> None:
    available_steps = quantity(data, lines)
    after = net_after(available_steps, lines, how)
    assert all(steps == 0 or steps >= line.least_steps for line, steps in zip(lines, after, strict=True))
    losing = [line for line, steps in zip(lines, after, strict=True) if steps < line.net_steps]
    first = min((line.tier for line in losing), default=0)
    left_steps = available_steps - sum(after)
    assert all(line.least_steps > left_steps for line in losing if line.tier == first)


@rule
@given(line_lists(tiers=2, minimums=True), rules, st.data())
def test_a_line_is_below_its_minimum_when_its_tier_had_something_and_it_gets_nothing_of_it(
    lines: list[NetPromise], how: SharingRule, data: st.DataObject
) -> None:
    available_steps = quantity(data, lines)
    cuts = share_shortfall(OFFER, available_steps, lines, how).cuts
    named = {(line.order_id, line.line_no): line for line in lines}
    cut_tiers = [named[cut.order_id, cut.line_no].tier for cut in cuts]
    first = min(cut_tiers, default=0)
    had_steps = available_steps - sum(line.net_steps for line in lines if line.tier < first)
    for cut, tier in zip(cuts, cut_tiers, strict=True):
        least_steps = named[cut.order_id, cut.line_no].least_steps
        assert cut.below_minimum == (cut.after_net_steps == 0 and least_steps > 1 and tier == first and had_steps > 0)


# -- Equal ---------------------------------------------------------------------------------------------------


@rule
@given(line_lists(most=4), st.data())
def test_the_equal_rule_gives_the_leximin_split(lines: list[NetPromise], data: st.DataObject) -> None:
    available_steps = data.draw(st.integers(0, total(lines)))
    splits = product(*(range(line.net_steps + 1) for line in lines))
    best = max(sorted(split) for split in splits if sum(split) == available_steps)
    assert sorted(net_after(available_steps, lines)) == best


@rule
@given(line_lists(most=12), st.data())
def test_lines_are_shared_to_as_households_without_memory_would_be(
    lines: list[NetPromise], data: st.DataObject
) -> None:
    available_steps = quantity(data, lines)
    claims = [Claim(UUID(int=number), line.net_steps) for number, line in enumerate(lines)]
    shares = share_out(available_steps, claims, 1, b"")
    assert sorted(net_after(available_steps, lines)) == sorted(shares.values())


@rule
@given(line_lists(tiers=3), st.data())
def test_one_step_more_never_gives_a_line_less(lines: list[NetPromise], data: st.DataObject) -> None:
    available_steps = quantity(data, lines)
    less, more = net_after(available_steps, lines), net_after(available_steps + 1, lines)
    assert all(after >= before for before, after in zip(less, more, strict=True))


def drop_one_by_one(steps: int, lines: Sequence[NetPromise]) -> list[int]:
    """The rule of minimums word by word: share; drop the line whose part, before the odd steps, is smallest in
    relation to its minimum; share again.
    """
    taken = list(lines)
    while True:
        caps = [line.net_steps for line in taken]
        level = max(n for n in range(11) if sum(min(cap, n) for cap in caps) <= steps)
        shares = {lot(line): min(line.net_steps, level) for line in taken}
        failing = [line for line in taken if shares[lot(line)] < line.least_steps]
        if not failing:
            break
        # At a level of 0 all parts are equally small: the largest minimum is furthest off.
        taken.remove(
            max(failing, key=lambda n: (-Fraction(shares[lot(n)], n.least_steps), n.least_steps, lot(n))),
        )
    for line in sorted(taken, key=lot):
        if shares[lot(line)] < line.net_steps and sum(shares.values()) < steps:
            shares[lot(line)] += 1
    return [shares.get(lot(line), 0) for line in lines]


@rule
@given(line_lists(minimums=True), st.data())
def test_the_equal_rule_drops_the_lines_that_dropping_one_by_one_would(
    lines: list[NetPromise], data: st.DataObject
) -> None:
    available_steps = quantity(data, lines)
    assert net_after(available_steps, lines) == drop_one_by_one(available_steps, lines)


@rule
@given(line_lists(minimums=True), st.data())
def test_stating_a_higher_minimum_than_needed_never_gains_a_step(lines: list[NetPromise], data: st.DataObject) -> None:
    available_steps = quantity(data, lines)
    number = data.draw(st.integers(0, len(lines) - 1))
    higher = data.draw(st.integers(lines[number].minimum_steps, 10))
    others = [*lines[:number], replace(lines[number], minimum_steps=higher), *lines[number + 1 :]]
    assert net_after(available_steps, others)[number] <= net_after(available_steps, lines)[number]


def test_the_odd_steps_go_by_a_lot_that_no_order_always_wins() -> None:
    lines = [NetPromise(order(number), 1, 1, 5) for number in range(4)]
    winners = []
    for offer in range(400):
        cuts = share_shortfall(UUID(int=offer), 1, lines, EQUAL).cuts
        winners += [cut.order_id for cut in cuts if cut.after_net_steps]
    wins = [winners.count(line.order_id) for line in lines]
    assert sum(wins) == 400
    assert min(wins) > 70  # 100 expected


# -- Pro rata ------------------------------------------------------------------------------------------------


def hamilton(steps: int, lines: Sequence[NetPromise]) -> list[int]:
    whole = max(1, total(lines))
    exact = [Fraction(min(steps, total(lines)) * line.net_steps, whole) for line in lines]
    parts = [int(part) for part in exact]
    order_of_rest = sorted(
        range(len(lines)), key=lambda n: (parts[n] - exact[n], lines[n].order_id.int, lines[n].line_no)
    )
    for n in order_of_rest[: int(sum(exact)) - sum(parts)]:
        parts[n] += 1
    return parts


def take_in_one_by_one(steps: int, lines: Sequence[NetPromise]) -> list[NetPromise]:
    """The rule of minimums word by word: with the next line all lines that have a minimum must still reach it."""
    taken: list[NetPromise] = []
    demanding = [line for line in lines if line.least_steps > 1]
    taken += [line for line in lines if line.least_steps <= 1]
    demanding.sort(key=lambda n: (Fraction(n.least_steps, n.net_steps), n.order_id.int, n.line_no))
    for line in demanding:
        more = [*taken, line]
        parts = [Fraction(steps * n.net_steps, total(more)) for n in more]
        if all(part >= n.least_steps for part, n in zip(parts, more, strict=True) if n.least_steps > 1):
            taken = more
    return taken


@rule
@given(line_lists(minimums=True) | line_lists(), st.data())
def test_pro_rata_is_largest_remainder_over_the_lines_taken_in_one_by_one(
    lines: list[NetPromise], data: st.DataObject
) -> None:
    available_steps = data.draw(st.integers(0, total(lines)))
    taken = take_in_one_by_one(available_steps, lines)
    shares = {lot(line): steps for line, steps in zip(taken, hamilton(available_steps, taken), strict=True)}
    if available_steps < total(lines):
        assert net_after(available_steps, lines, PRO_RATA) == [shares.get(lot(line), 0) for line in lines]


@rule
@given(line_lists(minimums=True), st.data())
def test_pro_rata_keeps_every_line_that_dropping_one_by_one_would_keep(
    lines: list[NetPromise], data: st.DataObject
) -> None:
    available_steps = data.draw(st.integers(0, total(lines)))
    kept = [line for line in lines if line.net_steps]
    while failing := [
        line
        for line in kept
        if line.least_steps > 1 and available_steps * line.net_steps < line.least_steps * total(kept)
    ]:
        kept.remove(max(failing, key=lambda n: (Fraction(n.least_steps, n.net_steps), n.order_id.int, n.line_no)))
    after = net_after(available_steps, lines, PRO_RATA)
    assert all(steps for line, steps in zip(lines, after, strict=True) if line in kept and line.least_steps > 1)


# -- Examples ------------------------------------------------------------------------------------------------


def test_the_supermarket_is_served_whole_before_the_shops_share_the_rest() -> None:
    supermarket = NetPromise(order(1), 1, 1, 40)
    shops = [NetPromise(order(number), 1, 2, 10 * number) for number in (2, 3)]
    families = NetPromise(order(4), 1, 3, 5)
    lines = [families, *shops, supermarket]
    assert net_after(65, lines, EQUAL) in ([0, 12, 13, 40], [0, 13, 12, 40])
    assert net_after(65, lines, PRO_RATA) == [0, 10, 15, 40]
    assert net_after(30, lines, EQUAL) == [0, 0, 0, 30]


def test_a_kitchen_that_needs_a_whole_crate_goes_without_rather_than_get_half_of_it() -> None:
    kitchen, shop = NetPromise(order(1), 1, 1, 20, 20), NetPromise(order(2), 1, 1, 20)
    for how in SharingRule:
        assert net_after(30, [kitchen, shop], how) == [0, 20]
        assert share_shortfall(OFFER, 30, [kitchen, shop], how).left_steps == 10


def test_a_small_line_still_gets_what_a_larger_one_cannot_use() -> None:
    large, small = NetPromise(order(1), 1, 1, 100, 50), NetPromise(order(2), 1, 1, 10, 6)
    assert net_after(49, [large, small], PRO_RATA) == [0, 10]


def test_a_minimum_above_the_net_promise_asks_for_the_whole_promise() -> None:
    lines = [NetPromise(order(number), 1, 1, 3, 99) for number in range(2)]
    assert sorted(net_after(5, lines)) == [0, 3]


def test_what_is_there_beyond_all_promises_is_left_over() -> None:
    shortfall = share_shortfall(OFFER, 9, [NetPromise(order(1), 1, 1, 5)], EQUAL)
    assert (shortfall.cuts, shortfall.left_steps) == ((), 4)
    assert share_shortfall(OFFER, 9, [], PRO_RATA).left_steps == 9
    assert share_shortfall(OFFER, 0, [NetPromise(order(1), 2, 1, 5)], PRO_RATA).cuts == (NetCut(order(1), 2, 5, 0),)


@pytest.mark.parametrize("how", SharingRule)
def test_a_hundred_thousand_lines_with_minimums_are_shared_among(how: SharingRule) -> None:
    lines = [
        NetPromise(UUID(int=number * 7919 % 100_000), 1, 1, 1 + number * 7919 % 200, 1 + number * 31 % 150)
        for number in range(100_000)
    ]
    shortfall = share_shortfall(OFFER, total(lines) // 3, lines, how)
    assert len(shortfall.cuts) > 10_000


@pytest.mark.parametrize(
    ("refused", "why"),
    [
        (lambda: NetPromise(order(1), 1, 0, 5), "line 1 of order .*: tier is 0"),
        (lambda: NetPromise(order(1), 1, 1, -5), "net_steps is -5"),
        (lambda: NetPromise(order(1), 1, 1, 5, 0), "minimum_steps is 0"),
        (lambda: share_shortfall(OFFER, -1, [], EQUAL), "available_steps is -1"),
        (lambda: share_shortfall(OFFER, 1, [NetPromise(order(1), 1, tier, 5) for tier in (1, 2)], EQUAL), "twice"),
    ],
)
def test_bad_input_is_refused_with_what_is_wrong(refused: Callable[[], object], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        refused()
