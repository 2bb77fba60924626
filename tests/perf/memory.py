"""How much memory processes took, as the kernel counts it."""

from pathlib import Path


def peak_mib(pid: int) -> float:
    """The most that a process has had in memory at once so far."""
    status = Path(f"/proc/{pid}/status").read_text()
    (kib,) = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(kib) / 1024
