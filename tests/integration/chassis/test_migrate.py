"""Migrations are applied once, in order, from many places at once, and never change afterwards."""

import asyncio
from pathlib import Path

import asyncpg
import pytest

from infra.local.stack import Stack
from services.chassis.migrate import WrongMigrations, find, migrate
from tests.support.servers import fresh_database


def files(folder: Path, **texts: str) -> Path:
    for name, text in texts.items():
        (folder / f"{name}.sql").write_text(text)
    return folder


async def test_many_processes_migrate_at_once_and_each_file_is_applied_once(stack: Stack, tmp_path: Path) -> None:
    found = find("toy", files(tmp_path, **{"0001_a": "create table a (n int)", "0002_b": "create table b (n int)"}))
    async with fresh_database(stack, "orders") as dsn:
        done = await asyncio.gather(*(migrate(dsn, found) for _ in range(5)))
        assert sorted(len(d) for d in done) == [0, 0, 0, 0, 2]


async def test_an_edited_file_is_refused_and_changes_nothing(stack: Stack, tmp_path: Path) -> None:
    async with fresh_database(stack, "orders") as dsn:
        await migrate(dsn, find("toy", files(tmp_path, **{"0001_a": "create table a (n int)"})))
        edited = files(tmp_path, **{"0001_a": "create table a (n text)", "0002_b": "create table b (n int)"})
        with pytest.raises(WrongMigrations, match="was edited after it was applied"):
            await migrate(dsn, find("toy", edited))


async def test_a_failing_file_leaves_nothing_behind(stack: Stack, tmp_path: Path) -> None:
    async with fresh_database(stack, "orders") as dsn:
        found = find("toy", files(tmp_path, **{"0001_a": "create table a (n int); select 1/0"}))
        with pytest.raises(asyncpg.DivisionByZeroError):
            await migrate(dsn, found)
        conn = await asyncpg.connect(dsn)
        assert await conn.fetchval("select to_regclass('a')") is None
        await conn.close()


@pytest.mark.parametrize("name", ["1_a", "0002_a", "0001_A"])
def test_wrong_names_and_gaps_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(WrongMigrations):
        find("toy", files(tmp_path, **{name: ""}))
