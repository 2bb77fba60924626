"""A peer as a subject: databases and a virtual host of its own on the servers of the run."""

import os
from collections.abc import Mapping
from pathlib import Path

from infra.local import owned
from infra.local.errors import LocalStackError, last_lines
from infra.local.ports import choose_ports
from infra.rabbitmq.definitions import ADMIN
from tests.perf.generator import CHECKOUT
from tests.perf.looks import Looks
from tests.perf.market import Market
from tests.perf.peers.base import SERVICES, Addresses, Peer, Progress
from tests.perf.subject import Servers, until_it_answers


class PeerSubject:
    """Its processes run from the same checkout and with the same Python as ours."""

    is_ours = False

    def __init__(self, peer: Peer, servers: Servers, market: Market) -> None:
        self._peer, self._stack, self._market = peer, servers.stack, market
        self._addresses: Addresses | None = None

    @property
    def name(self) -> str:
        """That of the peer."""
        return self._peer.name

    @property
    def http_port(self) -> int:
        """Where it takes pushes."""
        return self._where.http_port

    @property
    def dsns(self) -> Mapping[str, str]:
        """By service."""
        return self._where.dsns

    @property
    def vhost(self) -> str:
        """Its virtual host."""
        return f"peer-{self.name}"

    async def prepare(self) -> None:
        """Makes its databases and its virtual host."""
        stack, vhost = self._stack, self.vhost
        names = {service: f"peer_{self.name}_{service}" for service in SERVICES}
        for service, database in names.items():
            stack.postgres.create_database(database, service)
        stack.rabbit.management.request("PUT", f"/vhosts/{vhost}")
        everything = {"configure": ".*", "write": ".*", "read": ".*"}
        stack.rabbit.management.request("PUT", f"/permissions/{vhost}/{ADMIN}", everything)
        self._addresses = Addresses(
            {service: stack.postgres.dsn(service, database) for service, database in names.items()},
            f"amqp://{ADMIN}:{stack.credentials.rabbit_admin}@127.0.0.1:{stack.rabbit.ports.amqp}/{vhost}",
            choose_ports([None])[0],
        )
        await self._peer.prepare(self._where, self._market)

    def start(self) -> None:
        """Starts all of its processes and waits for its door."""
        for command in self._peer.commands(self._where):
            owned.spawn(
                self._process_name(command.name),
                command.argv,
                run_directory=self._stack.run_directory,
                log_path=self._log_path(command.name),
                environment={**os.environ, **command.environment},
                working_directory=CHECKOUT,
                tied=True,
            )
        until_it_answers(self.http_port, self._log_path("orders"))

    def stop(self) -> None:
        """SIGTERM to all of them."""
        for command in self._peer.commands(self._where):
            if process := owned.find(self._stack.run_directory, self._process_name(command.name)):
                process.stop(15)

    def pids(self) -> Mapping[str, int]:
        """By process."""
        found = {}
        for command in self._peer.commands(self._where):
            process = owned.find(self._stack.run_directory, self._process_name(command.name))
            if process is None:
                raise LocalStackError(f"{self.name} lost {command.name}:\n{last_lines(self._log_path(command.name))}")
            found[command.name] = process.pid
        return found

    async def progress(self, looks: Looks) -> Progress:
        """As the peer counts it."""
        return await self._peer.progress(looks)

    async def is_settled(self, looks: Looks) -> bool:
        """It does nothing beside the way of an order."""
        return True

    async def check(self) -> list[str]:
        """As the peer checks it."""
        return await self._peer.check(self._where)

    @property
    def _where(self) -> Addresses:
        assert self._addresses is not None, "it is prepared first"
        return self._addresses

    def _process_name(self, command: str) -> str:
        return f"service-peer-{self.name}-{command}"

    def _log_path(self, command: str) -> Path:
        return self._stack.log_directory / f"peer-{self.name}-{command}.log"
