"""The database's disk is full: nothing is taken, nothing that was taken is lost, and room heals everything."""

import asyncio
import os

from infra.local.postgres import data_directory
from tests.chaos.arena import Arena
from tests.chaos.scenario import scenario


async def _on_a_small_disk(arena: Arena) -> None:
    arena.stack.postgres_disk_mib = 512
    arena.stack.postgres_settings |= {"min_wal_size": "32MB", "max_wal_size": "64MB"}


def _not_root() -> str | None:
    return None if os.geteuid() == 0 else "only root may mount a small disk"


@scenario("database's disk full", before_servers=_on_a_small_disk, cannot_run=_not_root)
async def full(arena: Arena) -> None:
    """Pushes get 503 until there is room again; the server is started again if it gave up."""
    assert data_directory(arena.root).is_mount()
    await arena.load.until(0.3)
    refused = arena.load.answers["503"]
    async with asyncio.timeout(60):
        while arena.load.answers["503"] < refused + 20:
            await asyncio.to_thread(arena.stack.postgres.fill_disk)  # again: the server frees some by itself
            await asyncio.sleep(0.2)
    await asyncio.sleep(3)
    arena.stack.postgres.free_disk()
    if not arena.stack.postgres.alive:
        await asyncio.to_thread(arena.stack.postgres.start)
