"""Several requests of one batch at the same time."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence

from services.notify.channels import Batch
from services.notify.domain.delivery import Outcome
from services.notify.domain.messages import Message

log = logging.getLogger(__name__)


async def send_side_by_side(
    messages: Sequence[Message], batch: Batch, send_one: Callable[[Message], Awaitable[Outcome]], at_once: int
) -> None:
    """At most `at_once` at a time; each is begun only while the batch may still begin any."""
    room = asyncio.Semaphore(at_once)

    async def one(message: Message) -> None:
        async with room:
            if batch.begin(message.message_id):
                batch.report(message.message_id, await send_one(message))

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
