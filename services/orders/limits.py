"""Which pushes over HTTP come too fast. Each process counts for itself. Over AMQP messages wait in their queue."""

import time
from uuid import UUID

from services.chassis import problems
from services.orders.domain.ratelimit import SECOND, TokenBuckets
from services.orders.settings import OrdersSettings


class PushLimit:
    """The token buckets of the partners of one process: one token for each order."""

    def __init__(self, settings: OrdersSettings) -> None:
        self._buckets = TokenBuckets(settings.partner_orders_per_s, settings.partner_burst)

    def admit(self, partner_id: UUID, orders: int) -> None:
        """Raises the 429 problem where the partner, who has proven who it is, pushes faster than it may."""
        if wait := self._buckets.take(partner_id, orders, time.monotonic_ns()):
            raise problems.too_fast(-(-wait // SECOND))
