"""What anybody with a service's password can do to the wire: take messages away, and send them again.

It acts as the service's own broker user, so what the broker forbids a service it forbids here too.
"""

import json
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aio_pika
from aio_pika.abc import AbstractChannel

from services.chassis import cloudevents, compression, topology
from services.chassis.ids import uuid7
from tests.chaos.arena import Arena


@dataclass(frozen=True)
class Taken:
    """One message as it lay in a queue."""

    sender: str
    body: bytes

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events with a place in a stream; empty for a control message."""
        return [envelope for envelope in json.loads(self.body) if "sequence" in envelope]


@asynccontextmanager
async def speaking_as(arena: Arena, service: str) -> AsyncIterator[AbstractChannel]:
    """A channel of the service's user, with confirms; a message that reaches no queue raises."""
    connection = await aio_pika.connect(arena.stack.rabbit.amqp_url(service), timeout=10)
    async with connection:
        yield await connection.channel(publisher_confirms=True, on_return_raises=True)


async def take_all(arena: Arena, reader: str, queue: str) -> list[Taken]:
    """Everything that lies in the reader's queue, oldest first; it is gone then. The reader must be stopped."""
    taken = []
    async with speaking_as(arena, reader) as channel:
        found = await channel.get_queue(queue, ensure=False)
        while (message := await found.get(fail=False)) is not None:
            assert message.user_id is not None, "every message names its sender"
            taken.append(Taken(message.user_id, compression.decompress(message.body, message.content_encoding)))
            await message.ack()
    return taken


async def send(arena: Arena, key: str, messages: Iterable[Taken]) -> None:
    """Publishes the messages in this order to the exchanges of their senders."""
    by_sender: dict[str, list[Taken]] = {}
    for message in messages:
        by_sender.setdefault(message.sender, []).append(message)
    for sender, own in by_sender.items():
        async with speaking_as(arena, sender) as channel:
            for message in own:
                await publish(channel, sender, key, message.body)


async def publish(
    channel: AbstractChannel, exchange_of: str, key: str, body: bytes, user_id: str | None = None
) -> None:
    """One message to the service's exchange, confirmed. `user_id` is the service's name unless given."""
    exchange = await channel.get_exchange(topology.exchange_name(exchange_of), ensure=False)
    message = aio_pika.Message(
        body,
        content_type=cloudevents.CONTENT_TYPE,
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        message_id=str(uuid7()),
        user_id=user_id or exchange_of,
    )
    await exchange.publish(message, key, timeout=30)


def pack(events: Sequence[dict[str, Any]]) -> bytes:
    """A message of these events."""
    return json.dumps(events, ensure_ascii=False).encode()


async def logged(arena: Arena, producer: str, types: str = "%", first: int = 1) -> list[dict[str, Any]]:
    """A few events of the producer's log as they travel: of these types, from this number of their stream on."""
    query = "select * from event_log where type like $1 and sequence >= $2 order by sequence, stream limit 8"
    return [json.loads(cloudevents.envelope(producer, row)) for row in await arena.sql(producer, query, types, first)]


async def lanes_of(arena: Arena, service: str) -> list[int]:
    """The lanes on which some cooperative lives."""
    return [row["lane"] for row in await arena.sql(service, "select distinct lane from stream_head order by lane")]
