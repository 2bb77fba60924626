"""What the benchmarks ask of a peer: another team's system that does the same business as ours."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from tests.perf.looks import Looks
from tests.perf.market import Market

SERVICES = ("orders", "allocation", "notify")


@dataclass(frozen=True)
class Addresses:
    """Where the peer finds its servers. It owns the databases (one URL per service) and its queues on the broker."""

    dsns: Mapping[str, str]
    amqp_url: str
    http_port: int


@dataclass(frozen=True)
class Command:
    """One process of the peer. It ends on SIGTERM."""

    name: str
    argv: list[str]
    environment: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Progress:
    """How many orders have come how far, counted in the databases."""

    stored: int = 0
    promised: int = 0
    moved: int = 0
    noticed: int = 0


class Peer(Protocol):
    """Prepared once, then its processes are started; `orders` answers GET /healthz with 200 as soon as it serves."""

    @property
    def name(self) -> str:
        """How it is called in reports."""

    async def prepare(self, addresses: Addresses, market: Market) -> None:
        """Makes databases and queues anew, and tells them the market."""

    def commands(self, addresses: Addresses) -> list[Command]:
        """The processes to start, all at once and in any order."""

    async def progress(self, looks: Looks) -> Progress:
        """How far the orders are."""

    async def check(self, addresses: Addresses) -> list[str]:
        """What is wrong with the books once all is quiet, in words; empty where all is right."""


def command(name: str, module: str, addresses: Addresses) -> Command:
    """A Python process that reads its addresses from the environment."""
    environment = {f"{service.upper()}_DATABASE_URL": dsn for service, dsn in addresses.dsns.items()}
    environment |= {"AMQP_URL": addresses.amqp_url, "HTTP_PORT": str(addresses.http_port)}
    return Command(name, [sys.executable, "-m", module], environment)
