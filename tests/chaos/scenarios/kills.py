"""SIGKILL of each service at each step at which it matters, and at any moment."""

import asyncio

from services.contracts.flow import SERVICES
from tests.chaos.arena import Arena
from tests.chaos.scenario import scenario

READERS = ("catalog", "orders", "allocation", "notify")


@scenario("no fault", short=True, cooperatives=4, load_s=4)
async def nothing(arena: Arena) -> None:
    """The day as it is when nothing happens: what the other scenarios are compared with."""
    await arena.load.until(0.5)


@scenario("killed at random moments")
async def at_random_moments(arena: Arena) -> None:
    """Any service, six times, whatever it is doing."""
    await arena.load.until(0.1)
    for _ in range(6):
        service = arena.random.choice(SERVICES)
        await asyncio.sleep(arena.random.uniform(0.2, 1.0))
        await arena.kill(service)
        await asyncio.sleep(arena.random.uniform(0, 0.5))
        await arena.start_service(service, ready=False)
