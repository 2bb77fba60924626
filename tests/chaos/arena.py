"""The arena: the running stack of one scenario, and everything that can be done to it.

Its supervisor starts a service again whenever it died without being told to, as systemd or Kubernetes would.
"""

import asyncio
import contextlib
import os
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
import httpx

from infra.demo.client import Client
from infra.demo.peers import Received, WebhookReceiver
from infra.local.management import QueueDepth
from infra.local.ports import choose_ports
from infra.local.processes import ServiceProcess
from infra.local.stack import Stack
from services.contracts.flow import SERVICES
from tests.chaos import template, world
from tests.chaos.books import Books
from tests.chaos.counts import Counts
from tests.chaos.deaths import Deaths
from tests.chaos.interruptions import Interruptions
from tests.chaos.load import Load
from tests.chaos.scenario import Scenario
from tests.chaos.world import World

if TYPE_CHECKING:
    from tests.chaos.evening import Evening

COMMON = {
    "SHARED_LANES": str(template.SHARED_LANES),
    "LEASE_S": "2",
    "HEADS_EVERY_S": "1",
    "GAP_PATIENCE_S": "1",
    "RETRY_FIRST_S": "1",
    "RETRY_MOST_S": "2",
    "DRAIN_S": "10",
    "AMQP_HEARTBEAT_S": "2",
    "DATABASE_TIMEOUT_S": "5",
}
TIMES_S = {"notify": {"NOTIFY_SMTP_TIMEOUT_S": 2, "NOTIFY_WEBHOOK_TIMEOUT_S": 6, "NOTIFY_UNKNOWN_AFTER_S": 10}}
"""On a quiet machine."""


@dataclass
class Expected:
    """What a scenario injects that nobody can apply, by service: it must be found, and nothing else."""

    rejected: Counter[str] = field(default_factory=Counter)
    """Messages set aside as unreadable or forged."""
    quarantined: Counter[str] = field(default_factory=Counter)
    """Events still in quarantine when the scenario returns; mostly 0, since a scenario resolves what it caused."""
    forgotten: set[str] = field(default_factory=set)
    """Orders that a restored `orders` cannot name any more; what others remember of them is left out of sight."""
    all_restored: bool = False
    """No database remembers what was said between the backups and the end; only the partners who heard it do."""


class Arena:
    """Made by `entered`; see the properties for what a scenario works with."""

    def __init__(self, scenario: Scenario, seed: int, root: Path, operator_key: str) -> None:
        self.scenario, self.seed, self.root = scenario, seed, root
        self.random = random.Random(f"{scenario.name} {seed}")
        self.stack = Stack(root, durable=scenario.durable)
        self.expected = Expected()
        self.said: list[str] = []
        """What the scenario has measured, to be printed below its line."""
        self.environment: dict[str, dict[str, str]] = {
            name: {f"{name.upper()}_{key}": value for key, value in COMMON.items()}
            | {key: str(time_s * scenario.patience) for key, time_s in TIMES_S.get(name, {}).items()}
            | dict(scenario.environment.get(name, {}))
            for name in SERVICES
        }
        """What each service is told beyond what the stack says; for `before_services` to change."""
        self.services: dict[str, ServiceProcess] = {}
        """Processes by name; that of the first instance is the service's."""
        self.deaths = Deaths()
        """Of processes that were not told to end."""
        self.over = asyncio.Event()
        """Set when the fault has ended."""
        self.interruptions = Interruptions()
        self.evening: Evening | None = None
        """The evening of this day, once it has begun."""
        self.counts = Counts(self.services.values)
        self.books = Books(self.dsn)
        self.client: Client
        self.received: Received
        self.world: World
        self.load: Load
        self._operator_key = operator_key
        self._wanted: set[str] = set()
        self._awaited_deaths: Counter[str] = Counter()
        self._upkeep: list[asyncio.Task[None]] = []

    # -- What a scenario does ----------------------------------------------------------------------------------

    async def kill(self, name: str) -> None:
        """SIGKILL; stays down until it is started."""
        self._wanted.discard(name)
        await asyncio.to_thread(self.services[name].kill)
        self._interrupted(name)
        self.counts.kills += 1

    async def stop(self, name: str) -> bool:
        """SIGTERM and the drain; False if it had to be killed."""
        self._wanted.discard(name)
        drained = await asyncio.to_thread(self.services[name].stop)
        if not drained:
            self._interrupted(name)
        return drained

    async def start_service(self, name: str, *, ready: bool = True, **settings: object) -> None:
        """Starts it with these settings besides the usual ones (`fault_point="before_ack*3"`), until it next dies."""
        process = self.services[name]
        prefix = process.service.upper()
        extra = {f"{prefix}_{key.upper()}": str(value) for key, value in settings.items()}
        process.extra_environment = self.environment[process.service] | extra
        self.deaths.starts(process)
        await asyncio.to_thread(process.start)
        self._wanted.add(name)
        if ready:
            await self.until_ready(name)

    async def restart(self, name: str) -> None:
        """Stops it gently and starts it again."""
        await self.stop(name)
        await self.start_service(name)

    async def start_second(self, service: str) -> str:
        """A second process of the service on a port of its own, as in a rolling deployment; its name."""
        name = next(f"{service}-{n}" for n in range(2, 99) if f"{service}-{n}" not in self.services)
        self.services[name] = ServiceProcess(self.stack, service, name, http_port=choose_ports([None])[0])
        await self.start_service(name)
        return name

    def pause(self, name: str) -> None:
        """SIGSTOP to the whole process."""
        self.services[name].freeze()
        self._interrupted(name)

    def resume(self, name: str) -> None:
        """SIGCONT."""
        self.services[name].thaw()
        self._interrupted(name)

    async def until(self, what: str, holds: Callable[[], Awaitable[object]]) -> None:
        """Asks until it holds; an OSError (a server is away, a 404) is a no. TimeoutError says what did not come."""
        began = time.monotonic()
        while not await _is_so(holds):
            if time.monotonic() > began + self.scenario.heal_s:
                raise TimeoutError(f"after {self.scenario.heal_s:.0f} s it is still not so that {what}")
            await asyncio.sleep(0.1)

    async def until_died(self, name: str) -> None:
        """Returns when the process has died at its fault point once more than was awaited, be it already.

        TimeoutError or AssertionError if it does not.
        """

        async def died() -> bool:
            assert not self.deaths.unexplained[name], f"{name} died, and not at its fault point"
            return self.deaths.at_points[name] > self._awaited_deaths[name]

        await self.until(f"{name} has died at its fault point", died)
        self._awaited_deaths[name] += 1

    def fault_ends(self) -> None:
        """Healing is counted from here; where a scenario does not say so, from its return."""
        self.over.set()

    async def until_ready(self, name: str) -> None:
        """Returns when /readyz says so; TimeoutError if it does not."""

        async def ready() -> bool:
            return not await self.waits_for(name)

        await self.until(f"{name} is ready", ready)

    async def waits_for(self, name: str) -> str:
        """What /readyz of the process says it waits for; empty when it is ready."""
        try:
            answer = await self.client.http.get(f"{self.services[name].url}/readyz", timeout=5)
        except httpx.TransportError as error:
            return type(error).__name__
        return "" if answer.status_code == 200 else f"{answer.status_code} {answer.text[:300]}"

    @property
    def held(self) -> timedelta:
        """As long as notify may have something in hand."""
        return timedelta(seconds=TIMES_S["notify"]["NOTIFY_UNKNOWN_AFTER_S"] * self.scenario.patience)

    def dsn(self, service: str) -> str:
        """The address of the service's database, past any proxy."""
        return self.stack.postgres.dsn(service)

    def is_wanted(self, name: str) -> bool:
        """Whether the process should run now."""
        return name in self._wanted

    async def sql(self, service: str, query: str, *values: object) -> list[asyncpg.Record]:
        """Rows of the service's database; waits for the server while it is away."""
        return await self.books.fetch(service, query, *values)

    async def as_admin(self, *statements: str, database: str = "postgres") -> None:
        """Runs statements as the superuser on a connection of their own, each in a transaction of its own."""
        connection = await asyncpg.connect(self.stack.postgres.admin_dsn(database), timeout=10)
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            connection.terminate()

    async def ask_as_admin(self, query: str, *values: object, database: str = "postgres") -> list[asyncpg.Record]:
        """Rows of one query of the superuser."""
        connection = await asyncpg.connect(self.stack.postgres.admin_dsn(database), timeout=10)
        try:
            return await connection.fetch(query, *values)
        finally:
            connection.terminate()

    async def management(self, method: str, path: str, body: Any = None) -> Any:
        """One request to RabbitMQ's HTTP API as its administrator."""
        return await asyncio.to_thread(self.stack.rabbit.management.request, method, path, body)

    async def queues(self) -> dict[str, QueueDepth]:
        """Every queue by its name, those of the partners' virtual host as well; up to a second old."""
        return await asyncio.to_thread(self.stack.rabbit.management.queues, None)

    async def queue_depths(self) -> dict[str, int]:
        """Messages in each of them, ready and unacknowledged."""
        return {name: queue.ready + queue.unacknowledged for name, queue in (await self.queues()).items()}

    # -- Its life ----------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Servers, then services, then the world; the load is planned and not begun."""
        if self.scenario.before_servers:
            await self.scenario.before_servers(self)
        await asyncio.to_thread(self.stack.start)
        if self.scenario.before_services:
            await self.scenario.before_services(self)
        self.services |= {name: ServiceProcess(self.stack, name) for name in SERVICES}
        for name in SERVICES:
            await self.start_service(name, ready=False)
        self._upkeep.append(asyncio.create_task(self._supervise()))
        for name in SERVICES:
            await self.until_ready(name)

    async def settle_in(self, client: Client, receiver: WebhookReceiver) -> None:
        """Seeds the world and plans the load."""
        few, calm = self.scenario.cooperatives, self.scenario.pushes_per_s
        self.world = await world.make(client, self._operator_key, receiver, self.random, few)
        self.load = Load(client, self.world, self.seed, calm, self.scenario.load_s)
        await self.counts.begin(client.http)
        self._upkeep.append(asyncio.create_task(self.counts.sample_forever()))
        self._upkeep.append(asyncio.create_task(self.interruptions.watch_ourselves("notify")))

    async def end(self) -> None:
        """Kills what runs; the data goes, the logs stay."""
        for task in self._upkeep:
            task.cancel()
        await asyncio.gather(*self._upkeep, return_exceptions=True)
        await self.books.close()
        if self.scenario.after:
            await self.scenario.after(self)

    async def _supervise(self) -> None:
        while True:
            for name in sorted(self._wanted):
                process = self.services[name]
                if process.pid is None and name in self._wanted:
                    self._interrupted(name)
                    self.counts.kills += self.deaths.note(process)
                    process.extra_environment = self.environment[process.service]
                    self.deaths.starts(process)
                    with contextlib.suppress(OSError):
                        await asyncio.to_thread(process.start)
            await asyncio.sleep(0.1)

    def _interrupted(self, name: str) -> None:
        self.interruptions.note(self.services[name].service)


async def _is_so(holds: Callable[[], Awaitable[object]]) -> bool:
    try:
        return bool(await holds())
    except OSError:
        return False


@asynccontextmanager
async def entered(scenario: Scenario, seed: int, root: Path, template_root: Path) -> AsyncIterator[Arena]:
    """An arena whose services are ready and whose world is seeded; everything of it is ended at the end."""
    key = await asyncio.to_thread(template.copy, template_root, root)
    arena = Arena(scenario, seed, root, key)
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=64)
    timeout = httpx.Timeout(8, connect=2)
    try:
        async with httpx.AsyncClient(timeout=timeout, limits=limits, trust_env=False) as http:
            arena.client = Client(arena.stack, http)
            await arena.start()
            providers = arena.stack.providers
            arena.received = Received(arena.stack.mail_directory, providers.url if providers else None)
            async with WebhookReceiver(arena.received) as receiver:
                await arena.settle_in(arena.client, receiver)
                yield arena
    finally:
        await arena.end()


def settings_of(arena: Arena, service: str) -> Mapping[str, str]:
    """All variables with which the service is started, for its command line (`quarantine`, `rebuild`)."""
    return {**os.environ, **arena.stack.environment(service), **arena.environment[service]}
