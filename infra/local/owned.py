"""A process that we started and may therefore stop, recognised even after a crash of ours.

Its file in `<root>/run` holds pid, start time and boot id, which together never name another process. A tied
process dies with its parent (the kernel sends the signal), so that a crashed test run leaves nothing behind.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

# The kernel's "parent" is the thread that started the child; a pool thread of a test's event loop ends long
# before the test run does, so every child is started from this one thread.
_spawner = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spawner")

# Children that nobody has waited for yet, by pid.
_children: dict[int, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True)
class Account:
    """The user that a child process runs as when we are root."""

    uid: int
    gid: int


@dataclass
class OwnedProcess:
    """A process known by pid and start time; `popen` only while its parent is this very process."""

    pid_file: Path
    pid: int
    start_ticks: int
    popen: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """The name under which it was started."""
        return self.pid_file.stem

    @property
    def alive(self) -> bool:
        """False as soon as it has ended, also when nobody has waited for it yet."""
        if self.popen is not None and self.popen.poll() is not None:
            return False
        return _start_ticks(self.pid) == self.start_ticks

    @property
    def exit_code(self) -> int | None:
        """None while it runs, or when it was started by an earlier run of ours."""
        return self.popen.poll() if self.popen else None

    def wait(self, timeout_s: float) -> bool:
        """Wait until it has ended; False if it still runs after `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        while self.alive:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        if self.popen:
            self.popen.wait()
            _children.pop(self.pid, None)
        return True

    def stop(self, timeout_s: float, stop_signal: signal.Signals = signal.SIGTERM) -> bool:
        """Ask it to end; kill it when it has not after `timeout_s`, and return False in that case."""
        self._send(stop_signal)
        ended = self.wait(timeout_s)
        self.kill()
        return ended

    def kill(self) -> None:
        """SIGKILL to it and to everything below it; returns when all of them are gone."""
        below = [] if not self.alive else [OwnedProcess(self.pid_file, *it) for it in descendants(self.pid)]
        for process in (self, *below):
            process._send(signal.SIGKILL)
        for process in (self, *below):
            process.wait(10)
        self.pid_file.unlink(missing_ok=True)

    def freeze(self) -> None:
        """SIGSTOP: its connections stay open and nothing answers on them. What is below it goes on."""
        self._send(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        self._send(signal.SIGCONT)

    def _send(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):  # it may end between the look and the signal
            if self.alive:
                os.kill(self.pid, number)


def spawn(
    name: str,
    command: Sequence[str | Path],
    *,
    run_directory: Path,
    log_path: Path,
    environment: Mapping[str, str],
    working_directory: Path,
    tied: bool,
    account: Account | None = None,
) -> OwnedProcess:
    """Start `command` in its own session, its output appended to `log_path`, and remember it under `name`."""
    setpriv = shutil.which("setpriv")
    prefix = [setpriv, "--pdeathsig", "KILL", "--"] if tied and setpriv else []
    for directory in (run_directory, log_path.parent):
        directory.mkdir(parents=True, exist_ok=True)

    def start() -> subprocess.Popen[bytes]:
        with log_path.open("ab") as log:
            return subprocess.Popen(
                [*prefix, *map(str, command)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=dict(environment),
                cwd=working_directory,
                start_new_session=True,
                user=account.uid if account else None,
                group=account.gid if account else None,
                extra_groups=[] if account else None,
            )

    popen = _spawner.submit(start).result()
    _children[popen.pid] = popen
    pid_file = run_directory / f"{name}.json"
    process = OwnedProcess(pid_file, popen.pid, _start_ticks(popen.pid) or 0, popen)
    pid_file.write_text(json.dumps({"pid": process.pid, "start_ticks": process.start_ticks, "boot_id": _boot_id()}))
    return process


def find(run_directory: Path, name: str) -> OwnedProcess | None:
    """The running process that was started under this name, by us or by an earlier run, if it still lives."""
    pid_file = run_directory / f"{name}.json"
    try:
        known = json.loads(pid_file.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    process = OwnedProcess(pid_file, known["pid"], known["start_ticks"], _children.get(known["pid"]))
    return process if known["boot_id"] == _boot_id() and process.alive else None


def names(run_directory: Path) -> list[str]:
    """The names under which processes were started and not stopped properly since."""
    return sorted(path.stem for path in run_directory.glob("*.json"))


def kill_all(run_directory: Path) -> None:
    """Kill what an earlier run left running, and forget it."""
    for name in names(run_directory):
        if process := find(run_directory, name):
            process.kill()
        (run_directory / f"{name}.json").unlink(missing_ok=True)


def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def stat_fields(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat after the command's name, or nothing if there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def _start_ticks(pid: int) -> int | None:
    fields = stat_fields(pid)
    return int(fields[19]) if fields and fields[0] not in "ZX" else None


def descendants(pid: int) -> Iterator[tuple[int, int]]:
    """(pid, start time) of every process below `pid`."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := stat_fields(int(entry.name))):
            parents.setdefault(int(fields[1]), []).append(int(entry.name))
    waiting = [pid]
    while waiting:
        for child in parents.get(waiting.pop(), []):
            waiting.append(child)
            if ticks := _start_ticks(child):
                yield child, ticks
