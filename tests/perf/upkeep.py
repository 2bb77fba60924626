"""What a database does for itself at a time that nobody chooses, done at a time that the benchmarks choose."""

import asyncio
from collections.abc import Iterable

import asyncpg

from infra.local.stack import Stack


async def tidy(stack: Stack, dsns: Iterable[str]) -> None:
    """Leaves nothing to clean or to write down of what was before, and the planner knows every table."""
    await asyncio.gather(*map(_vacuum, dsns))
    await _checkpoint(stack)


async def _vacuum(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("vacuum (analyze)")
    finally:
        await connection.close()


async def _checkpoint(stack: Stack) -> None:
    connection = await asyncpg.connect(stack.postgres.admin_dsn())
    try:
        await connection.execute("checkpoint")
    finally:
        await connection.close()
