"""One service's clock is ten minutes wrong for a while; leases, retries and promises do not follow it.

Signatures do, and must: a push to orders or a webhook of notify that seems ten minutes old is refused by whoever
checks it, so these two are not among the services of these scenarios.
"""

from collections.abc import Sequence
from datetime import timedelta

from infra.local.binaries import clock_moved_by
from tests.chaos import settled
from tests.chaos.arena import Arena
from tests.chaos.scenario import scenario

_LEASES = "select count(*) from relay_lease where until between now() and now() + interval '1 minute'"


async def _wrong_clock(arena: Arena, services: Sequence[str], off: timedelta) -> None:
    await arena.load.until(0.2)
    service = arena.random.choice(services)
    usual = dict(arena.environment[service])
    arena.environment[service] |= clock_moved_by(off)
    await arena.restart(service)
    await arena.load.until((arena.load.answered + 100) / arena.load.planned)
    assert await arena.books.value(service, _LEASES), f"{service} holds no lease that the database's clock calls one"
    await settled.until_healed(arena, await settled.moment(arena))
    arena.environment[service] = usual
    await arena.restart(service)


@scenario("clock ten minutes fast")
async def fast(arena: Arena) -> None:
    """In allocation; in catalog it would rightly refuse offers whose cut-off seems past."""
    await _wrong_clock(arena, ["allocation"], timedelta(minutes=10))


@scenario("clock ten minutes slow")
async def slow(arena: Arena) -> None:
    """In catalog or allocation."""
    await _wrong_clock(arena, ["catalog", "allocation"], timedelta(minutes=-10))
