"""What may come over the wire: events withheld, shuffled, repeated, old, too large, or in a name that is not theirs.

Whoever has a service's password can do all of it; the readers must sort it out by number, sender and size alone.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import aio_pika
from aio_pika.abc import AbstractChannel
from aio_pika.exceptions import AMQPError
from aiormq.exceptions import ChannelAccessRefused, ChannelPreconditionFailed

from infra.local.rabbitmq import MAX_MESSAGE_BYTES
from services.chassis import rejected_messages
from services.contracts.flow import SERVICES, read_by
from tests.chaos import wire
from tests.chaos.arena import Arena
from tests.chaos.scenario import scenario
from tests.chaos.wire import Taken

Attempt = Callable[[AbstractChannel], Awaitable[None]]
MIB = 1_048_576
_REJECTED_BYTES = "select octet_length(body) from rejected_message"
STOPPABLE = ("allocation", "notify")
"""Readers without which the load goes on."""


# -- Lost, out of order, again and again -----------------------------------------------------------------------


@scenario("an event withheld")
async def withheld(arena: Arena) -> None:
    """A message with events of one stream is taken away for good; what comes behind it is delivered."""
    reader = arena.random.choice(STOPPABLE)
    await arena.load.until(0.2)
    await arena.stop(reader)
    await arena.load.until(0.6)
    before = arena.counts.total("relay_resends")
    lost: dict[str, Any] = {}
    for lane in await wire.lanes_of(arena, "orders"):
        queue = f"{reader}.{lane}"
        messages = await wire.take_all(arena, reader, queue)
        kept = messages
        if not lost and (victims := await _unapplied(arena, reader, messages)):
            lost = arena.random.choice(victims)
            kept = [message for message in messages if lost["id"] not in {event["id"] for event in message.events}]
        await wire.send(arena, queue, kept)
    assert lost, f"nothing was on its way to {reader}"
    await arena.start_service(reader)
    arena.fault_ends()
    await arena.load.finished()
    place = (UUID(lost["partitionkey"]), lost["source"].removeprefix("/"), int(lost["sequence"]))
    applied = "select 1 from consumer_cursor where (stream, producer) = ($1, $2) and sequence >= $3"
    await arena.until(f"{reader} has applied {place}", lambda: arena.sql(reader, applied, *place))
    await _until_counted(arena, "relay_resends", before + 1)


async def _unapplied(arena: Arena, reader: str, messages: list[Taken]) -> list[dict[str, Any]]:
    """The events that the reader knows nothing of, and that others of the same stream follow."""
    rows = await arena.sql(
        reader, "select producer, stream::text, greatest(sequence, head) as known from consumer_cursor"
    )
    known = {(row["producer"], row["stream"]): row["known"] for row in rows}
    events = [event for message in messages for event in message.events]
    last: dict[tuple[str, str], int] = {}
    for event in events:
        place = (event["source"].removeprefix("/"), event["partitionkey"])
        last[place] = max(last.get(place, 0), int(event["sequence"]))
    return [
        event
        for event in events
        if (place := (event["source"].removeprefix("/"), event["partitionkey"])) in last
        and known.get(place, 0) < int(event["sequence"]) < last[place]
    ]


@scenario("events shuffled")
async def shuffled(arena: Arena) -> None:
    """All that waits for a reader comes event by event in a random order."""
    reader = arena.random.choice(STOPPABLE)
    await arena.load.until(0.2)
    await arena.stop(reader)
    await arena.load.until(0.6)
    before, moved = arena.counts.total("consumer_parked_events"), 0
    for lane in await wire.lanes_of(arena, "orders"):
        queue = f"{reader}.{lane}"
        messages = await wire.take_all(arena, reader, queue)
        events = [Taken(message.sender, wire.pack([event])) for message in messages for event in message.events]
        moved += len(events)
        arena.random.shuffle(events)
        await wire.send(arena, queue, events)
    assert moved > 20, f"only {moved} events were on their way to {reader}"
    await arena.start_service(reader)
    arena.fault_ends()
    await arena.load.finished()
    await _until_counted(arena, "consumer_parked_events", before + moved // 10)


@scenario("one message a thousand times")
async def repeated(arena: Arena) -> None:
    """A broker or a person that sends the same again and again, under load."""
    await arena.load.until(0.4)
    event = (await wire.logged(arena, "orders", first=4))[0]
    before = arena.counts.total("consumer_duplicate_events")
    await _send_again(arena, "orders", event, 1000)
    arena.fault_ends()
    await _until_counted(arena, "consumer_duplicate_events", before + 1000 * len(read_by("orders")))


@scenario("events that are months old")
async def months_old(arena: Arena) -> None:
    """Backups of a broker come to light: early events of every producer, with their id and number, some twice over."""
    await arena.load.until(0.4)
    before, sent = arena.counts.total("consumer_duplicate_events"), 0
    for producer in ("catalog", "orders", "allocation"):
        for event in await wire.logged(arena, producer):
            months = timedelta(days=30 * arena.random.randint(2, 9))
            old = event | {"time": (datetime.now(UTC) - months).isoformat()}
            await _send_again(arena, producer, old, 20)
            sent += 20 * len(read_by(producer))
    assert sent > 200
    arena.fault_ends()
    await _until_counted(arena, "consumer_duplicate_events", before + sent)


async def _send_again(arena: Arena, producer: str, event: dict[str, Any], times: int) -> None:
    stream = UUID(event["partitionkey"])
    lane = await arena.books.value(producer, "select lane from stream_head where stream = $1", stream)
    async with wire.speaking_as(arena, producer) as channel:
        for _ in range(times):
            await wire.publish(channel, producer, str(lane), wire.pack([event]))


# -- Too large -------------------------------------------------------------------------------------------------


@scenario("a message of 17 MiB")
async def oversized_message(arena: Arena) -> None:
    """The broker refuses it; of the largest that the broker carries, every reader sets the beginning aside."""
    await arena.load.until(0.3)
    lane = str(arena.random.choice(await wire.lanes_of(arena, "orders")))
    too_large = partial(wire.publish, exchange_of="orders", key=lane, body=_nonsense(17 * MIB))
    refused = await _refusal(arena, "orders", too_large)
    assert refused is ChannelPreconditionFailed, f"the broker's answer is {refused}"
    await _publish_as(arena, "orders", lane, _nonsense(MAX_MESSAGE_BYTES - 1000))
    for reader in read_by("orders"):
        arena.expected.rejected[reader] += 1
        await arena.until(f"{reader} sets the message aside", partial(arena.sql, reader, _REJECTED_BYTES))
        kept = await arena.books.value(reader, _REJECTED_BYTES)
        assert kept == rejected_messages.MOST_BYTES, f"{reader} kept {kept} bytes"
    assert not arena.deaths.all, f"processes died over it: {arena.deaths.all}"


def _nonsense(size: int) -> bytes:
    return b'[{"specversion":"1.0","data":"' + b"x" * size + b'"}]'


async def _publish_as(arena: Arena, service: str, key: str, body: bytes) -> None:
    async with wire.speaking_as(arena, service) as channel:
        await wire.publish(channel, service, key, body)


# -- In a name that is not theirs ------------------------------------------------------------------------------


@scenario("a wrong user")
async def wrong_user(arena: Arena) -> None:
    """Every service tries what only its neighbours may do; the broker refuses all of it."""
    await arena.load.until(0.2)
    for service in SERVICES:
        for other in (it for it in SERVICES if it != service):
            for attempt, right in _trespasses(service, other):
                refused = await _refusal(arena, service, attempt)
                assert refused is right, f"{attempt.__name__} as {service} at {other}: the broker's answer is {refused}"


def _trespasses(service: str, other: str) -> list[tuple[Attempt, type[AMQPError]]]:
    """What the service may not do, and how the broker says so: 403, or 406 for a name that is not the sender's."""

    async def publishes(channel: AbstractChannel) -> None:
        await wire.publish(channel, other, "0", b"[]", user_id=service)

    async def publishes_past_the_exchange(channel: AbstractChannel) -> None:
        message = aio_pika.Message(b"[]", user_id=service)
        await channel.default_exchange.publish(message, f"{other}.0", timeout=10)

    async def reads(channel: AbstractChannel) -> None:
        await (await channel.get_queue(f"{other}.0", ensure=False)).get(fail=False, no_ack=True)

    async def declares(channel: AbstractChannel) -> None:
        await channel.declare_queue(f"{other}.spy", durable=True)

    async def empties(channel: AbstractChannel) -> None:
        await (await channel.get_queue(f"{other}.0", ensure=False)).purge()

    async def binds(channel: AbstractChannel) -> None:
        await (await channel.get_queue(f"{other}.0", ensure=False)).bind(f"{service}.events", "0")

    async def forges(channel: AbstractChannel) -> None:
        await wire.publish(channel, service, "0", b"[]", user_id=other)

    forbidden = [publishes, publishes_past_the_exchange, reads, declares, empties, binds]
    return [*((attempt, ChannelAccessRefused) for attempt in forbidden), (forges, ChannelPreconditionFailed)]


@scenario("events in another's name")
async def in_anothers_name(arena: Arena) -> None:
    """An honest user_id over a body that lies about its source, or about whose events they are."""
    await arena.load.until(0.3)
    placed = (await wire.logged(arena, "orders", "orders.order_placed.v1"))[0]
    issued = (await wire.logged(arena, "catalog", "catalog.access_key_issued.v1"))[0]
    stream = UUID(placed["partitionkey"])
    lane = await arena.books.value("orders", "select lane from stream_head where stream = $1", stream)
    next_number = f"{10**9:020d}"
    lies = [
        ("allocation", issued | {"partitionkey": placed["partitionkey"], "sequence": next_number}),
        ("orders", issued | {"source": "/orders", "partitionkey": placed["partitionkey"], "sequence": next_number}),
        ("notify", placed | {"sequence": next_number}),
    ]
    for sender, event in lies:
        async with wire.speaking_as(arena, sender) as channel:
            await wire.publish(channel, sender, str(lane), wire.pack([event]))
        arena.expected.rejected.update(read_by(sender))
    for reader, count in arena.expected.rejected.items():
        query = "select 1 from rejected_message having count(*) = $1"
        await arena.until(f"{reader} has rejected {count} messages", partial(arena.sql, reader, query, count))


async def _refusal(arena: Arena, service: str, attempt: Attempt) -> object:
    """With what the broker closes the service's channel over it; None where it lets it pass."""
    closed: asyncio.Future[object] = asyncio.get_running_loop().create_future()

    def note(_: object, reason: BaseException | None) -> None:
        if not closed.done():
            closed.set_result(type(reason))

    async with wire.speaking_as(arena, service) as channel:
        channel.close_callbacks.add(note)
        try:
            await attempt(channel)
        except (AMQPError, RuntimeError):
            return await asyncio.wait_for(closed, 10)
    return None


async def _until_counted(arena: Arena, counter: str, number: int) -> None:
    """Counters are sampled every second."""

    async def reached() -> bool:
        return arena.counts.total(counter) >= number

    await arena.until(f"{counter} reaches {number}", reached)
