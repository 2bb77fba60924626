"""SIGKILL of each service at each step at which it matters, and at any moment.

A service is started with a fault point, dies there, and is started again by the supervisor, one after the other,
while the load runs on.
"""

import asyncio
from collections.abc import Iterable

from services.contracts.flow import SERVICES
from tests.chaos.arena import Arena
from tests.chaos.scenario import scenario


async def _die(arena: Arena, service: str, point: str, most: int) -> None:
    """Starts the service anew so that it dies at the point, the first to `most`th time that it gets there."""
    await arena.kill(service)
    fault_point = f"{point}*{arena.random.randint(1, most)}"
    await arena.start_service(service, ready=False, fault_point=fault_point)
    await arena.until_died(service)


async def _in_turn(arena: Arena, services: Iterable[str], point: str, most: int = 8) -> None:
    await arena.load.until(0.15)
    order = list(services)
    arena.random.shuffle(order)
    for service in order:
        await _die(arena, service, point, most)


@scenario("no fault")
async def nothing(arena: Arena) -> None:
    """The day as it is when nothing happens: what the other scenarios are compared with."""
    await arena.load.until(0.5)


@scenario("killed at random moments", short=True)
async def at_random_moments(arena: Arena) -> None:
    """Any service, five times, whatever it is doing; sometimes two are down at once."""
    await arena.load.until(0.1)
    for _ in range(5):
        service = arena.random.choice(SERVICES)
        await asyncio.sleep(arena.random.uniform(0.2, 1.0))
        await arena.kill(service)
        await asyncio.sleep(arena.random.uniform(0, 0.5))
        await arena.start_service(service, ready=False)


@scenario("killed before commit")
async def before_commit(arena: Arena) -> None:
    """All work of a transaction is done and none of it committed."""
    await _in_turn(arena, SERVICES, "before_commit", most=20)


@scenario("killed after commit")
async def after_commit(arena: Arena) -> None:
    """It is committed, and neither the relay nor whoever asked has been told."""
    await _in_turn(arena, SERVICES, "after_commit", most=20)


@scenario("killed in the middle of a batch")
async def mid_batch(arena: Arena) -> None:
    """Some events of a message are applied, in a transaction that is open."""
    await _in_turn(arena, SERVICES, "mid_batch")


@scenario("killed after the broker's confirm")
async def after_confirm(arena: Arena) -> None:
    """The broker has the events and the relay's cursor has not moved: they are published twice."""
    await _in_turn(arena, SERVICES, "after_confirm", most=4)


@scenario("killed before the ack")
async def before_ack(arena: Arena) -> None:
    """A message is applied and will be delivered again."""
    await _in_turn(arena, SERVICES, "before_ack")


@scenario("killed in the middle of an answer")
async def mid_answer(arena: Arena) -> None:
    """A partner, then the staff, got the head of an answer and no body: both ask again."""
    await arena.load.until(0.15)
    await _die(arena, "orders", "mid_answer=POST", 20)
    await _die(arena, "catalog", "mid_answer=PATCH", 3)
