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
import subprocess
import time
import urllib.error
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from infra.local import owned, places
from infra.local.binaries import RabbitBinaries
from infra.local.epmd import PortMapper
from infra.local.errors import LocalStackError, last_lines
from infra.local.management import Management
from infra.rabbitmq.definitions import SERVICES, definitions

_CONFIGURATION = """\
listeners.tcp.1 = 127.0.0.1:{amqp}
management.tcp.ip = 127.0.0.1
management.tcp.port = {management}
management.rates_mode = none
load_definitions = definitions.json
vm_memory_high_watermark.absolute = {memory}
disk_free_limit.absolute = 64MiB
raft.wal_max_size_bytes = 67108864
max_message_size = {message}
"""
MAX_MESSAGE_BYTES = 1_310_720
"""As in infra/rabbitmq/cho-phien.conf, which says why."""
_CLUSTER_CONFIGURATION = """\
cluster_partition_handling = pause_minority
cluster_formation.peer_discovery_backend = classic_config
"""
# Quorum queues report their depth with each tick, for which rabbitmq.conf of 3.10 has no name. It keeps no step with
# what comes every second, or a queue that is empty in between would never be seen so.
_OFTEN = "[{rabbit, [{quorum_tick_interval, 730}, {collect_statistics_interval, 1000}]}].\n"
_AS_BY_DEFAULT = "[].\n"  # both every five seconds
# Within this time nodes that don't hear each other notice it.
_TICK_S = 8
# RabbitMQ refuses some characters in paths, and 3.10 does not start below a name with diacritics.
_PLAIN_PATH = re.compile(r"[A-Za-z0-9_./+@,=~-]+")


@dataclass(frozen=True)
class RabbitPorts:
    """The loopback ports of one node: clients, HTTP API, Erlang distribution, Erlang's port mapper."""

    amqp: int
    management: int
    distribution: int
    epmd: int


@dataclass(frozen=True)
class Membership:
    """What the nodes of one cluster share."""

    node_names: tuple[str, ...]
    cookie: str
    port_mapper: PortMapper


class RabbitServer:
    """One node with one user per service. `root` is the stack's directory; see PostgresServer for `tied`.

    A node of a cluster has its own `name`, which is one of the membership's node names before the `@`. One that
    `reports_often` says every second how deep its queues are, which costs it 2 % of a core.
    """

    def __init__(
        self,
        root: Path,
        binaries: RabbitBinaries,
        *,
        ports: RabbitPorts,
        admin_password: str,
        service_passwords: Mapping[str, str],
        tied: bool = True,
        reports_often: bool = True,
        name: str = "rabbitmq",
        membership: Membership | None = None,
    ) -> None:
        self.ports = ports
        self.name = name
        self.log_path = root / "logs" / f"{name}.log"
        self.management = Management(ports.management, admin_password)
        self._root = root
        self._run_directory = root / "run"
        self._binaries = binaries
        self._definitions = definitions(service_passwords, admin_password)
        self._service_passwords = service_passwords
        self._tied = tied
        self._reports_often = reports_often
        self._membership = membership
        self._port_mapper = (
            membership.port_mapper if membership else PortMapper(root, binaries.epmd, port=ports.epmd, tied=tied)
        )
        self.node_name = node_name(root, name)

    def start(self, *, fresh: bool = False) -> None:
        """Start it, without any earlier data if `fresh`; returns when clients are let in."""
        if self.alive:
            raise LocalStackError("RabbitMQ runs already")
        if fresh:
            self.wipe()
        home = self._home
        self._write_configuration(home)
        self._port_mapper.start()
        owned.spawn(
            self.name,
            [self._binaries.server],
            run_directory=self._run_directory,
            log_path=self.log_path,
            environment=self._environment(home),
            working_directory=home,
            tied=self._tied,
        )
        self._wait_until_clients_are_let_in(timeout_s=90)

    def stop(self, *, gently: bool = True) -> None:
        """Shut the node down, and its port mapper if it has its own.

        Not gently, which is faster, when no data will be kept.
        """
        if not gently:
            self.kill()
        if process := owned.find(self._run_directory, self.name):
            process.stop(60)
        if self._membership is None:
            self._port_mapper.stop()

    def kill(self) -> None:
        """SIGKILL to the node, as when the power fails."""
        if process := owned.find(self._run_directory, self.name):
            process.kill()

    def freeze(self) -> None:
        """SIGSTOP to the node: its connections stay open and nothing answers on them."""
        if process := owned.find(self._run_directory, self.name):
            process.freeze()

    def thaw(self) -> None:
        """SIGCONT."""
        if process := owned.find(self._run_directory, self.name):
            process.thaw()

    def restart(self) -> None:
        """Stop and start on the same ports with the same data."""
        self.stop()
        self.start()

    def wipe(self) -> None:
        """Delete everything the node stored. It must not run."""
        if self.alive:
            raise LocalStackError("RabbitMQ still runs; stop it before its data is deleted")
        places.delete(self._root, self.name)

    @property
    def alive(self) -> bool:
        """True while the node's process exists."""
        return owned.find(self._run_directory, self.name) is not None

    @property
    def lets_clients_in(self) -> bool:
        """False also when it runs and has paused, because it sees too few others of its cluster."""
        return _speaks_amqp(self.ports.amqp)

    def amqp_url(self, service: str, vhost: str = "/") -> str:
        """The address with the service's own user."""
        password = self._service_passwords[service]
        return f"amqp://{service}:{password}@127.0.0.1:{self.ports.amqp}/{quote(vhost, safe='')}"

    def evaluate(self, expression: str, timeout_s: float = 30) -> str:
        """Have the node evaluate an Erlang expression, also while it refuses clients; the printed result."""
        command = [str(self._binaries.server.with_name("rabbitmqctl")), "--quiet", "--node", self.node_name]
        command += ["--timeout", str(int(timeout_s)), "eval", expression]
        result = subprocess.run(
            command,
            env=self._environment(self._home),
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode != 0:
            raise LocalStackError(f"rabbitmqctl failed:\n{result.stdout}{result.stderr}")
        return result.stdout.strip()

    @property
    def _home(self) -> Path:
        return places.settle(self._root, self.name, None, lambda it: _PLAIN_PATH.fullmatch(str(it)) is not None)

    def _write_configuration(self, home: Path) -> None:
        _write_private(home / "definitions.json", json.dumps(self._definitions))
        (home / "rabbitmq.conf").write_text(
            _CONFIGURATION.format(
                amqp=self.ports.amqp,
                management=self.ports.management,
                memory="512MiB" if self._membership else "1GiB",
                message=MAX_MESSAGE_BYTES,
            )
            + self._cluster_configuration()
        )
        (home / "advanced.config").write_text(_OFTEN if self._reports_often else _AS_BY_DEFAULT)
        (home / "enabled_plugins").write_text("[rabbitmq_management].\n")
        (home / "rabbitmq-env.conf").write_text("")
        if self._membership:
            _write_private(home / ".erlang.cookie", self._membership.cookie)
        version, written_by = ".".join(map(str, self._binaries.version)), home / "version"
        if written_by.exists() and written_by.read_text() != version:
            # The databases hold the truth; a broker of another generation starts empty and heals.
            shutil.rmtree(home / "data", ignore_errors=True)
        written_by.write_text(version)

    def _cluster_configuration(self) -> str:
        if self._membership is None:
            return ""
        nodes = enumerate(self._membership.node_names, start=1)
        return _CLUSTER_CONFIGURATION + "".join(
            f"cluster_formation.classic_config.nodes.{number} = {name}\n" for number, name in nodes
        )

    def _environment(self, home: Path) -> dict[str, str]:
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "LANG": "C.UTF-8",
            "HOME": str(home),  # of the Erlang cookie
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self._port_mapper.port),
            "ERL_FLAGS": f"-kernel inet_dist_use_interface {{127,0,0,1}} -kernel net_ticktime {_TICK_S}",
            "ERL_CRASH_DUMP_SECONDS": "0",
            "RUNNING_UNDER_SYSTEMD": "true",  # the script becomes the node instead of its parent
            "RABBITMQ_NODENAME": self.node_name,
            "RABBITMQ_DIST_PORT": str(self.ports.distribution),
            "RABBITMQ_CONF_ENV_FILE": str(home / "rabbitmq-env.conf"),
            "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(home / "advanced.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(home / "data"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_LOG_BASE": str(home / "logs"),
        }

    def _wait_until_clients_are_let_in(self, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while not (self._definitions_are_imported() and self.lets_clients_in):
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


def node_name(root: Path, name: str) -> str:
    """Erlang's name of a node of the stack in `root`; no other stack on this machine has it."""
    digest = hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:12]
    return f"cho-phien-{digest}-{name}@localhost"


def _write_private(path: Path, content: str) -> None:
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(content)


def _speaks_amqp(port: int) -> bool:
    """True if the node answers a protocol header with its Start method."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as client:
            client.settimeout(5)
            client.sendall(b"AMQP\x00\x00\x09\x01")
            return client.recv(1) == b"\x01"
    except OSError:
        return False
