"""What is told of waits."""

from tests.perf.waits import quantile, summary_ms


def test_a_quantile_is_the_smallest_value_that_so_large_a_share_does_not_exceed() -> None:
    assert [quantile([4, 1, 3, 2], share) for share in (0.25, 0.5, 0.51, 1.0)] == [1, 2, 3, 4]


def test_of_few_orders_no_quantile_is_told_that_is_only_the_greatest() -> None:
    hundred, thousand = ([number / 1000 for number in range(1, orders + 1)] for orders in (100, 1000))
    assert summary_ms([hundred] * 3) == {"p50": 50.0, "p99": 99.0, "orders": 300}
    assert summary_ms([thousand]) == {"p50": 500.0, "p99": 990.0, "p99.9": 999.0, "orders": 1000}
    assert "p99" not in summary_ms([hundred[:99], thousand])
