"""Three private RabbitMQ nodes as one cluster; its minority pauses when the nodes lose sight of each other.

A node is cut off without touching the machine's network: it is told a wrong cookie for the others, so that neither
side lets the other connect again, and frozen until they have given their connections up.
"""

import contextlib
import os
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from infra.local.binaries import RabbitBinaries
from infra.local.epmd import PortMapper
from infra.local.errors import LocalStackError, last_lines
from infra.local.rabbitmq import Membership, RabbitPorts, RabbitServer, node_name

NODE_NAMES = ("rabbitmq-1", "rabbitmq-2", "rabbitmq-3")
"""The nodes' data directories, logs and processes are called so."""

_PATIENCE_S = 90


class RabbitCluster:
    """Nodes that share users, queues and one port mapper. `ports` holds one entry for each of the three."""

    def __init__(
        self,
        root: Path,
        binaries: RabbitBinaries,
        *,
        ports: Sequence[RabbitPorts],
        admin_password: str,
        service_passwords: Mapping[str, str],
        tied: bool = True,
    ) -> None:
        self._port_mapper = PortMapper(root, binaries.epmd, port=ports[0].epmd, tied=tied)
        membership = Membership(
            tuple(node_name(root, name) for name in NODE_NAMES), _cookie(root / "cluster.cookie"), self._port_mapper
        )
        self.nodes = [
            RabbitServer(
                root,
                binaries,
                ports=its_ports,
                admin_password=admin_password,
                service_passwords=service_passwords,
                tied=tied,
                name=name,
                membership=membership,
            )
            for name, its_ports in zip(NODE_NAMES, ports, strict=True)
        ]

    def start(self, *, fresh: bool = False) -> None:
        """Start all nodes at once; returns when they are one cluster that lets clients in."""
        self._port_mapper.start()
        with ThreadPoolExecutor(max_workers=len(self.nodes)) as pool:
            for started in [pool.submit(node.start, fresh=fresh) for node in self.nodes]:
                started.result()
        self.wait_until_whole()

    def stop(self, *, gently: bool = True) -> None:
        """Shut all nodes down at once."""
        with ThreadPoolExecutor(max_workers=len(self.nodes)) as pool:
            for stopped in [pool.submit(node.stop, gently=gently) for node in self.nodes]:
                stopped.result()
        self._port_mapper.stop()

    def rolling_restart(self) -> None:
        """Restart one node after the other, each when all are there again."""
        for node in self.nodes:
            node.restart()
            self.wait_until_whole()

    def cut_off(self, node: RabbitServer) -> None:
        """Separate the node from the others; returns when it has paused and they go on without it.

        It is frozen until the others no longer count on it, for otherwise one of them would lose sight of it before
        the other: RabbitMQ calls that a partial partition and pauses both.
        """
        others = self._others(node)
        node.evaluate(f"[erlang:set_cookie(Node, wrong) || Node <- {_erlang_list(others)}].")
        node.freeze()
        try:
            for other in others:
                _wait(partial(_sees, other, {it.node_name for it in others}), f"{other.name} counts on it", other)
        finally:
            node.thaw()
        _wait(lambda: not node.lets_clients_in, f"{node.name} did not pause", node)

    def heal(self, node: RabbitServer) -> None:
        """Let the node see the others again; returns when the cluster is whole."""
        others = _erlang_list(self._others(node))
        node.evaluate(f"[erlang:set_cookie(N, erlang:get_cookie()) || N <- {others}].")
        self.wait_until_whole()

    def wait_until_whole(self) -> None:
        """Returns when every node counts all nodes, and every quorum queue all its members."""
        everybody = {node.node_name for node in self.nodes}
        for node in self.nodes:
            _wait(partial(_sees, node, everybody), f"{node.name} misses others", node)
            _wait(partial(_queues_are_whole, node), f"{node.name} says that queues miss members", node)

    def amqp_url(self, service: str, vhost: str = "/") -> str:
        """The addresses of all nodes for a service, comma separated."""
        return ",".join(node.amqp_url(service, vhost) for node in self.nodes)

    def _others(self, node: RabbitServer) -> list[RabbitServer]:
        return [other for other in self.nodes if other is not node]


def _erlang_list(nodes: Sequence[RabbitServer]) -> str:
    return "[" + ", ".join(f"'{node.node_name}'" for node in nodes) + "]"


def _sees(node: RabbitServer, names: set[str]) -> bool:
    known = node.management.request("GET", "/nodes", timeout_s=5)
    return {it["name"] for it in known if it["running"] and it.get("partitions") == []} == names


def _queues_are_whole(node: RabbitServer) -> bool:
    queues = node.management.request("GET", "/queues", timeout_s=5)
    return all(set(it.get("members", ["?"])) == set(it.get("online", ())) for it in queues if it["type"] == "quorum")


def _wait(holds: Callable[[], bool], complaint: str, node: RabbitServer) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        with contextlib.suppress(OSError):  # no answer, as long as it starts
            if holds():
                return
        if time.monotonic() > deadline:
            raise LocalStackError(f"after {_PATIENCE_S} s: {complaint}:\n{last_lines(node.log_path)}")
        time.sleep(0.1)


def _cookie(path: Path) -> str:
    """What the nodes show each other; kept, because a node that is started again must show the same."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(20))
    return path.read_text()
