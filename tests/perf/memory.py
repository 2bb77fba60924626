"""How much memory processes took, as the kernel counts it."""

import contextlib
from collections.abc import Mapping
from pathlib import Path

from tests.perf.figures import Figure

GOAL_MIB = 150


def peak_mib(pid: int) -> float:
    """The most that a process has had in memory at once so far."""
    status = Path(f"/proc/{pid}/status").read_text()
    (kib,) = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(kib) / 1024


class Peaks:
    """The most that each of our processes took, over all benchmarks of a run of `make bench`."""

    def __init__(self) -> None:
        self._found: dict[str, dict[str, float]] = {}

    def note(self, where: str, pids: Mapping[str, int]) -> None:
        """Looks at these processes, by name; called before they end, since the kernel forgets with them."""
        for name, pid in pids.items():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                there = self._found.setdefault(where, {})
                there[name] = max(peak_mib(pid), there.get(name, 0.0))

    def at(self, where: str) -> dict[str, int]:
        """What was noted there, in MiB."""
        return {name: round(mib) for name, mib in self._found.get(where, {}).items()}

    def figures(self) -> list[Figure]:
        """The greatest against the goal, with where it was; none where no process of ours was looked at."""
        found = {(where, name): mib for where, there in self._found.items() for name, mib in there.items()}
        if not found:
            return []
        where, name = max(found, key=lambda place: found[place])
        greatest = found[where, name]
        other = {
            "where": f"{where}, {name}",
            "rss_mib": {where: self.at(where) for where in self._found},
        }
        return [Figure("growth.memory", "MiB", round(greatest, 1), GOAL_MIB, greatest / GOAL_MIB, "<= 1", other)]
