"""Hands back what could not be taken: to the queue of the partner's rejects, confirmed, before it is acknowledged.

A broker that takes none for the moment is waited for, so that the rejects of one partner do not end the intake of all.
"""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from datetime import datetime
from uuid import UUID

from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import PublishError

from services.chassis.broker import answered
from services.chassis.faults import BROKER_WEATHER, Backoff, describe
from services.orders.amqp import topology
from services.orders.amqp.content import Delivery, Rejection, errors_text

log = logging.getLogger(__name__)

TIMEOUT_S = 10
MOST_TOGETHER, MOST_TOGETHER_BYTES = 16, 4 * 1024 * 1024
"""That are published at the same time, for one partner: TIMEOUT_S is for them all."""

Rejected = Sequence[tuple[Delivery, Rejection]]


class Rejects:
    """The rejects of all partners, over a connection of their own, until `stopping`."""

    def __init__(self, connection: AbstractConnection, stopping: asyncio.Event) -> None:
        self._connection, self._stopping = connection, stopping
        self._channel: AbstractChannel | None = None
        self._opening = asyncio.Lock()

    @property
    def is_closed(self) -> bool:
        """True where another connection is needed."""
        return bool(self._connection.is_closed)

    async def put(self, partner_id: UUID, rejected: Rejected, now: datetime) -> None:
        """Returns when the broker has them all, some perhaps twice.

        Raises what the broker raises where the connection was closed, or when stopping.
        """
        for some in portions(rejected):
            backoff = Backoff(first_s=0.2)
            while True:
                try:
                    await self._put(partner_id, some, now)
                    break
                except BROKER_WEATHER as error:
                    if self.is_closed or self._stopping.is_set():
                        raise
                    log.warning("rejects wait: %s", describe(error), extra={"partner": str(partner_id)})
                await backoff.wait()

    async def _put(self, partner_id: UUID, rejected: Rejected, now: datetime) -> None:
        """A queue that is not there any more is made again."""
        outcomes = await asyncio.gather(
            *(self._publish(partner_id, delivery, rejection, now) for delivery, rejection in rejected),
            return_exceptions=True,
        )
        failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        if any(not isinstance(failure, PublishError) for failure in failures):
            raise next(failure for failure in failures if not isinstance(failure, PublishError))
        if failures:  # returned: no such queue
            async with asyncio.timeout(TIMEOUT_S):
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


def portions(rejected: Rejected) -> Iterator[Rejected]:
    """At most MOST_TOGETHER each, and no more than MOST_TOGETHER_BYTES unless one alone has more."""
    portion: list[tuple[Delivery, Rejection]] = []
    size = 0
    for delivery, rejection in rejected:
        size += len(delivery.body)
        if portion and (len(portion) == MOST_TOGETHER or size > MOST_TOGETHER_BYTES):
            yield portion
            portion, size = [], len(delivery.body)
        portion.append((delivery, rejection))
    if portion:
        yield portion
