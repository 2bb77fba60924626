"""Processes that end without being told to: which of them a fault point explains, and which of them nothing does."""

import json
import signal
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol


class Process(Protocol):
    """What is to be known of a service's process."""

    name: str
    service: str
    extra_environment: Mapping[str, str]

    @property
    def log_path(self) -> Path:
        """All that it printed, over all its starts."""

    @property
    def exit_code(self) -> int | None:
        """How it ended; None while it runs."""


class Deaths:
    """Counted by the process's name."""

    def __init__(self) -> None:
        self.all: Counter[str] = Counter()
        self.at_points: Counter[str] = Counter()
        """By SIGKILL, at the fault point for which the process was armed, which its log names."""
        self.unexplained: Counter[str] = Counter()
        """No fault of a server may end a service, and a crash is not the death that a scenario wants."""
        self._log_sizes: dict[str, int] = {}

    def starts(self, process: Process) -> None:
        """To be told before the process is started: what its log says from here on is its own."""
        self._log_sizes[process.name] = process.log_path.stat().st_size if process.log_path.exists() else 0

    def note(self, process: Process) -> bool:
        """Counts the death of a process that has ended; whether it was by SIGKILL."""
        self.all[process.name] += 1
        killed = process.exit_code == -signal.SIGKILL
        if killed and armed_for(process) in set(self._points_in_log(process)):
            self.at_points[process.name] += 1
        else:
            self.unexplained[process.name] += 1
        return killed

    def _points_in_log(self, process: Process) -> Iterator[str]:
        with process.log_path.open("rb") as log:
            log.seek(self._log_sizes.get(process.name, 0))
            for line in log:
                if b'"fault_point"' in line:
                    yield json.loads(line)["fault_point"]


def armed_for(process: Process) -> str | None:
    """The step at which the process is to die; None if at none."""
    chosen = process.extra_environment.get(f"{process.service.upper()}_FAULT_POINT")
    return chosen.partition("*")[0].partition("=")[0] if chosen else None
