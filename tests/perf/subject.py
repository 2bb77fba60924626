"""What is measured: a system that takes pushes over HTTP until every order is promised, moved and noticed.

Ours and its peers run one after the other on the same private servers, with durable settings.
"""

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from infra.local import owned
from infra.local.errors import LocalStackError, last_lines
from infra.local.stack import Stack
from tests.perf import hammer
from tests.perf.cpu import cpu_us
from tests.perf.figures import RESULTS
from tests.perf.hammer import Outcome
from tests.perf.market import Push
from tests.perf.peers.base import Progress

CHECKOUT = Path(__file__).resolve().parents[2]


class Subject(Protocol):
    """One system. It is prepared once; its processes run only while it is measured."""

    @property
    def name(self) -> str:
        """How it is called in reports."""

    @property
    def http_port(self) -> int:
        """Where it takes pushes."""

    @property
    def orders_dsn(self) -> str:
        """Its database with the orders."""

    async def prepare(self) -> None:
        """Makes its databases anew."""

    def start(self) -> None:
        """Starts its processes; returns when they are ready."""

    def stop(self) -> None:
        """Ends them gently."""

    def pids(self) -> Mapping[str, int]:
        """Its processes by name."""

    async def progress(self) -> Progress:
        """How far the orders are."""

    async def check(self) -> list[str]:
        """What is wrong with its books, in words."""


@contextmanager
def running(subject: Subject) -> Iterator[None]:
    """The subject's processes run inside."""
    subject.start()
    try:
        yield
    finally:
        subject.stop()


def until_it_answers(port: int, log_path: Path, timeout_s: float = 30) -> None:
    """Returns when something answers GET /healthz with 200; LocalStackError with the end of the log if nothing does."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            with opener.open(f"http://127.0.0.1:{port}/healthz", timeout=5):
                return
        except OSError as error:
            if time.monotonic() > deadline:
                raise LocalStackError(f"no answer at port {port}: {error}\n{last_lines(log_path)}") from None
        time.sleep(0.05)


@dataclass(frozen=True)
class Servers:
    """The private PostgreSQL and RabbitMQ of a run."""

    stack: Stack

    def pids(self) -> dict[str, int]:
        """The two servers."""
        found = {name: owned.find(self.stack.run_directory, name) for name in ("postgres", "rabbitmq")}
        missing = [name for name, process in found.items() if process is None]
        if missing:
            raise LocalStackError(f"{' and '.join(missing)} do not run")
        return {{"rabbitmq": "beam"}.get(name, name): process.pid for name, process in found.items() if process}

    def cpu(self, subject: Subject) -> dict[str, int]:
        """CPU time so far in µs: of the subject's processes and of the servers."""
        return {name: cpu_us(pid) for name, pid in {**subject.pids(), **self.pids()}.items()}


@contextmanager
def servers(root: Path = RESULTS / "stack") -> Iterator[Servers]:
    """Fresh servers that wait for the disk as in production."""
    if root.exists():
        Stack(root).delete()
    with Stack(root, fresh=True, durable=True) as stack:
        yield Servers(stack)


class Generator:
    """A load generator with its plan in hand; `go` lets it send."""

    def __init__(self, module: str, plan: bytes) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", module], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=CHECKOUT
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(plan + b"\n")
        self._process.stdin.flush()
        if self._process.stdout.readline() != b"ready\n":
            raise LocalStackError("the load generator did not get ready")

    def go(self) -> float:
        """Lets it send; returns the moment (monotonic, in s)."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        self._process.stdin.flush()
        return time.monotonic()

    def outcome(self) -> Outcome:
        """Waits until all is answered. Raises AssertionError if anything was refused."""
        assert self._process.stdout is not None
        out = self._process.stdout.read()
        self._process.communicate()
        found = Outcome(**json.loads(out))
        refused = {status: count for status, count in found.statuses.items() if status not in ("200", "202")}
        assert not refused, f"refused: {refused}"
        return found


class Hammering(Generator):
    """Requests over HTTP, `per_s` of them or as fast as they are answered."""

    def __init__(self, port: int, connections: int, pushes: Sequence[Push], per_s: float | None = None) -> None:
        super().__init__("tests.perf.hammer", hammer.plan(port, connections, pushes, per_s))
