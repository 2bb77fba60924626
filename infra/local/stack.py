"""One private stack below one directory: PostgreSQL, RabbitMQ, credentials, and the services' environment.

Any number of stacks run side by side; a directory holds one at a time. What an earlier run left behind there
after a crash is recognised and ended first, and nothing else on the machine is touched.
"""

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from infra.local import binaries, owned, places
from infra.local.binaries import PostgresBinaries, RabbitBinaries
from infra.local.cluster import NODE_NAMES, RabbitCluster
from infra.local.credentials import Credentials, load_or_create
from infra.local.errors import LocalStackError
from infra.local.mail import SENDER, MailServer
from infra.local.ports import choose_ports
from infra.local.postgres import PostgresServer
from infra.local.provider_server import NAME as PROVIDERS
from infra.local.provider_server import ProviderServer
from infra.local.rabbitmq import RabbitPorts, RabbitServer
from infra.local.standby import SynchronousPair
from infra.rabbitmq.definitions import PARTNERS_DOOR, PARTNERS_VHOST, SERVICES

_NODE_PORTS = ("amqp", "management", "distribution")
_SERVERS = ("postgres", "standby", "amqp", "management", "distribution", "epmd", "smtp")


@dataclass
class Stack:
    """PostgreSQL, RabbitMQ and a mailbox, and all that a service needs to know to use them.

    `root` holds data, logs and credentials. `fresh` starts on empty servers. A `detached` stack outlives this
    process; any other one ends with it. The services take their `preferred_http_ports` if these are free.
    `postgres_disk_mib` puts PostgreSQL on a disk of that size in memory, for the time the stack runs; `with_standby`
    adds a second PostgreSQL (`pair`) which has all that the first one acknowledged. `with_cluster` starts
    three RabbitMQ nodes (`cluster`), of which `rabbit` is the first; a single one that `reports_often` says every
    second how deep its queues are, as tests want to know it. `with_providers` starts local providers of Zalo, SMS and
    Telegram, and notify uses them; otherwise it has mail alone.
    """

    root: Path
    fresh: bool = False
    detached: bool = False
    durable: bool = True
    reports_often: bool = True
    preferred_http_ports: dict[str, int] = field(default_factory=dict)
    postgres_settings: dict[str, str] = field(default_factory=dict)
    postgres_disk_mib: int | None = None
    with_standby: bool = False
    with_cluster: bool = False
    with_providers: bool = False

    postgres: PostgresServer = field(init=False)
    pair: SynchronousPair | None = field(init=False, default=None)
    rabbit: RabbitServer = field(init=False)
    cluster: RabbitCluster | None = field(init=False, default=None)
    mail: MailServer = field(init=False)
    providers: ProviderServer | None = field(init=False, default=None)
    credentials: Credentials = field(init=False)
    http_ports: dict[str, int] = field(init=False)
    _lock: int | None = field(init=False, default=None, repr=False)

    def __post_init__(self) -> None:
        self.root = self.root.resolve()

    @classmethod
    def attach(cls, root: Path) -> "Stack | None":
        """The detached stack that an earlier command started below `root`, or None if nothing of it runs."""
        stack = cls(root, detached=True)
        if not stack._is_left_running():
            return None
        ports = json.loads(stack._state_path.read_text())["ports"]
        stack.with_providers = PROVIDERS in ports
        stack._build(ports)
        return stack

    def start(self) -> None:
        """Start the servers at once and make the databases; LocalStackError if a stack runs here already."""
        self.root.mkdir(parents=True, exist_ok=True)
        self._take_lock()
        try:
            if self._is_left_running():
                raise LocalStackError(f"a stack is already running in {self.root}; stop it with `make down`")
            owned.kill_all(self.run_directory)
            self._build(self._choose_ports())
            self._start_servers()
        except BaseException:
            self._stop_servers()
            self._release_lock()
            raise
        if self.detached:
            self._release_lock()

    def stop(self, *, remove: bool = False) -> None:
        """Stop what runs below `root`, services first; with `remove` delete the whole directory as well."""
        found = (owned.find(self.run_directory, name) for name in owned.names(self.run_directory))
        services = [it for it in found if it and it.name.startswith("service-")]
        with ThreadPoolExecutor(max_workers=len(services) + 1) as pool:
            list(pool.map(lambda service: service.stop(30), services))
        if remove:
            self._delete()
        else:
            self._stop_servers()
        self._state_path.unlink(missing_ok=True)
        self._release_lock()

    def delete(self) -> None:
        """Delete the directory and all data of a stack that nobody uses; LocalStackError if somebody does."""
        if self.root.exists():
            self._take_lock()
            if self._is_left_running():
                self._release_lock()
                raise LocalStackError(f"a stack is running in {self.root}")
            self._delete()
            self._release_lock()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def run_directory(self) -> Path:
        """Holds one file per process that was started below `root`."""
        return self.root / "run"

    @property
    def log_directory(self) -> Path:
        """Holds one log per process."""
        return self.root / "logs"

    @property
    def mail_directory(self) -> Path:
        """The Maildir with every mail that the services sent."""
        return self.mail.directory

    def base_url(self, service: str) -> str:
        """Where the service answers HTTP."""
        return f"http://127.0.0.1:{self.http_ports[service]}"

    def dsn(self, service: str) -> str:
        """The address of the service's database; of both servers where there is a standby."""
        return (self.pair or self.postgres).dsn(service)

    def environment(self, service: str) -> dict[str, str]:
        """The variables from which the service reads its settings."""
        prefix = service.upper()
        outside = {
            "NOTIFY_PUBLIC_URL": self.base_url("notify"),
            "NOTIFY_LINK_SECRETS": self.credentials.links,
            "NOTIFY_SMTP_HOST": "127.0.0.1",
            "NOTIFY_SMTP_PORT": str(self.mail.port),
            "NOTIFY_SMTP_TLS": "none",
            "NOTIFY_SMTP_SENDER": SENDER,
            "NOTIFY_WEBHOOK_PRIVATE_NETWORKS": "127.0.0.0/8",
            **(self.providers.settings if self.providers else {}),
        }
        broker = self.cluster or self.rabbit
        door = {f"{prefix}_PARTNERS_AMQP_URL": broker.amqp_url(service, PARTNERS_VHOST)}
        return {
            **(outside if service == "notify" else {}),
            **(door if service == PARTNERS_DOOR else {}),
            f"{prefix}_DATABASE_URL": self.dsn(service),
            f"{prefix}_AMQP_URL": broker.amqp_url(service),
            f"{prefix}_HTTP_HOST": "127.0.0.1",
            f"{prefix}_HTTP_PORT": str(self.http_ports[service]),
        }

    @property
    def _state_path(self) -> Path:
        return self.root / "stack.json"

    def _is_left_running(self) -> bool:
        """Only a detached stack runs on when nobody holds the lock; all else is left over from a crash."""
        if not self._state_path.exists() or not json.loads(self._state_path.read_text())["detached"]:
            return False
        return any(owned.find(self.run_directory, name) for name in owned.names(self.run_directory))

    def _choose_ports(self) -> dict[str, int]:
        names = [*_SERVERS, *SERVICES, *([PROVIDERS] if self.with_providers else ())]
        if self.with_cluster:
            names += [f"{port}-{node}" for node in NODE_NAMES[1:] for port in _NODE_PORTS]
        before: dict[str, int] = {}
        if (self.root / "ports.json").exists():
            before = json.loads((self.root / "ports.json").read_text())
        wishes = self.preferred_http_ports | before
        ports = dict(zip(names, choose_ports([wishes.get(name) for name in names]), strict=True))
        (self.root / "ports.json").write_text(json.dumps(ports, indent=2))
        return ports

    def _build(self, ports: dict[str, int]) -> None:
        found_postgres, found_rabbit = binaries.find_or_install()
        self.credentials, new = load_or_create(self.root / "credentials.json")
        self.fresh = self.fresh or new  # data of lost credentials can't be opened any more
        self.http_ports = {service: ports[service] for service in SERVICES}
        self.postgres = self._postgres_server(found_postgres, ports["postgres"], disk_mib=self.postgres_disk_mib)
        if self.with_standby:
            standby = self._postgres_server(found_postgres, ports["standby"], name="standby", follows=self.postgres)
            self.pair = SynchronousPair(self.postgres, standby)
        self._build_broker(found_rabbit, ports)
        self.mail = MailServer(self.root, port=ports["smtp"], tied=not self.detached)
        if self.with_providers:
            self.providers = ProviderServer(
                self.root,
                port=ports[PROVIDERS],
                notify_url=self.base_url("notify"),
                link_secrets=self.credentials.links,
                tied=not self.detached,
            )
        self._state_path.write_text(json.dumps({"detached": self.detached, "ports": ports}))

    def _build_broker(self, found: RabbitBinaries, ports: dict[str, int]) -> None:
        def node_ports(suffix: str) -> RabbitPorts:
            amqp, management, distribution = (ports[name + suffix] for name in _NODE_PORTS)
            return RabbitPorts(amqp, management, distribution, ports["epmd"])

        options: dict[str, Any] = {
            "admin_password": self.credentials.rabbit_admin,
            "service_passwords": self.credentials.rabbit,
            "tied": not self.detached,
        }
        if self.with_cluster:
            nodes = [node_ports(suffix) for suffix in ("", *(f"-{name}" for name in NODE_NAMES[1:]))]
            self.cluster = RabbitCluster(self.root, found, ports=nodes, **options)
            self.rabbit = self.cluster.nodes[0]
        else:
            self.rabbit = RabbitServer(
                self.root, found, ports=node_ports(""), reports_often=self.reports_often, **options
            )

    def _postgres_server(self, found: PostgresBinaries, port: int, **options: Any) -> PostgresServer:
        return PostgresServer(
            self.root,
            found,
            port=port,
            admin_password=self.credentials.postgres_admin,
            service_passwords=self.credentials.postgres,
            tied=not self.detached,
            durable=self.durable,
            settings=self.postgres_settings,
            **options,
        )

    def _start_servers(self) -> None:
        def start_postgres() -> None:
            self.postgres.start(fresh=self.fresh)
            self.postgres.create_service_databases()
            if self.pair:
                self.pair.start()

        with ThreadPoolExecutor(max_workers=3) as pool:
            starts = [
                pool.submit((self.cluster or self.rabbit).start, fresh=self.fresh),
                pool.submit(start_postgres),
                pool.submit(self.mail.start, fresh=self.fresh),
            ]
            if self.providers:
                starts.append(pool.submit(self.providers.start, fresh=self.fresh))
        for start in starts:
            start.result()

    def _stop_servers(self) -> None:
        def stop_postgres() -> None:
            (self.pair or self.postgres).stop()
            places.unmount(self.root, "postgres")

        if hasattr(self, "mail"):
            with ThreadPoolExecutor(max_workers=3) as pool:
                for stopped in (
                    pool.submit(stop_postgres),
                    pool.submit(self.mail.stop),
                    pool.submit(self.providers.stop if self.providers else lambda: None),
                    pool.submit((self.cluster or self.rabbit).stop, gently=not self.fresh),
                ):
                    stopped.result()

    def _delete(self) -> None:
        """Nothing of it is kept, so what still runs need not stop gently."""
        owned.kill_all(self.run_directory)
        self.delete_data()
        shutil.rmtree(self.root)

    def delete_data(self) -> None:
        """Delete what the servers stored, wherever it lies. None of them may run."""
        for server in ("postgres", "standby", "rabbitmq", *NODE_NAMES):
            places.delete(self.root, server)

    def _take_lock(self) -> None:
        # A bare descriptor: it lasts as long as this process, even when nobody keeps the Stack.
        lock = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            raise LocalStackError(f"a stack is already running in {self.root}") from None
        self._lock = lock

    def _release_lock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def delete_abandoned(directories: Iterable[Path]) -> None:
    """Delete the stacks of crashed runs, with what still runs of them; those in use are left alone."""
    for root in directories:
        with contextlib.suppress(LocalStackError):
            Stack(root).delete()
