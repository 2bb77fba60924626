"""A small day of notices with failing providers, an outage and a kill: the law of the large one, in seconds."""

import asyncio
import os
from pathlib import Path

import pytest

from infra.local.stack import Stack
from tests.perf.notices.__main__ import figures, table
from tests.perf.notices.day import Found, Plan, Run


@pytest.fixture(scope="module")
def found() -> Found:
    """Killed with its very first batch in hand, so that receipts settle all of that."""
    stack = Stack(Path(__file__).parents[2] / ".local" / f"test-{os.getpid()}-notices", fresh=True, durable=False)
    stack.start()
    try:
        plan = Plan(cooperatives=2, households=5, seed=3, step_s=4, kill_after=0, away_s=1)
        return asyncio.run(Run(stack, plan, lambda _: None).run())
    finally:
        stack.stop(remove=True)


def test_every_household_is_told_exactly_once_per_change_or_is_on_the_call_list(found: Found) -> None:
    assert found.count.holds, table(figures(found))
    assert found.count.households == 10
    assert found.count.changes > 10
    assert found.count.told.total() + found.count.on_call_list.total() + found.count.overtaken >= found.count.changes


def test_notify_was_killed_with_requests_under_way_and_its_metrics_know_what_was_told(found: Found) -> None:
    assert found.cut_off > 0
    assert found.metric.count > 0
