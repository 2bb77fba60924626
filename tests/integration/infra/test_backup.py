"""`make backup` and `make restore`: a running stack is dumped, goes on, and is put back with its services."""

import asyncio
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from infra.demo.seed import first_operator_key
from infra.local import __main__ as program
from infra.local.processes import ServiceProcesses
from infra.local.stack import Stack

ROOT = Path(__file__).parents[3]
KEYS = "select count(*) from access_key"
PATIENCE_S = 180


def typed(goal: str, arguments: str = "") -> int:
    """What `make GOAL ARGS=…` runs, run here; its exit code."""
    told = subprocess.run(
        ["make", "--dry-run", "--no-print-directory", goal, f"ARGS={arguments}"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    command = told.stdout.splitlines()[-1]
    assert command.startswith(".venv/bin/python -m infra.local "), command
    return program.main(command.split()[3:])


@pytest.fixture(scope="module")
def left_running() -> Iterator[Stack]:
    """A stack as `make up` leaves it, without its seed."""
    stack = Stack(ROOT / ".local" / f"test-{os.getpid()}-backup", fresh=True, durable=False, detached=True)
    stack.start()
    try:
        services = ServiceProcesses(stack)
        services.migrate(PATIENCE_S)
        services.start(PATIENCE_S)
        yield stack
    finally:
        stack.stop(remove=True)


@pytest.fixture
def up(left_running: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stack:
    monkeypatch.setattr(program, "_ROOT", left_running.root)
    monkeypatch.setattr(program, "_BACKUPS", tmp_path / "backups")
    return left_running


def ask(stack: Stack, service: str, query: str) -> object:
    async def run() -> object:
        conn = await asyncpg.connect(stack.postgres.dsn(service))
        try:
            return await conn.fetchval(query)
        finally:
            await conn.close()

    return asyncio.run(run())


def pids(stack: Stack) -> dict[str, int | None]:
    return {process.name: process.pid for process in ServiceProcesses(stack)}


def test_a_service_is_put_back_to_its_backup_and_runs_again(up: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    first_operator_key(up)
    kept, before = ask(up, "catalog", KEYS), pids(up)
    assert all(before.values())
    assert typed("backup") == 0
    (directory,) = program._BACKUPS.iterdir()
    assert {path.name for path in directory.iterdir()} == {f"{name}.dump" for name in before}
    assert directory.stat().st_mode & 0o077 == 0
    assert {path.stat().st_mode & 0o077 for path in directory.iterdir()} == {0}
    assert pids(up) == before, "a backup stops nobody"
    first_operator_key(up)
    assert ask(up, "catalog", KEYS) != kept

    assert typed("restore", "catalog") == 0
    assert ask(up, "catalog", KEYS) == kept
    assert ask(up, "catalog", "select identity = present_identity() from incarnation") is True
    after = pids(up)
    assert after["catalog"] not in (None, before["catalog"]), "it was stopped and started"
    assert {name: pid for name, pid in after.items() if name != "catalog"} == {
        name: pid for name, pid in before.items() if name != "catalog"
    }
    assert "ready" in capsys.readouterr().err


def test_all_services_are_put_back_at_once(up: Stack) -> None:
    assert typed("backup") == 0
    (directory,) = program._BACKUPS.iterdir()
    before = pids(up)
    assert typed("restore", f"--from {directory}") == 0
    after = pids(up)
    assert all(after.values())
    assert not set(before.values()) & set(after.values())
    for service in after:
        assert ask(up, service, "select identity = present_identity() from incarnation") is True


def test_a_service_that_does_not_run_is_put_back_and_not_started(up: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    assert typed("backup") == 0
    notify = ServiceProcesses(up)["notify"]
    notify.stop()
    try:
        assert typed("restore", "notify") == 0
        assert notify.pid is None
        assert "notify does not run" in capsys.readouterr().err
    finally:
        notify.start()
        notify.wait_until_ready(PATIENCE_S)
    assert ask(up, "notify", "select identity = present_identity() from incarnation") is True


def test_what_cannot_be_done_is_told_in_one_line_and_stops_nobody(
    up: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = pids(up)
    assert typed("restore") == 1
    assert "there is no backup in" in capsys.readouterr().err
    assert typed("restore", f"orders --from {tmp_path}") == 1
    assert f"there is no dump of orders in {tmp_path}" in capsys.readouterr().err
    assert pids(up) == before
    monkeypatch.setattr(program, "_ROOT", tmp_path / "nowhere")
    assert typed("backup") == 1
    assert "nothing runs; start it with `make up`" in capsys.readouterr().err
