"""The event logs of catalog and allocation, written as their services write them and sent on by their real relay."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from pydantic import SecretStr

from infra.local.stack import Stack
from services.chassis.broker import Broker
from services.chassis.database import open_pool
from services.chassis.lanes import shared_lane
from services.chassis.ledger import Ledger, Transaction
from services.chassis.metrics import Metrics
from services.chassis.relay import Relay
from services.contracts.base import Event

LANES = 8


@dataclass(frozen=True)
class Books:
    """What one service says."""

    ledger: Ledger

    async def say(self, stream: UUID, events: Sequence[Event]) -> None:
        """In one transaction, as the service would."""

        async def work(tx: Transaction) -> None:
            for event in events:
                tx.append(stream, event)

        await self.ledger.transact(work)


@asynccontextmanager
async def opened(stack: Stack, service: str) -> AsyncIterator[Books]:
    """The service's log, with a relay that runs inside."""
    async with AsyncExitStack() as closing:
        pool = await closing.enter_async_context(
            await open_pool(SecretStr(stack.dsn(service)), 4, "tests.perf.notices")
        )
        broker = Broker(SecretStr(stack.environment(service)[f"{service.upper()}_AMQP_URL"]), 10)
        relay = Relay(service, broker, pool, range(LANES), secrets.token_hex(4), 10, 2, Metrics((), service))
        relaying = asyncio.create_task(relay.run())

        yield Books(Ledger(pool, lambda stream: shared_lane(stream, LANES), relay.wake))
        relay.stop()
        await relaying
