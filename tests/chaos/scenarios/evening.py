"""Faults after the cut-off: while households answer, while goods are weighed in, and as the trucks leave."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from tests.chaos import settled
from tests.chaos.arena import Arena
from tests.chaos.evening import Evening
from tests.chaos.scenario import scenario

T = TypeVar("T")


@scenario("killed while households answer")
async def answers(arena: Arena) -> None:
    """Replies are taken once and rounds close once, whoever dies meanwhile; then the day goes on to its settlement."""
    evening, answered = await Evening.of(arena), 0
    while count := await _killing(arena, evening.answer(), "notify", "allocation"):
        answered += count
        await settled.until_settled(arena)
    assert answered, "nobody was asked"
    await evening.weigh_in()
    await evening.depart()
    await _must_be_settled(arena)


@scenario("killed while trucks leave")
async def departures(arena: Arena) -> None:
    """What arrived is recorded once, and each household is settled with once."""
    evening = await Evening.of(arena)
    while await evening.answer():
        await settled.until_settled(arena)
    await _killing(arena, evening.weigh_in(), "allocation")
    await _killing(arena, evening.depart(), "allocation", "orders")
    await _must_be_settled(arena)


async def _killing(arena: Arena, work: Awaitable[T], *services: str) -> T:
    """Does the work, while each of these services is killed in its midst and started again."""
    doing = asyncio.ensure_future(work)
    for service in services:
        await asyncio.sleep(arena.random.uniform(0.01, 0.2))
        await arena.kill(service)
        await asyncio.sleep(arena.random.uniform(0, 0.5))
        await arena.start_service(service, ready=False)
    return await doing


async def _must_be_settled(arena: Arena) -> None:
    left = "select count(*) from offer where assigned and not settled"
    assert not await arena.books.value("allocation", left), "a truck has not left"
    assert await arena.books.value("allocation", "select count(*) from settlement_entry"), "nobody was settled with"
