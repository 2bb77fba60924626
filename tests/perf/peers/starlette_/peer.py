"""The Starlette peer as the benchmarks see it."""

from dataclasses import dataclass, replace

from tests.perf.looks import Looks
from tests.perf.market import Market
from tests.perf.peers import books
from tests.perf.peers.base import Addresses, Command, Progress, command


@dataclass(frozen=True)
class StarlettePeer:
    """Only `orders`, and of it only the intake; needs no broker."""

    name: str = "starlette"

    async def prepare(self, addresses: Addresses, market: Market) -> None:
        """The one database."""
        await books.prepare(_only_orders(addresses), market)

    def commands(self, addresses: Addresses) -> list[Command]:
        """The one process."""
        return [command("orders", "tests.perf.peers.starlette_.orders", addresses)]

    async def progress(self, looks: Looks) -> Progress:
        """What is stored; nothing else ever happens."""
        return await books.progress(looks, ["orders"])

    async def check(self, addresses: Addresses) -> list[str]:
        """What is wrong at the end."""
        return await books.check_orders(addresses)


def _only_orders(addresses: Addresses) -> Addresses:
    return replace(addresses, dsns={"orders": addresses.dsns["orders"]})
