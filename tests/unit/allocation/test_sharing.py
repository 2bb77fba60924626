"""The rule of sharing against what it stands for: the step-by-step greedy, leximin by brute force, and its
promises.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from hashlib import sha256
from itertools import product
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.allocation.domain.sharing import (
    Claim,
    FairnessEntry,
    day_entries,
    debt_cap,
    draw_lots,
    find_level,
    memory,
    share_out,
)

rule = settings(max_examples=300, deadline=None, derandomize=True)

SEED = b"one offer"
SMALL_VALUES_VND = st.integers(1, 7)


def household(number: int) -> UUID:
    # Scattered ids, so that the order of ids is not the order of numbers.
    return UUID(bytes=sha256(number.to_bytes(4, "big")).digest()[:16])


@st.composite
def claim_lists(draw: st.DrawFn, most: int = 6, *, plain: bool = False) -> list[Claim]:
    """Claims with small numbers, so that ties and full caps are frequent; `plain` ones without weight or
    memory.
    """
    weights = st.just(1) if plain else st.integers(1, 5)
    memories_vnd = st.just(0) if plain else st.integers(-20, 20)
    rows = draw(st.lists(st.tuples(st.integers(0, 9), weights, memories_vnd), min_size=1, max_size=most))
    return [Claim(household(number), *row) for number, row in enumerate(rows)]


def step_by_step(total_steps: int, claims: Sequence[Claim], step_value_vnd: int, seed: bytes) -> dict[UUID, int]:
    """The rule word by word: each next step to the open household that stands lowest."""
    shares = {claim.household_id: 0 for claim in claims}
    for _ in range(total_steps):
        standings = [
            (
                Fraction(claim.memory_vnd + step_value_vnd * shares[claim.household_id], claim.weight),
                sha256(seed + claim.household_id.bytes).digest(),
                claim.household_id,
            )
            for claim in claims
            if shares[claim.household_id] < claim.cap_steps
        ]
        if standings:
            shares[min(standings)[2]] += 1
    return shares


def every_split(total_steps: int, caps: Sequence[int]) -> Iterator[tuple[int, ...]]:
    return (split for split in product(*(range(cap + 1) for cap in caps)) if sum(split) == total_steps)


# -- Sharing out ---------------------------------------------------------------------------------------------


@rule
@given(claim_lists(), SMALL_VALUES_VND, st.binary(max_size=2), st.data())
def test_sharing_out_equals_handing_out_step_by_step(
    claims: list[Claim], value_vnd: int, seed: bytes, data: st.DataObject
) -> None:
    total_steps = data.draw(st.integers(0, sum(claim.cap_steps for claim in claims) + 1))
    assert share_out(total_steps, claims, value_vnd, seed) == step_by_step(total_steps, claims, value_vnd, seed)


@rule
@given(claim_lists(), SMALL_VALUES_VND, st.data())
def test_a_lot_decides_only_among_households_that_stand_exactly_level(
    claims: list[Claim], value_vnd: int, data: st.DataObject
) -> None:
    total_steps = data.draw(st.integers(0, sum(claim.cap_steps for claim in claims)))
    level = find_level(total_steps, claims, value_vnd)
    if level.left_steps:
        assert level.left_steps < len(level.level_households)
        standings = {
            Fraction(claim.memory_vnd + value_vnd * level.steps_below[claim.household_id], claim.weight)
            for claim in claims
            if claim.household_id in level.level_households
        }
        assert len(standings) == 1


@rule
@given(st.integers(0, 200), st.data())
def test_weights_and_memories_of_any_size_are_compared_exactly(total_steps: int, data: st.DataObject) -> None:
    big = st.integers(-(10**12), 10**12)
    rows = data.draw(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 10**6), big), min_size=1, max_size=4))
    claims = [Claim(household(number), *row) for number, row in enumerate(rows)]
    value_vnd = data.draw(st.integers(1, 10**9))
    assert share_out(total_steps, claims, value_vnd, SEED) == step_by_step(total_steps, claims, value_vnd, SEED)


@rule
@given(claim_lists(most=4, plain=True), st.data())
def test_equal_households_get_the_leximin_split_with_the_least_sum_of_squares(
    claims: list[Claim], data: st.DataObject
) -> None:
    caps = [claim.cap_steps for claim in claims]
    total_steps = data.draw(st.integers(0, sum(caps)))
    got = sorted(share_out(total_steps, claims, 1, SEED).values())
    splits = list(every_split(total_steps, caps))
    assert got == max(sorted(split) for split in splits)
    assert sum(x * x for x in got) == min(sum(x * x for x in split) for split in splits)


@settings(max_examples=2000, deadline=None, derandomize=True)
@given(claim_lists(most=4), SMALL_VALUES_VND, st.data())
def test_with_weights_and_memory_standings_are_leximin_up_to_where_a_lot_is_drawn(
    claims: list[Claim], value_vnd: int, data: st.DataObject
) -> None:
    """And in full, where no lot is drawn or weights are equal: a lot does not ask who rises by more with the step."""
    caps = [min(claim.cap_steps, 5) for claim in claims]
    claims = [replace(claim, cap_steps=cap) for claim, cap in zip(claims, caps, strict=True)]
    total_steps = data.draw(st.integers(0, sum(caps)))

    def standings(split: Sequence[int]) -> list[Fraction]:
        return sorted(
            Fraction(x.memory_vnd + value_vnd * steps, x.weight) for x, steps in zip(claims, split, strict=True)
        )

    shares = share_out(total_steps, claims, value_vnd, SEED)
    got = standings([shares[claim.household_id] for claim in claims])
    best = max(standings(split) for split in every_split(total_steps, caps))
    level = find_level(total_steps, claims, value_vnd)
    if level.left_steps and len({claim.weight for claim in claims}) > 1:
        (one, *_) = (x for x in claims if x.household_id in level.level_households)
        drawn_at = Fraction(one.memory_vnd + value_vnd * level.steps_below[one.household_id], one.weight)
        got, best = ([x for x in own if x <= drawn_at] for own in (got, best))
    assert got == best


@rule
@given(st.integers(0, 80), claim_lists(most=8), SMALL_VALUES_VND)
def test_everything_is_handed_out_and_nobody_gets_more_than_its_cap(
    total_steps: int, claims: list[Claim], value_vnd: int
) -> None:
    shares = share_out(total_steps, claims, value_vnd, SEED)
    assert sum(shares.values()) == min(total_steps, sum(claim.cap_steps for claim in claims))
    assert all(0 <= shares[claim.household_id] <= claim.cap_steps for claim in claims)


@rule
@given(st.integers(0, 60), claim_lists(), SMALL_VALUES_VND, st.data())
def test_over_declaring_a_pledge_gains_nothing(
    total_steps: int, claims: list[Claim], value_vnd: int, data: st.DataObject
) -> None:
    """A household that got less than it pledged cannot get more by pledging more, whatever its weight and
    memory.
    """
    shares = share_out(total_steps, claims, value_vnd, SEED)
    number = data.draw(st.integers(0, len(claims) - 1))
    claim = claims[number]
    got = shares[claim.household_id]
    if got < claim.cap_steps:
        for cap_steps in (got, got + 1, claim.cap_steps + 1, claim.cap_steps + 1000):
            others = [*claims[:number], replace(claim, cap_steps=cap_steps), *claims[number + 1 :]]
            assert share_out(total_steps, others, value_vnd, SEED) == shares


@rule
@given(st.integers(0, 60), claim_lists(), SMALL_VALUES_VND, st.data())
def test_pledging_less_loses_only_what_was_cut(
    total_steps: int, claims: list[Claim], value_vnd: int, data: st.DataObject
) -> None:
    shares = share_out(total_steps, claims, value_vnd, SEED)
    number = data.draw(st.integers(0, len(claims) - 1))
    claim = claims[number]
    lower_cap = data.draw(st.integers(0, claim.cap_steps))
    others = [*claims[:number], replace(claim, cap_steps=lower_cap), *claims[number + 1 :]]
    after = share_out(total_steps, others, value_vnd, SEED)
    assert after[claim.household_id] == min(shares[claim.household_id], lower_cap)
    assert all(after[other] >= shares[other] for other in shares if other != claim.household_id)


@rule
@given(st.integers(0, 60), claim_lists(), SMALL_VALUES_VND)
def test_one_step_more_never_takes_from_anyone(total_steps: int, claims: list[Claim], value_vnd: int) -> None:
    before = share_out(total_steps, claims, value_vnd, SEED)
    after = share_out(total_steps + 1, claims, value_vnd, SEED)
    assert all(after[household_id] >= steps for household_id, steps in before.items())


@rule
@given(st.integers(0, 60), claim_lists(), SMALL_VALUES_VND, st.data())
def test_the_order_of_the_claims_does_not_matter(
    total_steps: int, claims: list[Claim], value_vnd: int, data: st.DataObject
) -> None:
    shares = share_out(total_steps, claims, value_vnd, SEED)
    shuffled = share_out(total_steps, data.draw(st.permutations(claims)), value_vnd, SEED)
    assert list(shuffled.items()) == list(shares.items())


def test_no_household_always_wins_the_lot() -> None:
    claims = [Claim(household(number), cap_steps=5) for number in range(4)]
    winners = [draw_lots(find_level(1, claims, 1), offer.to_bytes(2, "big"))[0] for offer in range(400)]
    wins = [winners.count(claim.household_id) for claim in claims]
    assert min(wins) > 70  # 100 expected


def test_the_household_that_has_had_less_comes_first() -> None:
    behind, ahead = Claim(household(0), 10, memory_vnd=-30_000), Claim(household(1), 10, memory_vnd=30_000)
    assert share_out(8, [ahead, behind], 10_000, SEED) == {behind.household_id: 7, ahead.household_id: 1}


def test_a_household_with_twice_the_weight_gets_twice_as_much() -> None:
    one, two = Claim(household(0), 100, weight=1), Claim(household(1), 100, weight=2)
    assert share_out(30, [one, two], 10_000, SEED) == {one.household_id: 10, two.household_id: 20}


def test_a_small_difference_between_weighted_standings_is_not_left_to_the_lot() -> None:
    third, quarter = Claim(household(0), 9, weight=3, memory_vnd=1), Claim(household(1), 9, weight=4, memory_vnd=1)
    for offer in range(20):
        shares = share_out(1, [third, quarter], 1000, offer.to_bytes(1, "big"))
        assert shares == {third.household_id: 0, quarter.household_id: 1}


def test_nothing_to_share_or_nobody_to_share_with_is_no_error() -> None:
    assert share_out(5, [], 1, SEED) == {}
    assert share_out(0, [Claim(household(0), 3)], 1, SEED) == {household(0): 0}


def test_a_million_steps_over_ten_thousand_households_are_not_counted_one_by_one() -> None:
    claims = [
        Claim(household(n), cap_steps=50 + n * 7919 % 200, weight=1 + n % 9, memory_vnd=n * 104_729 % 4_000_000)
        for n in range(10_000)
    ]
    shares = share_out(1_000_000, claims, 12_500, SEED)
    assert sum(shares.values()) == 1_000_000


@pytest.mark.parametrize(
    ("refused", "why"),
    [
        (lambda: Claim(household(0), -1), "cap_steps is -1"),
        (lambda: Claim(household(0), 1, weight=0), "weight is 0"),
        (lambda: share_out(-1, [], 1, SEED), "total_steps is -1"),
        (lambda: share_out(1, [], 0, SEED), "step_value_vnd is 0"),
        (lambda: share_out(1, [Claim(household(0), 1)] * 2, 1, SEED), "claims twice"),
        (lambda: day_entries({household(0): 5}, {}, {}), "5 VND assigned, but 0 pledged"),
        (lambda: day_entries({household(0): 5}, {household(0): 4}, {household(0): 1}), "5 VND assigned, but 4 pledged"),
        (lambda: day_entries({}, {household(0): 1}, {household(0): 0}), "weight is 0"),
        (lambda: memory([], -1), "cap_vnd is -1"),
    ],
)
def test_bad_input_is_refused_with_what_is_wrong(refused: Callable[[], object], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        refused()


# -- Memory --------------------------------------------------------------------------------------------------


_offered = st.tuples(
    st.integers(1, 9), st.integers(0, 10**7), st.integers(0, 10**7)
)  # weight, assigned, and more pledged
_small = st.tuples(st.integers(1, 3), st.integers(0, 4), st.integers(0, 6))


@rule
@given(st.lists(_offered | _small, max_size=8))
def test_fair_parts_follow_the_weights_up_to_the_pledges_and_add_up_to_the_total(
    rows: list[tuple[int, int, int]],
) -> None:
    weights = {household(number): weight for number, (weight, _, _) in enumerate(rows)}
    assigned_vnd = {household(number): vnd for number, (_, vnd, _) in enumerate(rows) if vnd}
    pledged_vnd = {household(number): vnd + more for number, (_, vnd, more) in enumerate(rows)}
    entries = day_entries(assigned_vnd, pledged_vnd, weights)
    total_vnd = sum(assigned_vnd.values())
    assert [entry.household_id for entry in entries] == sorted(weights, key=lambda h: h.int)
    assert sum(entry.assigned_vnd for entry in entries) == sum(entry.fair_vnd for entry in entries) == total_vnd
    exact = water_fill(total_vnd, pledged_vnd, weights)
    for entry in entries:
        assert 0 <= entry.fair_vnd <= pledged_vnd[entry.household_id]
        assert abs(entry.fair_vnd - exact[entry.household_id]) < 1


def water_fill(total_vnd: int, caps_vnd: dict[UUID, int], weights: dict[UUID, int]) -> dict[UUID, Fraction]:
    """The capped equal share in exact fractions: fill by weight, fix whoever overflows, fill the rest again."""
    parts: dict[UUID, Fraction] = {}
    while True:
        open_weight = sum(weights[h] for h in caps_vnd if h not in parts)
        left_vnd = total_vnd - sum(parts.values())
        even = {h: Fraction(left_vnd * weights[h], open_weight) for h in caps_vnd if h not in parts}
        full = {h: Fraction(caps_vnd[h]) for h, vnd in even.items() if vnd >= caps_vnd[h]}
        if not full:
            return parts | even
        parts |= full


def test_a_household_that_did_not_offer_gathers_no_debt() -> None:
    one, two = household(0), household(1)
    entries = day_entries({one: 90_000}, {one: 90_000, two: 60_000}, {one: 1, two: 2, household(2): 1})
    assert memory(entries, cap_vnd=10**9) == {one: 60_000, two: -60_000}


def test_a_tiny_pledge_builds_up_no_more_debt_than_its_value() -> None:
    full, tiny = household(0), household(1)
    entries = day_entries({full: 200_000}, {full: 500_000, tiny: 10_000}, {full: 1, tiny: 1})
    assert memory(entries, cap_vnd=10**9) == {full: 10_000, tiny: -10_000}


def test_memory_is_held_within_two_average_days() -> None:
    entries = [
        FairnessEntry(household(0), 100_000, 0),
        FairnessEntry(household(1), 0, 50_000),
        FairnessEntry(household(1), 0, 50_000),
        FairnessEntry(household(2), 1, 0),
    ]
    assert debt_cap(entries) == 50_000  # 2 * 100_001 / 4, rounded down
    assert memory(entries, debt_cap(entries)) == {
        household(0): 50_000,
        household(1): -50_000,
        household(2): 1,
    }
    assert debt_cap([]) == 0
