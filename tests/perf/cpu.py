"""CPU time and memory of processes, as the kernel counts them."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def cpu_us(pids: Iterable[int]) -> int:
    """CPU time in µs that these processes have used, with all below them, those that have ended included."""
    below = _children()
    waiting, ticks = list(pids), 0
    while waiting:
        pid = waiting.pop()
        waiting += below.get(pid, ())
        fields = _stat(pid)
        ticks += sum(map(int, fields[11:15])) if fields else 0  # utime, stime, and those of children waited for
    return ticks * 1_000_000 // _TICKS_PER_S


def rss_mib(pid: int) -> int:
    """Resident memory of one process in MiB, rounded up; 0 where there is none."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    kib = next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:")), 0)
    return -(-kib // 1024)


def used_us(before: Mapping[str, int], after: Mapping[str, int], per: int) -> dict[str, int]:
    """CPU time of each group between two looks, in µs per `per`."""
    return {name: round((after[name] - before[name]) / per) for name in after}


def _children() -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            found.setdefault(int(fields[1]), []).append(int(entry.name))
    return found


def _stat(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat after the command's name."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []
