"""Periodic jobs: how long they rest, and that they run only where something is due."""

from datetime import UTC, datetime

import pytest

from services.chassis.jobs import LONGEST_REST_S, Job


async def _nothing(_: datetime) -> bool:
    return False


@pytest.mark.parametrize(("took_s", "rest_s"), [(0.0, 0.5), (0.1, 0.5), (60.0, 0.5)])
def test_a_job_that_works_comes_again_after_its_interval_however_long_it_took(took_s: float, rest_s: float) -> None:
    assert Job("send", 0.5, _nothing).rest_s(took_s) == rest_s


@pytest.mark.parametrize(("took_s", "rest_s"), [(0.0, 5.0), (0.25, 5.0), (0.5, 10.0), (3.0, 60.0)])
def test_a_job_that_only_counts_takes_a_twentieth_of_the_time_at_the_most(took_s: float, rest_s: float) -> None:
    assert Job("count", 5.0, _nothing, only_counts=True).rest_s(took_s) == rest_s


@pytest.mark.parametrize("took_s", [3.1, 60.0, 3600.0])
def test_no_count_is_much_older_than_a_minute(took_s: float) -> None:
    assert Job("count", 5.0, _nothing, only_counts=True).rest_s(took_s) == LONGEST_REST_S


@pytest.mark.parametrize("due", [True, False])
async def test_a_job_that_looks_first_runs_only_where_something_is_due(due: bool) -> None:
    now, looked, ran = datetime(2026, 11, 28, tzinfo=UTC), [], []

    async def is_due(at: datetime) -> bool:
        looked.append(at)
        return due

    async def work(at: datetime) -> bool:
        ran.append(at)
        return True

    assert await Job("work", 0.5, work, is_due=is_due).run_if_due(now) == due
    assert (looked, ran) == ([now], [now] if due else [])


async def test_a_job_that_does_not_look_runs() -> None:
    async def work(_: datetime) -> bool:
        return True

    assert await Job("work", 0.5, work).run_if_due(datetime(2026, 11, 28, tzinfo=UTC))
