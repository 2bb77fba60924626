"""A private RabbitMQ node: own name, directories, cookie and port mapper, everything on loopback ports.

It takes nothing from the caller's environment and nothing from /etc/rabbitmq, and imports its definitions
at every boot, so that users, permissions and exchanges are there even after its data was wiped.
"""

import hashlib
import json
import os
import re
import shutil
import socket
import time
import urllib.error
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from infra.local import owned, places
from infra.local.binaries import RabbitBinaries
from infra.local.errors import LocalStackError, last_lines
from infra.local.management import Management
from infra.rabbitmq.definitions import SERVICES, definitions

_CONFIGURATION = """\
listeners.tcp.1 = 127.0.0.1:{amqp}
management.tcp.ip = 127.0.0.1
management.tcp.port = {management}
management.rates_mode = none
collect_statistics_interval = 1000
load_definitions = definitions.json
vm_memory_high_watermark.absolute = 1GiB
disk_free_limit.absolute = 64MiB
raft.wal_max_size_bytes = 67108864
"""
# Quorum queues report their depth with each tick, for which rabbitmq.conf of 3.10 has no name.
_ADVANCED = "[{rabbit, [{quorum_tick_interval, 1000}]}].\n"
# RabbitMQ refuses some characters in paths, and 3.10 does not start below a name with diacritics.
_PLAIN_PATH = re.compile(r"[A-Za-z0-9_./+@,=~-]+")


@dataclass(frozen=True)
class RabbitPorts:
    """The loopback ports of one node: clients, HTTP API, Erlang distribution, Erlang's port mapper."""

    amqp: int
    management: int
    distribution: int
    epmd: int


class RabbitServer:
    """One node with one user per service. `root` is the stack's directory; see PostgresServer for `tied`."""

    def __init__(
        self,
        root: Path,
        binaries: RabbitBinaries,
        *,
        ports: RabbitPorts,
        admin_password: str,
        service_passwords: Mapping[str, str],
        tied: bool = True,
    ) -> None:
        self.ports = ports
        self.log_path = root / "logs" / "rabbitmq.log"
        self.management = Management(ports.management, admin_password)
        self._root = root
        self._run_directory = root / "run"
        self._binaries = binaries
        self._definitions = definitions(service_passwords, admin_password)
        self._service_passwords = service_passwords
        self._tied = tied
        digest = hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:12]
        self._node_name = f"cho-phien-{digest}@localhost"

    def start(self, *, fresh: bool = False) -> None:
        """Start it, without any earlier data if `fresh`; returns when clients are let in."""
        if self.alive:
            raise LocalStackError("RabbitMQ runs already")
        if fresh:
            self.wipe()
        home = places.settle(self._root, "rabbitmq", None, lambda it: _PLAIN_PATH.fullmatch(str(it)) is not None)
        self._write_configuration(home)
        self._start_epmd()
        owned.spawn(
            "rabbitmq",
            [self._binaries.server],
            run_directory=self._run_directory,
            log_path=self.log_path,
            environment=self._environment(home),
            working_directory=home,
            tied=self._tied,
        )
        self._wait_until_clients_are_let_in(timeout_s=90)

    def stop(self, *, gently: bool = True) -> None:
        """Shut the node and its port mapper down; not gently, which is faster, when no data will be kept."""
        if not gently:
            self.kill()
        if process := owned.find(self._run_directory, "rabbitmq"):
            process.stop(60)
        if process := owned.find(self._run_directory, "epmd"):
            process.stop(10)

    def kill(self) -> None:
        """SIGKILL to the node, as when the power fails."""
        if process := owned.find(self._run_directory, "rabbitmq"):
            process.kill()

    def restart(self) -> None:
        """Stop and start on the same ports with the same data."""
        self.stop()
        self.start()

    def wipe(self) -> None:
        """Delete everything the node stored. It must not run."""
        if self.alive:
            raise LocalStackError("RabbitMQ still runs; stop it before its data is deleted")
        places.delete(self._root, "rabbitmq")

    @property
    def alive(self) -> bool:
        """True while the node's process exists."""
        return owned.find(self._run_directory, "rabbitmq") is not None

    def amqp_url(self, service: str, vhost: str = "/") -> str:
        """The address with the service's own user."""
        password = self._service_passwords[service]
        return f"amqp://{service}:{password}@127.0.0.1:{self.ports.amqp}/{quote(vhost, safe='')}"

    def _write_configuration(self, home: Path) -> None:
        definitions_path = home / "definitions.json"
        definitions_path.touch(mode=0o600)
        definitions_path.write_text(json.dumps(self._definitions))
        (home / "rabbitmq.conf").write_text(
            _CONFIGURATION.format(amqp=self.ports.amqp, management=self.ports.management)
        )
        (home / "advanced.config").write_text(_ADVANCED)
        (home / "enabled_plugins").write_text("[rabbitmq_management].\n")
        (home / "rabbitmq-env.conf").write_text("")
        version, written_by = ".".join(map(str, self._binaries.version)), home / "version"
        if written_by.exists() and written_by.read_text() != version:
            # The databases hold the truth; a broker of another generation starts empty and heals.
            shutil.rmtree(home / "data", ignore_errors=True)
        written_by.write_text(version)

    def _environment(self, home: Path) -> dict[str, str]:
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "LANG": "C.UTF-8",
            "HOME": str(home),  # of the Erlang cookie
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self.ports.epmd),
            "ERL_FLAGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "ERL_CRASH_DUMP_SECONDS": "0",
            "RUNNING_UNDER_SYSTEMD": "true",  # the script becomes the node instead of its parent
            "RABBITMQ_NODENAME": self._node_name,
            "RABBITMQ_DIST_PORT": str(self.ports.distribution),
            "RABBITMQ_CONF_ENV_FILE": str(home / "rabbitmq-env.conf"),
            "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(home / "advanced.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(home / "data"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_LOG_BASE": str(home / "logs"),
        }

    def _start_epmd(self) -> None:
        if owned.find(self._run_directory, "epmd"):
            return
        epmd = owned.spawn(
            "epmd",
            [self._binaries.epmd, "-address", "127.0.0.1", "-port", str(self.ports.epmd)],
            run_directory=self._run_directory,
            log_path=self.log_path,
            environment={"PATH": os.environ.get("PATH", os.defpath)},
            working_directory=Path("/"),
            tied=self._tied,
        )
        deadline = time.monotonic() + 15
        while not _accepts(self.ports.epmd):
            if not epmd.alive or time.monotonic() > deadline:
                raise LocalStackError(f"Erlang's port mapper did not start:\n{last_lines(self.log_path)}")
            time.sleep(0.02)

    def _wait_until_clients_are_let_in(self, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while not (self._definitions_are_imported() and _speaks_amqp(self.ports.amqp)):
            if not self.alive:
                raise LocalStackError(f"RabbitMQ ended at its start:\n{last_lines(self.log_path)}")
            if time.monotonic() > deadline:
                raise LocalStackError(f"RabbitMQ did not answer within {timeout_s:.0f} s:\n{last_lines(self.log_path)}")
            time.sleep(0.05)

    def _definitions_are_imported(self) -> bool:
        """Exchanges come last of what the definitions hold, in the order in which they are imported."""
        try:
            exchanges = self.management.request("GET", "/exchanges/%2F", timeout_s=5)
        except urllib.error.HTTPError as error:
            error.close()  # 401 until our administrator exists
            return False
        except OSError:
            return False
        return {f"{service}.events" for service in SERVICES} <= {it["name"] for it in exchanges}


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=2).close()
    except OSError:
        return False
    return True


def _speaks_amqp(port: int) -> bool:
    """True if the node answers a protocol header with its Start method."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as client:
            client.settimeout(5)
            client.sendall(b"AMQP\x00\x00\x09\x01")
            return client.recv(1) == b"\x01"
    except OSError:
        return False
