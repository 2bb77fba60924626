"""What sends webhooks, as in another process: by a clock and with names of its own, on the same database."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

from prometheus_client import CollectorRegistry

from services.chassis.outbound import OutboundClient, Resolve, resolve
from services.notify.channels.webhook import Push, WebhookChannel
from services.notify.climbing import Ladder
from services.notify.domain.partner_messages import MessageClaim
from services.notify.metrics import NoticeMetrics
from services.notify.pushes import Pushes
from services.notify.sending import Sender
from tests.integration.notify.world import World

LONGEST = timedelta(seconds=60)
"""An attempt of `sender`."""


class Clock:
    """Goes on when a test says so."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now


@asynccontextmanager
async def sender(world: World, clock: Clock, resolve: Resolve = resolve) -> AsyncIterator[Sender[MessageClaim, Push]]:
    """To be closed at the end."""
    client = OutboundClient((ip_network("127.0.0.1/32"),), LONGEST.total_seconds(), 50, 0, resolve)
    metrics = NoticeMetrics(CollectorRegistry())
    pushes = Pushes(Ladder(frozenset({"email"}), metrics), metrics, 2 * LONGEST)
    try:
        yield Sender(world.service.runtime.ledger, pushes, WebhookChannel(clock, client), clock, LONGEST)
    finally:
        await client.close()
