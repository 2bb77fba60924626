"""Exchange and queues of the FastStream peers. Made on deployment, so that no event can miss a queue."""

from dataclasses import dataclass

import aio_pika
from faststream import AckPolicy
from faststream.rabbit import ExchangeType, QueueType, RabbitExchange, RabbitQueue
from pamqp.common import FieldTable

INTAKE = "orders.intake"
ON_ERROR = AckPolicy.NACK_ON_ERROR
_READERS = {
    "allocation.order_placed": "order_placed",
    "notify.order_placed": "order_placed",
    "notify.order_promised": "order_promised",
    "orders.order_promised": "order_promised",
}
"""One queue per service and type of event."""
_DELIVERIES = 20


@dataclass(frozen=True)
class Wiring:
    """The queues of one peer; all their names begin with its own."""

    peer: str

    @property
    def exchange(self) -> RabbitExchange:
        """The topic exchange of all events, by type."""
        return RabbitExchange(f"{self.peer}.events", type=ExchangeType.TOPIC)

    def queue(self, name: str) -> RabbitQueue:
        """A queue that is there already."""
        return RabbitQueue(self.name(name), queue_type=QueueType.QUORUM, declare=False)

    def name(self, queue: str) -> str:
        """What the broker calls the queue."""
        return f"{self.peer}.{queue}"

    async def declare(self, amqp_url: str) -> None:
        """Makes everything anew: durable quorum queues with a limit of deliveries and a queue for the dead."""
        async with await aio_pika.connect(amqp_url) as connection:
            channel = await connection.channel()
            dead = self.name("dead")
            events = await channel.declare_exchange(f"{self.peer}.events", aio_pika.ExchangeType.TOPIC, durable=True)
            for name in (*_READERS, INTAKE, "dead"):
                await channel.queue_delete(self.name(name))
            await channel.declare_queue(dead, durable=True, arguments={"x-queue-type": "quorum"})
            arguments: FieldTable = {
                "x-queue-type": "quorum",
                "x-delivery-limit": _DELIVERIES,
                "x-dead-letter-exchange": "",
                "x-dead-letter-routing-key": dead,
            }
            await channel.declare_queue(self.name(INTAKE), durable=True, arguments=arguments)
            for name, event in _READERS.items():
                queue = await channel.declare_queue(self.name(name), durable=True, arguments=arguments)
                await queue.bind(events, event)
