"""What is measured: a system that takes pushes over HTTP until every order is promised, moved and noticed.

Ours and its peers run one after the other on the same private servers, with durable settings.
"""

import time
import urllib.request
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from infra.local import owned
from infra.local.errors import LocalStackError, last_lines
from infra.local.stack import Stack
from tests.perf.cpu import cpu_us
from tests.perf.figures import RESULTS
from tests.perf.looks import Looks, looking
from tests.perf.memory import Peaks
from tests.perf.peers.base import Progress
from tests.perf.upkeep import tidy


class Subject(Protocol):
    """One system. It is prepared once; its processes run only while it is measured."""

    @property
    def name(self) -> str:
        """How it is called in reports."""

    @property
    def http_port(self) -> int:
        """Where it takes pushes."""

    @property
    def dsns(self) -> Mapping[str, str]:
        """Its databases by service; that of `orders` is always there."""

    @property
    def is_ours(self) -> bool:
        """Whether its processes are those that we run in earnest."""

    async def prepare(self) -> None:
        """Makes its databases anew."""

    def start(self) -> None:
        """Starts its processes; returns when they are ready."""

    def stop(self) -> None:
        """Ends them gently."""

    def pids(self) -> Mapping[str, int]:
        """Its processes by name."""

    async def progress(self, looks: Looks) -> Progress:
        """How far the orders are."""

    async def is_settled(self, looks: Looks) -> bool:
        """Whether there is nothing left to do for orders that have gone the whole way."""

    async def check(self) -> list[str]:
        """What is wrong with its books, in words."""


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
    """The private PostgreSQL and RabbitMQ of a benchmark, which is called `name`."""

    stack: Stack
    name: str = ""
    peaks: Peaks = field(default_factory=Peaks)

    def pids(self) -> dict[str, int]:
        """The two servers."""
        found = {name: owned.find(self.stack.run_directory, name) for name in ("postgres", "rabbitmq")}
        missing = [name for name, process in found.items() if process is None]
        if missing:
            raise LocalStackError(f"{' and '.join(missing)} do not run")
        return {{"rabbitmq": "beam"}.get(name, name): process.pid for name, process in found.items() if process}

    def note_memory(self, subject: Subject) -> None:
        """Keeps the most that each process of ours has taken so far."""
        if subject.is_ours:
            self.peaks.note(self._place(subject), subject.pids())

    def rss_mib(self, subject: Subject) -> dict[str, int]:
        """The most that each process of the subject had taken when it was looked at."""
        return self.peaks.at(self._place(subject))

    def _place(self, subject: Subject) -> str:
        return f"{self.name}: {subject.name}"


MEMORY = {"shared_buffers": "1GB", "max_wal_size": "4GB"}
"""As one sets them for a server that has a machine to itself; ours for tests are small, since many run side by side."""
MEASURED = {"autovacuum": "off", "track_commit_timestamp": "on"}
"""Tables are tidied up before each run, lest the upkeep of one fall into the time of another. Commits are timed."""


@contextmanager
def servers(
    root: Path = RESULTS / "stack", name: str = "", peaks: Peaks | None = None, settings: Mapping[str, str] = MEASURED
) -> Iterator[Servers]:
    """Fresh servers that wait for the disk, and say how they are, as in production."""
    if root.exists():
        Stack(root).delete()
    with Stack(root, fresh=True, durable=True, reports_often=False, postgres_settings={**MEMORY, **settings}) as stack:
        yield Servers(stack, name, peaks or Peaks())


@dataclass(frozen=True)
class Running:
    """A subject whose processes run."""

    servers: Servers
    subject: Subject
    looks: Looks

    async def progress(self) -> Progress:
        """How far the orders are."""
        return await self.subject.progress(self.looks)

    def cpu(self) -> dict[str, int]:
        """CPU time so far in µs: of the subject's processes and of the servers, without that of looking."""
        found = {name: cpu_us(pid) for name, pid in {**self.subject.pids(), **self.servers.pids()}.items()}
        return found | {"postgres": found["postgres"] - self.looks.cpu_us()}

    async def is_settled(self) -> bool:
        """Whether there is nothing left to do for orders that have gone the whole way."""
        return await self.subject.is_settled(self.looks)

    def note_memory(self) -> None:
        """Keeps the most that each process of ours has taken so far."""
        self.servers.note_memory(self.subject)


@asynccontextmanager
async def running(servers: Servers, subject: Subject) -> AsyncIterator[Running]:
    """The subject's processes run inside, on tables that were tidied up just before. All of them live to the end."""
    await tidy(servers.stack, subject.dsns.values())
    subject.start()
    started = {*subject.pids()}
    try:
        async with looking(subject.dsns) as looks:
            found = Running(servers, subject, looks)
            yield found
            found.note_memory()
        lost = started - {*subject.pids()}
        assert not lost, f"{subject.name} lost {', '.join(sorted(lost))}"
    finally:
        subject.stop()
