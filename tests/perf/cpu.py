"""CPU time of processes and of the machine, as the kernel counts it."""

import os
from collections.abc import Mapping
from pathlib import Path

from infra.local.owned import descendants, stat_fields

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def cpu_us(pid: int) -> int:
    """CPU time in µs that a process has used, with all below it, those that have ended included."""
    ticks = 0
    for one in (pid, *(child for child, _ in descendants(pid))):
        ticks += sum(map(int, stat_fields(one)[11:15]))  # utime, stime, and those of children waited for
    return ticks * 1_000_000 // _TICKS_PER_S


def used_us(before: Mapping[str, int], after: Mapping[str, int], per: int) -> dict[str, float]:
    """CPU time of each group between two looks, in µs per `per`."""
    return {name: (after[name] - before[name]) / per for name in after}


class MachineUse:
    """How busy the machine is from the making of this on."""

    def __init__(self) -> None:
        self._used, self._whole = _machine_ticks()

    def share(self) -> float:
        """1.0 = all cores were busy all the time, with whatever ran on them."""
        used, whole = _machine_ticks()
        return (used - self._used) / (whole - self._whole)


def _machine_ticks() -> tuple[int, int]:
    """What was used of the CPU time so far, and the whole of it."""
    user, nice, system, idle, iowait, irq, softirq, steal = map(int, Path("/proc/stat").read_text().split()[1:9])
    used = user + nice + system + irq + softirq + steal
    return used, used + idle + iowait
