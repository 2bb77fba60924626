"""Our services on databases and a virtual host of their own, so that several states stand side by side."""

from pathlib import Path

from infra.local.processes import ServiceProcesses
from infra.local.stack import Stack
from infra.rabbitmq.definitions import SERVICES
from tests.perf.generator import CHECKOUT
from tests.perf.market import Market
from tests.perf.ours import Ours, environment


class Apart(Ours):
    """Another one of ours, maybe from another checkout. It has the same ports, so only one runs at a time."""

    def __init__(self, stack: Stack, market: Market, name: str, checkout: Path = CHECKOUT) -> None:
        super().__init__(stack, market)
        self.name = name
        self._services = ServiceProcesses(
            stack,
            extra_environment={
                service: {
                    **found,
                    f"{service.upper()}_DATABASE_URL": self.dsn(service),
                    f"{service.upper()}_AMQP_URL": stack.rabbit.amqp_url(service, name),
                }
                for service, found in environment().items()
            },
            checkout=checkout,
        )

    def dsn(self, service: str) -> str:
        """The service's address of this database."""
        return self._stack.postgres.dsn(service, self._database(service))

    async def prepare(self) -> None:
        """Makes everything anew, migrates and seeds."""
        self.remove()
        for service in SERVICES:
            self._stack.postgres.create_database(self._database(service), service)
        self._stack.rabbit.management.create_vhost(self.name)
        await super().prepare()

    def remove(self) -> None:
        """Gives the disk back."""
        for service in SERVICES:
            self._stack.postgres.drop_database(self._database(service))
        self._stack.rabbit.management.delete_vhost(self.name)

    def _database(self, service: str) -> str:
        return f"{self.name}_{service}"
