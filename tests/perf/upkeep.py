"""What a database does for itself at a time that nobody chooses, done at a time that the benchmarks choose."""

import asyncio
from collections.abc import Iterable

import asyncpg

from infra.local.stack import Stack


async def stop_autovacuum(stack: Stack) -> None:
    """From now on the tables are tidied up by `tidy` alone."""
    await _as_admin(stack, "alter system set autovacuum = off", "select pg_reload_conf()")


async def tidy(stack: Stack, dsns: Iterable[str]) -> None:
    """Leaves nothing to clean or to write down of what was before, and the planner knows every table."""
    await asyncio.gather(*map(_vacuum, dsns))
    await _as_admin(stack, "checkpoint")


async def _vacuum(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("vacuum (analyze)")
    finally:
        await connection.close()


async def _as_admin(stack: Stack, *statements: str) -> None:
    connection = await asyncpg.connect(stack.postgres.admin_dsn())
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()
