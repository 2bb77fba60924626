"""The services as separate processes of a stack: migrated, started, awaited, drained, killed."""

import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from infra.local import owned
from infra.local.errors import LocalStackError, last_lines
from infra.local.stack import Stack
from infra.rabbitmq.definitions import SERVICES

_CHECKOUT = Path(__file__).resolve().parents[2]
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass
class ServiceProcess:
    """One `python -m services.<service> serve`; a second one of a service needs its own name and port.

    `module` is run instead, by those who measure a variant of the service, and `command` instead of `serve`. Another
    `checkout` is run with the Python of its own `.venv`, if it has one.
    """

    stack: Stack
    service: str
    name: str = ""
    module: str = ""
    command: str = "serve"
    arguments: Sequence[str] = ()
    http_port: int = 0
    extra_environment: Mapping[str, str] = field(default_factory=dict)
    checkout: Path = _CHECKOUT
    _last: owned.OwnedProcess | None = field(init=False, default=None, repr=False)

    def __post_init__(self) -> None:
        self.name = self.name or self.service
        self.module = self.module or f"services.{self.service}"
        self.http_port = self.http_port or self.stack.http_ports[self.service]

    @property
    def url(self) -> str:
        """Where this process answers HTTP."""
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def log_path(self) -> Path:
        """Everything it printed, over all its starts."""
        return self.stack.log_directory / f"{self.name}.log"

    @property
    def pid(self) -> int | None:
        """None when it does not run."""
        process = self._process()
        return process.pid if process else None

    @property
    def exit_code(self) -> int | None:
        """How the one that was started last has ended, as -9 for SIGKILL; None while it runs."""
        if self._last is None or self._last.alive:
            return None
        self._last.wait(10)  # the last of its threads may still be on their way out
        return self._last.exit_code

    def start(self) -> None:
        """Start it without waiting; see wait_until_ready."""
        if self._process():
            raise LocalStackError(f"{self.name} runs already")
        self._last = _spawn(self, f"service-{self.name}", [self.command, *self.arguments])

    def wait_until_ready(self, timeout_s: float = 60) -> None:
        """Returns when /readyz answers 200; LocalStackError with the end of the log if it never does."""
        deadline = time.monotonic() + timeout_s
        answer = "no answer"
        while True:
            try:
                with _opener.open(f"{self.url}/readyz", timeout=5):
                    return
            except urllib.error.HTTPError as error:
                answer = f"{error.code}: {error.read(2000).decode(errors='replace')}"
                error.close()
            except OSError as error:
                answer = str(error)
            if self._process() is None:
                raise LocalStackError(f"{self.name} ended at its start:\n{last_lines(self.log_path)}")
            if time.monotonic() > deadline:
                complaint = f"{self.name} was not ready within {timeout_s:.0f} s ({answer})"
                raise LocalStackError(f"{complaint}:\n{last_lines(self.log_path)}")
            time.sleep(0.05)

    def stop(self, timeout_s: float = 30) -> bool:
        """SIGTERM and wait for the drain; SIGKILL after `timeout_s`, and False in that case."""
        process = self._process()
        return process.stop(timeout_s) if process else True

    def kill(self) -> None:
        """SIGKILL."""
        if process := self._process():
            process.kill()

    def freeze(self) -> None:
        """SIGSTOP to the whole process; LocalStackError if it does not run."""
        self._running().freeze()

    def thaw(self) -> None:
        """SIGCONT; LocalStackError if it does not run."""
        self._running().thaw()

    def _running(self) -> owned.OwnedProcess:
        process = self._process()
        if process is None:
            raise LocalStackError(f"{self.name} does not run")
        return process

    def _process(self) -> owned.OwnedProcess | None:
        return owned.find(self.stack.run_directory, f"service-{self.name}")


def accounts_process(stack: Stack) -> ServiceProcess:
    """The process that keeps the partners' users at the broker; no other one has the administrator's password."""
    environment = {"ORDERS_BROKER_ADMIN_URL": stack.rabbit.management.admin_url}
    return ServiceProcess(stack, "orders", "accounts", command="accounts", extra_environment=environment)


class ServiceProcesses:
    """The four services of a stack; as a context manager it migrates, starts, awaits and stops them."""

    def __init__(
        self,
        stack: Stack,
        services: Iterable[str] = SERVICES,
        extra_environment: Mapping[str, Mapping[str, str]] | None = None,
        checkout: Path = _CHECKOUT,
    ) -> None:
        extra = extra_environment or {}
        self._processes = {
            name: ServiceProcess(stack, name, extra_environment=extra.get(name, {}), checkout=checkout)
            for name in services
        }

    def __getitem__(self, service: str) -> ServiceProcess:
        return self._processes[service]

    def __iter__(self) -> Iterator[ServiceProcess]:
        return iter(self._processes.values())

    def migrate(self, timeout_s: float = 60) -> None:
        """Bring all the databases to the newest schema at once; LocalStackError with the log if one fails."""
        running = [(it, _spawn(it, f"migrate-{it.name}", ["migrate"])) for it in self]
        for service, process in running:
            ended = process.wait(timeout_s)
            process.kill()
            if not ended or process.exit_code != 0:
                raise LocalStackError(f"migrating {service.name} failed:\n{last_lines(service.log_path)}")

    def start(self, timeout_s: float = 60) -> None:
        """Start them all and wait until each is ready."""
        for process in self:
            process.start()
        for process in self:
            process.wait_until_ready(timeout_s)

    def stop(self, timeout_s: float = 30) -> bool:
        """Drain and end them all at once; False if one had to be killed."""
        with ThreadPoolExecutor(max_workers=len(self._processes)) as pool:
            return all(list(pool.map(lambda it: it.stop(timeout_s), self)))

    def __enter__(self) -> Self:
        try:
            self.migrate()
            self.start()
        except BaseException:
            self.stop(timeout_s=5)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _spawn(service: ServiceProcess, name: str, arguments: Sequence[str]) -> owned.OwnedProcess:
    stack = service.stack
    environment = {
        **os.environ,
        "PYTHONUNBUFFERED": "1",
        **stack.environment(service.service),
        f"{service.service.upper()}_HTTP_PORT": str(service.http_port),
        **service.extra_environment,
    }
    return owned.spawn(
        name,
        [_python(service.checkout), "-m", service.module, *arguments],
        run_directory=stack.run_directory,
        log_path=service.log_path,
        environment=environment,
        working_directory=service.checkout,
        tied=not stack.detached,
    )


def _python(checkout: Path) -> str:
    own = checkout / ".venv" / "bin" / "python"
    return str(own) if checkout != _CHECKOUT and own.exists() else sys.executable
