"""CPU time of processes, as the kernel counts it."""

import os
from collections.abc import Mapping

from infra.local.owned import descendants, stat_fields

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def cpu_us(pid: int) -> int:
    """CPU time in µs that a process has used, with all below it, those that have ended included."""
    ticks = 0
    for one in (pid, *(child for child, _ in descendants(pid))):
        ticks += sum(map(int, stat_fields(one)[11:15]))  # utime, stime, and those of children waited for
    return ticks * 1_000_000 // _TICKS_PER_S


def used_us(before: Mapping[str, int], after: Mapping[str, int], per: int) -> dict[str, int]:
    """CPU time of each group between two looks, in µs per `per`."""
    return {name: round((after[name] - before[name]) / per) for name in after}
