"""Several requests of one batch at the same time.

A message is made into a request before it is begun: where that fails nothing has left, and that is certain.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from services.notify.channels import Batch
from services.notify.domain.delivery import Outcome, Refused
from services.notify.domain.messages import Message

log = logging.getLogger(__name__)

R = TypeVar("R")

NOT_COMPOSED = Refused("cannot_be_composed", ours=True)
"""Our own code failed before anything left."""


@dataclass(frozen=True, slots=True)
class Post:
    """One request to an address that a person has chosen."""

    url: str = field(repr=False)
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)


def composed(message: Message, compose: Callable[[Message], R | Refused]) -> R | Refused:
    """What `compose` makes of the message; where it fails by a fault of ours, that is what came of the message."""
    try:
        return compose(message)
    except Exception as error:  # noqa: BLE001 - one that can't be made must not hold up the others
        log.error("a message could not be composed", extra={"reason": type(error).__name__})
        return NOT_COMPOSED


async def send_side_by_side(
    messages: Sequence[Message],
    batch: Batch,
    compose: Callable[[Message], R | Refused],
    ask: Callable[[R], Awaitable[Outcome]],
    at_once: int,
) -> None:
    """At most `at_once` at a time; each is begun only while the batch may still begin any."""
    room = asyncio.Semaphore(at_once)

    async def one(message: Message) -> None:
        async with room:
            if isinstance(request := composed(message, compose), Refused):
                batch.report(message.message_id, request)
            elif batch.begin(message.message_id):
                batch.report(message.message_id, await ask(request))

    await finish(map(one, messages))


async def finish(attempts: Iterable[Awaitable[None]]) -> None:
    """Waits for all of them. Where one fails by a fault of ours, its own outcome is unknown, and the others go on.

    None may be left running: what it sends after the batch was saved would be sent again.
    """
    for error in await asyncio.gather(*attempts, return_exceptions=True):
        if isinstance(error, Exception):
            log.error("an attempt failed", extra={"reason": type(error).__name__})
        elif error is not None:
            raise error
