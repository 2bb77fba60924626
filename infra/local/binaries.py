"""Finds PostgreSQL, RabbitMQ and what the tests need on this machine, or installs it with apt when we are root.

Only the programs are wanted: while apt runs, no package may start a server or create a database cluster, and
afterwards every file that was changed for that is as it was before.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from infra.local.errors import LocalStackError

OLDEST_POSTGRES = 15
OLDEST_RABBIT = (3, 10)
APT_LINE = "sudo apt-get install python3-venv postgresql rabbitmq-server"

_FAKETIME_PLACES = "*/faketime/libfaketimeMT.so.1"
_POLICY = Path("/usr/sbin/policy-rc.d")
_CLUSTER_DEFAULTS = Path("/etc/postgresql-common/createcluster.conf")
_UNITS = ("postgresql.service", "rabbitmq-server.service", "epmd.service", "epmd.socket", "prometheus.service")
_UNIT_FILES = Path("/usr/lib/systemd/system")
_ENABLED_UNITS = Path("/etc/systemd/system")


@dataclass(frozen=True)
class PostgresBinaries:
    """The directory that holds `initdb`, `postgres` and the backup programs, and their major version."""

    directory: Path
    major: int

    @property
    def pg_dump(self) -> Path:
        """Writes a database to a file."""
        return self.directory / "pg_dump"

    @property
    def pg_restore(self) -> Path:
        """Reads such a file into a database."""
        return self.directory / "pg_restore"

    @property
    def pg_basebackup(self) -> Path:
        """Copies a running server's data directory."""
        return self.directory / "pg_basebackup"

    @property
    def pg_test_fsync(self) -> Path:
        """Measures how long the disk takes to store for good."""
        return self.directory / "pg_test_fsync"


@dataclass(frozen=True)
class RabbitBinaries:
    """The plain start script of a RabbitMQ installation, its version, and Erlang's port mapper."""

    server: Path
    version: tuple[int, ...]
    epmd: Path


def find_or_install() -> tuple[PostgresBinaries, RabbitBinaries]:
    """Both servers' binaries. Raises LocalStackError with the line to type if they can't be had."""
    postgres, rabbit = find_postgres(), find_rabbit()
    if postgres is None or rabbit is None:
        wanted = [name for name, found in (("postgresql", postgres), ("rabbitmq-server", rabbit)) if found is None]
        _install_as_root(wanted, APT_LINE)
        postgres, rabbit = find_postgres(), find_rabbit()
    if postgres is None or rabbit is None:
        raise LocalStackError("apt installed no PostgreSQL 15+ or no RabbitMQ 3.10+; Debian 12 or newer has them")
    return postgres, rabbit


def promtool() -> Path:
    """Prometheus's checker of rules. Raises LocalStackError with the line to type if it can't be had."""
    if shutil.which("promtool") is None:
        _install_as_root(["prometheus"], "sudo apt-get install prometheus")
    if found := shutil.which("promtool"):
        return Path(found)
    raise LocalStackError("apt's package prometheus brought no promtool")


def faketime() -> Path:
    """The library that, preloaded, gives a process a wrong clock; for programs with threads. Errors as promtool."""
    if _faketime() is None:
        _install_as_root(["libfaketime"], "sudo apt-get install libfaketime")
    if found := _faketime():
        return found
    raise LocalStackError("apt's package libfaketime brought no libfaketimeMT.so.1")


def clock_moved_by(offset: timedelta) -> dict[str, str]:
    """The environment of a process whose dates are wrong by this much; its timers and monotonic clock are right."""
    return {
        "LD_PRELOAD": str(faketime()),
        "FAKETIME": f"{offset // timedelta(seconds=1):+d}s",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }


def _faketime() -> Path | None:
    return next(iter(sorted(Path("/usr/lib").glob(_FAKETIME_PLACES))), None)


def find_postgres() -> PostgresBinaries | None:
    """The newest PostgreSQL of Debian's layout, else the one of pg_config, else the one on PATH."""
    for directory in _postgres_directories():
        if (directory / "initdb").is_file() and (directory / "postgres").is_file():
            major = _first_number(_output([directory / "postgres", "--version"]))
            if major >= OLDEST_POSTGRES:
                return PostgresBinaries(directory, major)
    return None


def _postgres_directories() -> Iterator[Path]:
    debian = Path("/usr/lib/postgresql").glob("*/bin")
    yield from sorted(debian, key=lambda it: _first_number(it.parent.name), reverse=True)
    if bindir := _output(["pg_config", "--bindir"]).strip():
        yield Path(bindir)
    if postgres := shutil.which("postgres"):
        yield Path(postgres).resolve().parent


def find_rabbit() -> RabbitBinaries | None:
    """The newest `rabbitmq_server-<version>/sbin/rabbitmq-server`: Debian's wrapper wants root."""
    scripts = list(Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*/sbin/rabbitmq-server"))
    if on_path := shutil.which("rabbitmq-server"):
        scripts.append(Path(on_path).resolve())
    found = [(_rabbit_version(script), script) for script in scripts]
    epmd = _epmd()
    for version, script in sorted(found, reverse=True):
        if version >= OLDEST_RABBIT and epmd and shutil.which("erl"):
            return RabbitBinaries(script, version, epmd)
    return None


def _rabbit_version(script: Path) -> tuple[int, ...]:
    match = re.fullmatch(r"rabbitmq_server-(\d+)\.(\d+)\.(\d+).*", script.parent.parent.name)
    return tuple(map(int, match.groups())) if match else ()


def _epmd() -> Path | None:
    if on_path := shutil.which("epmd"):
        return Path(on_path)
    return next(iter(sorted(Path("/usr/lib/erlang").glob("erts-*/bin/epmd"), reverse=True)), None)


def _install_as_root(packages: list[str], line_to_type: str) -> None:
    if shutil.which("apt-get") is None:
        raise LocalStackError(f"missing: {', '.join(packages)}; there is no apt-get to install it with")
    if os.geteuid() != 0:
        raise LocalStackError(f"missing: {', '.join(packages)}; install with:  {line_to_type}")
    _install(packages)


def _install(packages: list[str]) -> None:
    _say(f"installing {', '.join(packages)} with apt (programs only, no system server)")
    new_units = [unit for unit in _UNITS if not (_UNIT_FILES / unit).exists()]
    with ExitStack() as restored:
        restored.enter_context(_no_service_starts())
        _apt_get("update")
        if "postgresql" in packages:
            _apt_get("install", "postgresql-common")
            restored.enter_context(_no_main_cluster())
        _apt_get("install", *packages)
    for unit in new_units:  # or they would start with the next boot; this is what `systemctl disable` does
        for link in _ENABLED_UNITS.glob(f"*.wants/{unit}"):
            link.unlink()


def _apt_get(verb: str, *packages: str) -> None:
    command = ["apt-get", verb, "--quiet=2"]
    if packages:
        command += ["--yes", "--no-install-recommends", *packages]
    result = subprocess.run(
        command,
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        raise LocalStackError(f"`{' '.join(command)}` failed:\n{result.stdout[-2000:]}")


@contextmanager
def _no_service_starts() -> Iterator[None]:
    """Debian's own switch: while policy-rc.d answers 101, packages start no service."""
    if _POLICY.exists():
        yield
        return
    _POLICY.write_text("#!/bin/sh\nexit 101\n")
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        _POLICY.unlink(missing_ok=True)


@contextmanager
def _no_main_cluster() -> Iterator[None]:
    """postgresql-common creates no "main" cluster for a server package that is installed meanwhile."""
    before = _CLUSTER_DEFAULTS.read_bytes()
    _CLUSTER_DEFAULTS.write_bytes(before + b"\ncreate_main_cluster = false\n")
    try:
        yield
    finally:
        _CLUSTER_DEFAULTS.write_bytes(before)


def _output(command: list[str | Path]) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout
    except OSError:
        return ""


def _first_number(text: str) -> int:
    match = re.search(r"\d+", text)
    return int(match.group()) if match else 0


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
