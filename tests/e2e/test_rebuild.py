"""After a whole market day, what services have made of events can be made again, while they run."""

import asyncio
import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from infra.demo.__main__ import broken, run_day
from infra.local.processes import ServiceProcesses
from infra.local.stack import Stack
from services.contracts.flow import SERVICES

SHORT = {"LEASE_S": "2", "HEADS_EVERY_S": "1", "GAP_PATIENCE_S": "1", "RETRY_MOST_S": "1"}


@pytest.fixture(scope="module")
def market() -> Iterator[Stack]:
    """A stack whose services run on after the day."""
    stack = Stack(Path(__file__).parents[2] / ".local" / f"test-{os.getpid()}-rebuild", fresh=True, durable=False)
    stack.start()
    try:
        short = {name: {f"{name.upper()}_{key}": value for key, value in SHORT.items()} for name in SERVICES}
        with ServiceProcesses(stack, extra_environment=short):
            assert broken(asyncio.run(run_day(stack, lambda line: None))) == []
            yield stack
    finally:
        stack.stop(remove=True)


def rebuild(stack: Stack, service: str, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", f"services.{service}", "rebuild", *words]
    return subprocess.run(
        command, env=os.environ | stack.environment(service), capture_output=True, text=True, check=False, timeout=120
    )


def execute(stack: Stack, service: str, statement: str) -> None:
    async def run() -> None:
        conn = await asyncpg.connect(stack.postgres.dsn(service))
        try:
            await conn.execute(statement)
        finally:
            await conn.close()

    asyncio.run(run())


@pytest.mark.parametrize("service", SERVICES)
def test_what_was_made_of_the_events_is_made_again_exactly(market: Stack, service: str) -> None:
    done = rebuild(market, service, "--check")
    assert (done.returncode, done.stdout.splitlines()[-1].endswith("tables: equal")) == (0, True), (
        done.stdout + done.stderr
    )


def test_a_row_that_events_did_not_make_is_found_and_put_right(market: Stack) -> None:
    execute(
        market,
        "allocation",
        "update order_line set promised_steps = promised_steps - 1, short_steps = short_steps + 1, "
        "reason = coalesce(reason, 'sold_out') "
        "where ctid = (select ctid from order_line where promised_steps - shorted_steps > 0 limit 1)",
    )
    different = rebuild(market, "allocation", "--check")
    assert different.returncode == 1
    assert "order_line: only before:" in different.stdout
    assert rebuild(market, "allocation").returncode == 0
    assert rebuild(market, "allocation", "--check").returncode == 0


def test_dropped_tables_come_back_with_all_that_was_in_them(market: Stack) -> None:
    tables = ", ".join(importlib.import_module("services.allocation.app").service.derived)
    execute(market, "allocation", f"create table kept as table order_line; drop table {tables} cascade")
    done = rebuild(market, "allocation")
    assert done.returncode == 0, done.stdout + done.stderr
    assert rebuild(market, "allocation", "--check").returncode == 0
    execute(
        market,
        "allocation",
        "do $$ begin if exists (table kept except table order_line) then raise 'rows are missing';"
        " end if; end $$; drop table kept",
    )


def test_a_table_that_others_refer_to_comes_back_with_those_references(market: Stack) -> None:
    execute(market, "notify", "drop table household cascade")
    assert rebuild(market, "notify").returncode == 0
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        execute(market, "notify", "delete from household")
