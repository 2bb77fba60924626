"""A bad network between one service, chosen by the seed, and its database and broker.

The service is started anew behind two proxies and has to be well again while it is still behind them; only then is
it started as it was before.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from services.contracts.flow import SERVICES
from tests.chaos import settled
from tests.chaos.arena import Arena
from tests.chaos.proxy import Direction, Proxy
from tests.chaos.scenario import scenario

LATENCY_S = 2
LONG_S = 7
"""Longer than the services' patience with their database (5 s) and with a silent broker (two heartbeats of 2 s)."""


@asynccontextmanager
async def _behind_proxies(arena: Arena) -> AsyncIterator[tuple[Proxy, Proxy]]:
    """The proxies in front of the database and the broker; at the end the service has healed behind them."""
    service = arena.random.choice(SERVICES)
    stack, usual = arena.stack, dict(arena.environment[service])
    prefix = service.upper()
    told = stack.environment(service)
    async with Proxy(stack.postgres.port) as database, Proxy(stack.rabbit.ports.amqp) as broker:
        arena.environment[service] |= {
            f"{prefix}_DATABASE_URL": told[f"{prefix}_DATABASE_URL"].replace(
                f":{stack.postgres.port}/", f":{database.port}/"
            ),
            f"{prefix}_AMQP_URL": told[f"{prefix}_AMQP_URL"].replace(
                f":{stack.rabbit.ports.amqp}/", f":{broker.port}/"
            ),
        }
        await arena.restart(service)
        assert database.connections, f"{service} does not reach its database through the proxy"
        assert broker.connections, f"{service} does not reach its broker through the proxy"
        yield database, broker
        await database.heal()
        await broker.heal()
        arena.fault_ends()
        await arena.until_ready(service)
        await settled.until_healed(arena, await settled.moment(arena))
        arena.environment[service] = usual
        await arena.restart(service)


async def _while_it_lasts(proxies: tuple[Proxy, Proxy], fault: Callable[[Proxy], Awaitable[None]]) -> None:
    """The fault on the way to the database, then to the broker, then to both."""
    database, broker = proxies
    for afflicted in ((database,), (broker,), (database, broker)):
        for proxy in afflicted:
            await fault(proxy)
        await asyncio.sleep(LONG_S)
        for proxy in afflicted:
            await proxy.heal()


@scenario("network: connections cut")
async def cut(arena: Arena) -> None:
    """All connections are reset and new ones refused, for moments and for long."""
    await arena.load.until(0.1)
    async with _behind_proxies(arena) as proxies:
        for _ in range(4):
            proxy = arena.random.choice(proxies)
            await proxy.cut()
            await asyncio.sleep(arena.random.uniform(0, 1))
            await proxy.heal()
            await asyncio.sleep(arena.random.uniform(0, 1))
        await _while_it_lasts(proxies, lambda proxy: proxy.cut())
        assert min(proxy.resets for proxy in proxies) > 0, "nothing was cut"


async def _one_way(arena: Arena, direction: Direction) -> None:
    await arena.load.until(0.1)
    async with _behind_proxies(arena) as proxies:
        await _while_it_lasts(proxies, lambda proxy: proxy.lose(direction))
        assert min(proxy.lost_bytes for proxy in proxies) > 0, "nothing was lost"


@scenario("network: nothing reaches the servers")
async def one_way_out(arena: Arena) -> None:
    """What the service says vanishes; connections stay open."""
    await _one_way(arena, Direction.TO_SERVER)


@scenario("network: nothing comes back")
async def one_way_in(arena: Arena) -> None:
    """The servers hear and do everything, a COMMIT too, and the service hears of nothing."""
    await _one_way(arena, Direction.TO_CLIENT)


@scenario("network: two seconds of latency")
async def latency(arena: Arena) -> None:
    """Every chunk comes two seconds late, in each direction."""
    await arena.load.until(0.1)
    async with _behind_proxies(arena) as proxies:
        await _while_it_lasts(proxies, lambda proxy: proxy.delay(LATENCY_S))
        _must_have_been_slow(arena, proxies, least_s=LATENCY_S)


@scenario("network: a trickle")
async def trickle(arena: Arena) -> None:
    """Two kilobytes a second on each connection."""
    await arena.load.until(0.1)
    async with _behind_proxies(arena) as proxies:
        await _while_it_lasts(proxies, lambda proxy: proxy.trickle(2000))
        _must_have_been_slow(arena, proxies, least_s=0.3)


def _must_have_been_slow(arena: Arena, proxies: tuple[Proxy, Proxy], least_s: float) -> None:
    for server, proxy in zip(("database", "broker"), proxies, strict=True):
        arena.said.append(f"{server}: {proxy.slowed_bytes} bytes were held up, by {proxy.longest_hold_s:.1f} s at most")
        assert proxy.longest_hold_s >= least_s, f"nothing to or from the {server} was held up by {least_s} s"
