"""A synchronous standby takes over from a primary that dies: nothing acknowledged was on one of them only."""

import asyncio

from tests.chaos.arena import Arena
from tests.chaos.scenario import scenario


async def _with_standby(arena: Arena) -> None:
    arena.stack.with_standby = True
    arena.books.dsn_of = arena.stack.dsn


async def _fail_over(arena: Arena, *, keep_as_reader: bool) -> None:
    await arena.load.until(0.3)
    pair = arena.stack.pair
    assert pair
    before = pair.primary
    await asyncio.to_thread(pair.fail_over, keep_as_reader=keep_as_reader)
    arena.counts.kills += 1
    assert pair.primary is not before
    assert before.alive == keep_as_reader
    await arena.load.until((arena.load.answered + 60) / arena.load.planned)


@scenario("database fails over", before_servers=_with_standby)
async def fails_over(arena: Arena) -> None:
    """The primary is killed and stays away; the standby is promoted."""
    await _fail_over(arena, keep_as_reader=False)


@scenario("database fails over, the old one takes no writes", before_servers=_with_standby)
async def old_primary_reads(arena: Arena) -> None:
    """The old primary comes back and answers, and only the new one takes writes."""
    await _fail_over(arena, keep_as_reader=True)
