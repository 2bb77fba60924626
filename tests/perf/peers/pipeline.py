"""The FastStream peers as the benchmarks see them: one process per service, the relay inside of it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from tests.perf.looks import Looks
from tests.perf.market import Market, Shop
from tests.perf.peers import books
from tests.perf.peers.base import SERVICES, Addresses, Command, Progress, command
from tests.perf.peers.wiring import INTAKE, Wiring


@dataclass(frozen=True)
class PipelinePeer:
    """`name` is also that of its package."""

    name: str

    async def prepare(self, addresses: Addresses, market: Market) -> None:
        """Databases, exchange and queues."""
        await books.prepare(addresses, market)
        await Wiring(self.name).declare(addresses.amqp_url)

    def commands(self, addresses: Addresses) -> list[Command]:
        """One process per service."""
        return [command(service, f"tests.perf.peers.{self.name}.{service}", addresses) for service in SERVICES]

    async def progress(self, looks: Looks) -> Progress:
        """How far the orders are."""
        return await books.progress(looks)

    async def check(self, addresses: Addresses) -> list[str]:
        """What is wrong at the end."""
        return await books.check(addresses)

    @property
    def intake_queue(self) -> str:
        """Where partners publish single orders, through the default exchange."""
        return Wiring(self.name).name(INTAKE)


def intake_message(shop: Shop, order: Mapping[str, object]) -> bytes:
    """The body of a message to `intake_queue`."""
    return json.dumps({"partner_id": str(shop.partner_id), "order": order}, ensure_ascii=False).encode()
