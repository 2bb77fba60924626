"""How fast one partner may push."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.chassis.faults import Unsettled
from services.chassis.group import Overloaded
from services.chassis.problems import answer_to, too_fast
from services.orders.domain.ratelimit import SECOND, TokenBuckets


def test_a_burst_passes_and_then_so_many_a_second() -> None:
    buckets = TokenBuckets(per_second=10, burst=20)
    assert [buckets.take("a", 1, 0) for _ in range(20)] == [0] * 20
    assert buckets.take("a", 1, 0) == SECOND // 10
    assert buckets.take("a", 1, SECOND // 10) == 0
    assert buckets.take("a", 2, SECOND // 10) == 2 * SECOND // 10
    assert buckets.take("a", 20, 10 * SECOND) == 0


def test_what_is_refused_takes_nothing() -> None:
    buckets = TokenBuckets(per_second=1, burst=5)
    assert buckets.take("a", 5, 0) == 0
    assert {buckets.take("a", 3, 0) for _ in range(9)} == {3 * SECOND}
    assert buckets.take("a", 3, 3 * SECOND) == 0


def test_each_partner_has_a_bucket_of_its_own() -> None:
    buckets = TokenBuckets(per_second=1, burst=1)
    assert [buckets.take(name, 1, 0) for name in "abcab"] == [0, 0, 0, SECOND, SECOND]


def test_more_than_a_bucket_holds_is_given_once_it_is_full() -> None:
    buckets = TokenBuckets(per_second=1, burst=5)
    assert buckets.take("a", 8, 0) == 0
    assert buckets.take("a", 8, 0) == 8 * SECOND
    assert buckets.take("a", 1, 7 * SECOND) == 0


def test_full_buckets_are_forgotten_and_the_others_are_not() -> None:
    buckets = TokenBuckets(per_second=1, burst=2, most=3)
    for name in "abc":
        assert buckets.take(name, 1, 0) == 0
    assert buckets.take("d", 2, 5 * SECOND) == 0
    assert buckets.take("e", 1, 5 * SECOND) == 0
    assert buckets.take("d", 1, 5 * SECOND) == SECOND


@given(
    st.integers(1, 300),
    st.integers(1, 50),
    st.lists(st.tuples(st.integers(0, 3 * SECOND), st.integers(1, 20)), max_size=40),
)
@settings(max_examples=300)
def test_nobody_gets_more_than_the_burst_and_the_rate_and_whoever_waits_is_served(
    per_second: int, burst: int, asked: list[tuple[int, int]]
) -> None:
    buckets, now, given_at = TokenBuckets(per_second, burst), 0, list[tuple[int, int]]()
    for after, wanted in asked:
        now += after
        tokens = min(wanted, burst)
        wait = buckets.take("a", tokens, now)
        if wait:
            now += wait
            assert buckets.take("a", tokens, now) == 0
        given_at.append((now, tokens))
    each = SECOND // per_second
    for first, (began, _) in enumerate(given_at):
        for last in range(first, len(given_at)):
            taken = sum(tokens for _, tokens in given_at[first : last + 1])
            assert taken <= burst + (given_at[last][0] - began) // each + 1


def test_the_refusal_says_when_to_come_again() -> None:
    answer = answer_to(too_fast(3))
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "3")
    assert answer.media_type == "application/problem+json"


@pytest.mark.parametrize("error", [Unsettled("…"), ConnectionError(), TimeoutError(), Overloaded("much")])
def test_a_database_that_is_away_says_when_to_come_again(error: Exception) -> None:
    answer = answer_to(error)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
