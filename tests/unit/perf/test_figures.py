"""A goal is compared with what was measured, and no rounding makes a miss look like a goal that is met."""

import json

import pytest

from tests.perf.figures import Figure


def figure(ratio: float, goal: str) -> Figure:
    return Figure("chain", "orders/s", 1, 2, ratio, goal)


@pytest.mark.parametrize(
    ("ratio", "goal", "met", "written"),
    [
        (19.99999, ">= 20", False, 19.9999),
        (20.00001, ">= 20", True, 20.0),
        (0.949996, ">= 0.95", False, 0.9499),
        (2.000001, "<= 2", False, 2.0001),
        (1.999999, "<= 2", True, 2.0),
    ],
)
def test_a_ratio_is_written_on_the_side_of_the_goal_where_it_is(
    ratio: float, goal: str, met: bool, written: float
) -> None:
    told = json.loads(figure(ratio, goal).as_json())
    assert (told["met"], told["ratio"]) == (met, written)
