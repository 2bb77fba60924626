"""Hands back what could not be taken: to the queue of the partner's rejects, confirmed, before it is acknowledged."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import PublishError

from services.chassis.broker import answered
from services.orders.amqp import topology
from services.orders.amqp.content import Delivery, Rejection, errors_text

TIMEOUT_S = 10


class Rejects:
    """The rejects of all partners, over one connection. Raises what the broker raises."""

    def __init__(self, connection: AbstractConnection) -> None:
        self._connection = connection
        self._channel: AbstractChannel | None = None
        self._opening = asyncio.Lock()

    async def put(self, partner_id: UUID, rejected: Sequence[tuple[Delivery, Rejection]], now: datetime) -> None:
        """Returns when the broker has them all. A queue that is not there any more is made again."""
        outcomes = await asyncio.gather(
            *(self._publish(partner_id, delivery, rejection, now) for delivery, rejection in rejected),
            return_exceptions=True,
        )
        failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        if any(not isinstance(failure, PublishError) for failure in failures):
            raise next(failure for failure in failures if not isinstance(failure, PublishError))
        if failures:  # returned: no such queue
            await answered(topology.declare(self._connection, [partner_id]))
            for (delivery, rejection), outcome in zip(rejected, outcomes, strict=True):
                if isinstance(outcome, PublishError):
                    await self._publish(partner_id, delivery, rejection, now)

    async def _publish(self, partner_id: UUID, delivery: Delivery, rejection: Rejection, now: datetime) -> None:
        """The partner's own name of the message becomes the correlation id: two of the same may be under way."""
        message = Message(
            delivery.body,
            content_type=delivery.content_type or None,
            correlation_id=delivery.message_id,
            delivery_mode=DeliveryMode.PERSISTENT,
            headers={
                "reason": rejection.reason,
                "errors": errors_text(rejection.errors),
                "rejected_at": now.isoformat(),
            },
        )
        async with asyncio.timeout(TIMEOUT_S):
            exchange = await (await self._open()).get_exchange(topology.REJECTS, ensure=False)
            await answered(exchange.publish(message, str(partner_id), mandatory=True))

    async def _open(self) -> AbstractChannel:
        async with self._opening:
            if self._channel is None or self._channel.is_closed:
                self._channel = await answered(self._connection.channel(on_return_raises=True))
            return self._channel
