"""Services that are stopped gently, replaced one by one, or frozen so long that others take over their work."""

import asyncio
from collections.abc import Mapping
from functools import partial
from socket import gethostname

from services.contracts.flow import SERVICES
from tests.chaos.arena import Arena
from tests.chaos.scenario import scenario

_HELD = "select lane, fence from relay_lease where until > now() and holder = $1"
_FENCES = "select lane, fence from relay_lease where until > now()"


@scenario("terminated under load")
async def terminated(arena: Arena) -> None:
    """SIGTERM to each service in turn: each drains in time and comes back."""
    await arena.load.until(0.15)
    for service in arena.random.sample(SERVICES, k=len(SERVICES)):
        assert await arena.stop(service), f"{service} did not drain in time"
        await arena.start_service(service, ready=False)


@scenario("rolling restart, twice", load_s=10, alone=True)
async def rolling(arena: Arena) -> None:
    """Each service has a second process while the first is replaced, and the other way round."""
    await arena.load.until(0.1)
    for _ in range(2):
        for service in SERVICES:
            second = await arena.start_second(service)
            assert await arena.stop(service), f"{service} did not drain in time"
            await arena.start_service(service)
            assert await arena.stop(second), f"{second} did not drain in time"


@scenario("frozen past its lease", alone=True)
async def frozen(arena: Arena) -> None:
    """SIGSTOP; a second process takes its lanes; SIGCONT wakes a relay that holds no lease and does not know it."""
    await arena.load.until(0.1)
    for service in SERVICES:
        second = await arena.start_second(service)
        before = await _until_it_holds_leases(arena, service)
        arena.pause(service)
        await arena.until("the second holds its leases", partial(_are_taken_over, arena, service, before))
        await asyncio.sleep(0.5)
        arena.resume(service)
        await arena.stop(second)


async def _until_it_holds_leases(arena: Arena, service: str) -> dict[int, int]:
    """Waits until the first process of the service holds leases; returns the fence of each lane that it holds."""
    holder, held = f"{gethostname()}:{arena.services[service].pid}", dict[int, int]()

    async def holds() -> bool:
        held.update(await _fences(arena, service, _HELD, holder))
        return bool(held)

    await arena.until(f"{service} holds a lease", holds)
    return held


async def _fences(arena: Arena, service: str, query: str, *values: str) -> dict[int, int]:
    """The fence of each lane; it rises with each new holder."""
    return {row["lane"]: row["fence"] for row in await arena.sql(service, query, *values)}


async def _are_taken_over(arena: Arena, service: str, before: Mapping[int, int]) -> bool:
    """Whether each lane that the frozen process held has another holder."""
    now = await _fences(arena, service, _FENCES)
    return all(now.get(lane, fence) > fence for lane, fence in before.items())
