"""The one error of the local stack: its message is meant for the person at the terminal."""

from pathlib import Path


class LocalStackError(RuntimeError):
    """Something that the person who typed the command can understand and often repair."""


def last_lines(log_path: Path, count: int = 25) -> str:
    """The end of a log file, for an error message; says so when there is none."""
    try:
        lines = log_path.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        lines = []
    return "\n".join(f"    {line}" for line in lines[-count:]) or "    (its log is empty)"
