"""Exchanges, queues and bindings of a service, declared by the service itself and again after every loss.

`<service>.events` is where it publishes (routing key = lane); `<service>.<lane>` (quorum) is bound to each
producer that it reads, by the lane and by its own name, under which a resend comes to it alone;
`<service>.control` (quorum) takes what those who read it ask and answer.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from aio_pika import ExchangeType
from aio_pika.abc import AbstractConnection
from aio_pika.exceptions import ChannelNotFoundEntity
from pamqp.common import FieldValue

QUORUM: dict[str, FieldValue] = {"x-queue-type": "quorum"}


def exchange_name(service: str) -> str:
    """The only exchange that the service may publish to."""
    return f"{service}.events"


def lane_queue(service: str, lane: int) -> str:
    """The queue in which the events of a lane wait for the service."""
    return f"{service}.{lane}"


def control_queue(service: str) -> str:
    """The queue of what readers ask of the service, and of their answers to it."""
    return f"{service}.control"


def own_key(service: str, queue: str) -> str:
    """Routing key under which any producer reaches this reader alone: the name of its queue."""
    return f"{service}.{queue}"


def control_key(producer: str) -> str:
    """Routing key under which a reader asks or answers this producer."""
    return f"resend.{producer}"


@dataclass(frozen=True, slots=True)
class Wiring:
    """What a service consumes with: the producers it reads, those who read it, the lanes it serves."""

    service: str
    reads: Sequence[str]
    readers: Sequence[str]
    lanes: Sequence[int]

    def queues(self) -> list[str]:
        """The lane queues and the control queue."""
        return [*(lane_queue(self.service, lane) for lane in self.lanes), control_queue(self.service)]


@dataclass(frozen=True, slots=True)
class Declared:
    """What the broker said: own queues that nobody consumes, and producers whose exchange is not there yet."""

    idle: list[str]
    missing: list[str]


async def declare(connection: AbstractConnection, wiring: Wiring) -> Declared:
    """Declares what the service owns and binds it; safe to repeat. Another's missing exchange is reported."""
    idle = []
    async with connection.channel() as channel:
        await channel.declare_exchange(exchange_name(wiring.service), ExchangeType.DIRECT, durable=True)
        for name in wiring.queues():
            queue = await channel.declare_queue(name, durable=True, arguments=dict(QUORUM))
            if not queue.declaration_result.consumer_count:
                idle.append(name)
    queues = [(lane_queue(wiring.service, lane), str(lane)) for lane in wiring.lanes]
    lanes = [(name, key) for name, lane in queues for key in (lane, own_key(wiring.service, lane))]
    missing = [p for p in wiring.reads if not await _bind(connection, p, lanes)]
    asks = [(control_queue(wiring.service), control_key(wiring.service))]
    missing += [r for r in wiring.readers if not await _bind(connection, r, asks)]
    return Declared(idle, missing)


async def _bind(connection: AbstractConnection, producer: str, bindings: Iterable[tuple[str, str]]) -> bool:
    """Binds (queue, key) pairs to the producer's exchange; False where that does not exist."""
    try:
        async with connection.channel() as channel:
            for name, key in bindings:
                queue = await channel.get_queue(name, ensure=False)
                await queue.bind(exchange_name(producer), key)
    except ChannelNotFoundEntity:
        return False
    return True
