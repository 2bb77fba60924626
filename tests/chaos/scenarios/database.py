"""A database that restarts, dies, hangs up on everybody, takes no writes, or dies in the middle of a COMMIT."""

import asyncio
from datetime import datetime

from infra.local.postgres import data_directory
from services.contracts.flow import SERVICES
from tests.chaos.arena import Arena
from tests.chaos.scenario import scenario

_HANG_UP = "select pg_terminate_backend(pid) from pg_stat_activity where usename = any($1::text[])"
_CONNECTED = "select distinct usename from pg_stat_activity where usename = any($1::text[])"
_COMMITTING = "select 1 from pg_stat_activity where wait_event = 'SyncRep'"


@scenario("database restarted")
async def restarted(arena: Arena) -> None:
    """A fast shutdown, and back."""
    await arena.load.until(0.3)
    await _must_be_used(arena)
    before = await _started_at(arena)
    await asyncio.to_thread(arena.stack.postgres.restart)
    assert await _started_at(arena) > before


@scenario("database killed", short=True, durable=True)
async def killed(arena: Arena) -> None:
    """kill -9 of the server and its backends; it recovers from its log."""
    await arena.load.until(0.3)
    await _must_be_used(arena)
    before = await _started_at(arena)
    await _kill(arena)
    await asyncio.to_thread(arena.stack.postgres.start)
    assert await _started_at(arena) > before


async def _started_at(arena: Arena) -> datetime:
    started_at: datetime = (await arena.ask_as_admin("select pg_postmaster_start_time()"))[0][0]
    return started_at


async def _must_be_used(arena: Arena) -> None:
    """By every service."""
    connected = {row["usename"] for row in await arena.ask_as_admin(_CONNECTED, list(SERVICES))}
    assert connected == set(SERVICES), f"only {connected} are connected"


async def _kill(arena: Arena) -> None:
    await asyncio.to_thread(arena.stack.postgres.kill)
    arena.counts.kills += 1


@scenario("all database connections ended")
async def hung_up(arena: Arena) -> None:
    """Six times, at any moment, the server hangs up on every service."""
    await arena.load.until(0.15)
    for _ in range(6):
        ended = await arena.ask_as_admin(_HANG_UP, list(SERVICES))
        assert ended, "nobody was connected"
        await asyncio.sleep(arena.random.uniform(0.3, 1.5))


@scenario("database read-only for some seconds")
async def read_only(arena: Arena) -> None:
    """As after a failover to a standby that nobody has promoted yet: every write fails."""
    await arena.load.until(0.25)
    before = arena.load.answers["503"]
    await arena.as_admin("alter system set default_transaction_read_only = on", "select pg_reload_conf()")
    await asyncio.sleep(4)
    assert arena.load.answers["503"] > before + 10, "pushes were stored meanwhile"
    await arena.as_admin(
        "set default_transaction_read_only = off",
        "alter system reset default_transaction_read_only",
        "select pg_reload_conf()",
    )


@scenario("database killed in the middle of commits", durable=True)
async def killed_in_commit(arena: Arena) -> None:
    """Transactions are in the log and nobody was told: COMMIT hangs, waiting for a standby that there is not."""
    await arena.load.until(0.25)
    await arena.as_admin("alter system set synchronous_standby_names = 'nobody'", "select pg_reload_conf()")
    await arena.until("a commit hangs", lambda: arena.ask_as_admin(_COMMITTING))
    await asyncio.sleep(arena.random.uniform(0.2, 1.5))
    await _kill(arena)
    settings = data_directory(arena.root) / "cluster" / "postgresql.auto.conf"
    kept = [line for line in settings.read_text().splitlines() if "synchronous_standby_names" not in line]
    settings.write_text("\n".join(kept) + "\n")
    await asyncio.to_thread(arena.stack.postgres.start)
