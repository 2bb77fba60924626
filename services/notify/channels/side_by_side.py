"""Several requests of one batch at the same time."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from services.notify.channels import Batch
from services.notify.domain.delivery import Outcome
from services.notify.domain.messages import Message


async def send_side_by_side(
    messages: Sequence[Message], batch: Batch, send_one: Callable[[Message], Awaitable[Outcome]], at_once: int
) -> None:
    """At most `at_once` at a time; each is begun only while the batch may still begin any."""
    room = asyncio.Semaphore(at_once)

    async def one(message: Message) -> None:
        async with room:
            if batch.begin(message.message_id):
                batch.report(message.message_id, await send_one(message))

    async with asyncio.TaskGroup() as group:
        for message in messages:
            group.create_task(one(message))
