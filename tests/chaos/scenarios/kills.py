"""SIGKILL of each service at each step at which it matters, and at any moment.

A service is started with a fault point, dies there, and is started again by the supervisor, one after the other,
while the load runs on.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from services.contracts.flow import SERVICES, read_by
from tests.chaos.arena import Arena
from tests.chaos.scenario import scenario

_AGAIN, _KNOWN = "consumer_redelivered_messages", "consumer_duplicate_events"


async def _die(arena: Arena, service: str, point: str, most: int) -> None:
    """Starts the service anew so that it dies at the point, the first to `most`th time that it gets there."""
    await arena.kill(service)
    fault_point = f"{point}*{arena.random.randint(1, most)}"
    await arena.start_service(service, ready=False, fault_point=fault_point)
    await arena.until_died(service)


async def _nothing_else(_arena: Arena, _service: str) -> None:
    """What follows is for the laws to see."""


async def _in_turn(
    arena: Arena,
    services: Iterable[str],
    point: str,
    most: int = 8,
    follows: Callable[[Arena, str], Awaitable[None]] = _nothing_else,
) -> None:
    """Each service dies at the point, and what `follows` its death is waited for."""
    await arena.load.until(0.15)
    order = list(services)
    arena.random.shuffle(order)
    for service in order:
        await _die(arena, service, point, most)
        await follows(arena, service)


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
    """All work of a transaction is done, events are applied or appended in it, and none of that is committed."""
    await _in_turn(arena, SERVICES, "before_commit=events", most=20)


@scenario("killed after commit")
async def after_commit(arena: Arena) -> None:
    """The same is committed, and neither the relay nor whoever asked has been told."""
    await _in_turn(arena, SERVICES, "after_commit=events", most=20)


@scenario("killed in the middle of a batch")
async def mid_batch(arena: Arena) -> None:
    """Some events of a message are applied, in a transaction that is open."""
    await _in_turn(arena, SERVICES, "mid_batch")


@scenario("killed after the broker's confirm")
async def after_confirm(arena: Arena) -> None:
    """The broker has the events and the relay's cursor has not moved: they are published twice."""
    await _in_turn(arena, SERVICES, "after_confirm", most=4, follows=_its_readers_know_it)


async def _its_readers_know_it(arena: Arena, service: str) -> None:
    """Each reader of the dead service drops what its next process publishes again."""
    before = {reader: arena.counts.of(reader, _KNOWN) for reader in read_by(service)}

    async def dropped() -> bool:
        return all(arena.counts.of(reader, _KNOWN) > count for reader, count in before.items())

    await arena.until(f"every reader of {service} has got events again", dropped)


@scenario("killed before the ack")
async def before_ack(arena: Arena) -> None:
    """A message of events is applied, and delivered again to the next process, which knows them."""
    known = arena.counts.total(_KNOWN)
    await _in_turn(arena, SERVICES, "before_ack=events", follows=_it_comes_again)

    async def were_known() -> bool:
        return arena.counts.total(_KNOWN) > known

    await arena.until("what came again was known", were_known)


async def _it_comes_again(arena: Arena, service: str) -> None:
    """To the process that follows on the dead one."""

    async def came() -> bool:
        return arena.counts.of_process(arena.services[service], _AGAIN) > 0

    await arena.until(f"{service} has got again what it had not acknowledged", came)


@scenario("killed in the middle of an answer")
async def mid_answer(arena: Arena) -> None:
    """A partner, then the staff, got the head of an answer and no body: both ask again."""
    await arena.load.until(0.15)
    await _die(arena, "orders", "mid_answer=POST", 20)
    await _die(arena, "catalog", "mid_answer=PATCH", 3)
