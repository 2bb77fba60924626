"""Faults after the cut-off: while households answer, while goods are weighed in, and as the trucks leave."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from tests.chaos import settled
from tests.chaos.arena import Arena
from tests.chaos.evening import Evening
from tests.chaos.scenario import scenario

T = TypeVar("T")

_TO_WEIGH_IN = (
    "select count(distinct cooperative_id) from basket_item join offer using (offer_id) where quantity_steps > 0"
)
"""Cooperatives with something to bring, each of which is one POST."""


@scenario("killed while households answer")
async def answers(arena: Arena) -> None:
    """Replies are taken once and rounds close once, whoever dies meanwhile; then the day goes on to its settlement."""
    evening, rounds = await Evening.of(arena), 0
    while await _killing(arena, evening.answer(), "notify", "allocation"):
        rounds += 1
        await settled.until_settled(arena)
    arena.fault_ends()
    assert rounds, "nobody was asked"
    await evening.weigh_in()
    await evening.depart()
    await _must_be_settled(arena)


@scenario("killed while trucks leave")
async def departures(arena: Arena) -> None:
    """What arrived is recorded once, and each household is settled with once.

    Two ask at a time, so that the trucks do not all leave before anybody can be killed.
    """
    evening = await Evening.of(arena, side_by_side=2)
    while await evening.answer():
        await settled.until_settled(arena)
    await _killing(arena, evening.weigh_in(), "allocation")
    await _killing(arena, evening.depart(), "allocation", "orders")
    arena.fault_ends()
    await _must_be_settled(arena)


@scenario("killed in the middle of an evening's answer")
async def mid_answer(arena: Arena) -> None:
    """A household, then the staff, got the head of an answer and no body: both say it again."""
    evening = await Evening.of(arena)
    assert await _dying(arena, evening.answer(), "notify", most=6), "nobody was asked"
    await settled.until_settled(arena)
    while await evening.answer():
        await settled.until_settled(arena)
    await _dying(arena, evening.weigh_in(), "allocation", most=await arena.books.value("allocation", _TO_WEIGH_IN))
    await _dying(arena, evening.depart(), "allocation", most=len(arena.world.members))
    arena.fault_ends()
    await _must_be_settled(arena)


async def _dying(arena: Arena, work: Coroutine[Any, Any, T], service: str, most: int) -> T:
    """Does the work, while the service dies over the answer to one of the first so many POSTs."""
    await arena.kill(service)
    await arena.start_service(service, fault_point=f"mid_answer=POST*{arena.random.randint(1, most)}")
    doing = asyncio.create_task(work)
    await arena.until_died(service)
    return await doing


async def _killing(arena: Arena, work: Coroutine[Any, Any, T], *services: str) -> T:
    """Does the work, while each of these services is killed in its midst and started again.

    Work with a result (so many have answered) may be over before where the result is that nobody had to.
    """
    answers, most = arena.load.answers, len(arena.world.members) // 2
    enough = answers.total() + arena.random.randint(0, most)
    doing = asyncio.create_task(work)
    under_way = []
    for service in services:
        await asyncio.sleep(arena.random.uniform(0, 0.02))
        while answers.total() < enough and not doing.done():  # noqa: ASYNC110 - a counter that many raise
            await asyncio.sleep(0.002)
        arena.pause(service)  # at once, which a kill is not
        under_way.append(not doing.done())
        await arena.kill(service)
        await asyncio.sleep(arena.random.uniform(0, 0.5))
        await arena.start_service(service, ready=False)
    result = await doing
    assert all(under_way) or result == 0, f"the work was over when {services[under_way.index(False)]} was killed"
    return result


async def _must_be_settled(arena: Arena) -> None:
    left = "select count(*) from offer where assigned and not settled"
    assert not await arena.books.value("allocation", left), "a truck has not left"
    assert await arena.books.value("allocation", "select count(*) from settlement_entry"), "nobody was settled with"
