"""The short selection of the chaos suite: a smaller world, a shorter day, the same faults and the same checks."""

import pytest

from tests.chaos.run import play
from tests.chaos.scenario import Scenario, find_all

SHORT = [scenario for scenario in find_all().values() if scenario.short]


@pytest.mark.parametrize("scenario", SHORT, ids=lambda scenario: scenario.name)
def test_nothing_is_lost_and_nothing_comes_twice(scenario: Scenario) -> None:
    result = play(scenario.small(), seed=1)
    if result.skipped:
        pytest.skip(result.skipped)
    assert result.faults == [], result.lines()
    assert result.events > 200, "the day was a real one"
