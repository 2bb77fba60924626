"""The Celery peer as the benchmarks see it."""

import asyncio
import sys
from dataclasses import dataclass

from tests.perf.looks import Looks
from tests.perf.market import Market
from tests.perf.peers import books
from tests.perf.peers.base import SERVICES, Addresses, Command, Progress, command

_WORKER = "--pool prefork --concurrency 2 --loglevel WARNING --without-gossip --without-mingle --without-heartbeat"


@dataclass(frozen=True)
class CeleryPeer:
    """One HTTP process, a worker for each service, a relay for each outbox."""

    name: str = "celery"

    async def prepare(self, addresses: Addresses, market: Market) -> None:
        """Databases, exchange and queues."""
        from tests.perf.peers.celery_.app import declare  # what only looks at the peers needs no Celery

        await books.prepare(addresses, market)
        await asyncio.to_thread(declare, addresses.amqp_url)

    def commands(self, addresses: Addresses) -> list[Command]:
        """Six processes, three of which have two children each."""
        api = command("orders", "tests.perf.peers.celery_.api", addresses)
        relays = [
            Command(
                f"relay-{service}",
                [sys.executable, "-m", "tests.perf.peers.celery_.relay", service],
                api.environment,
            )
            for service in ("orders", "allocation")
        ]
        workers = [
            Command(
                f"worker-{service}",
                [
                    *(sys.executable, "-m", "celery", "--app", f"tests.perf.peers.celery_.{service}"),
                    *("worker", "--hostname", f"{service}@%h", *_WORKER.split()),
                ],
                api.environment,
            )
            for service in SERVICES
        ]
        return [api, *workers, *relays]

    async def progress(self, looks: Looks) -> Progress:
        """How far the orders are."""
        return await books.progress(looks)

    async def check(self, addresses: Addresses) -> list[str]:
        """What is wrong at the end."""
        return await books.check(addresses)
