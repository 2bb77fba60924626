"""Backup and restore of a stack's databases: `pg_dump` of each at any moment, services running or not.

A restored database is recognised by its service, which asks its readers how far they know its events before it
goes on; see services/chassis/incarnation.py and infra/runbook.md.
"""

import os
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from infra.local.binaries import find_or_install
from infra.local.errors import LocalStackError
from infra.local.processes import ServiceProcesses
from infra.local.stack import Stack


def back_up(stack: Stack, directory: Path, services: Sequence[str]) -> list[Path]:
    """Writes `<service>.dump` of each service, readable by its owner only; returns the files."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    return [_dump(stack, service, directory / f"{service}.dump") for service in services]


def restore(stack: Stack, directory: Path, services: Sequence[str]) -> None:
    """Puts the services' databases back to what was dumped; those that ran are stopped before and started again."""
    _check(directory, services)
    processes = ServiceProcesses(stack, services)
    running = [process for process in processes if process.pid]
    for process in running:
        process.stop()
    try:
        put_back(stack, directory, services)
    finally:
        for process in running:
            process.start()


def put_back(stack: Stack, directory: Path, services: Sequence[str]) -> None:
    """Makes the databases what was dumped, with the newest schema. Their services must not run."""
    _check(directory, services)
    for service in services:
        _restore(stack, service, directory / f"{service}.dump")
    ServiceProcesses(stack, services).migrate()  # a dump may be older than the newest migration


def new_directory(parent: Path) -> Path:
    """A name that sorts by time, such as 20261124T150000Z."""
    return parent / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"


def newest_directory(parent: Path) -> Path:
    """The last backup. LocalStackError if there is none."""
    found = sorted(path for path in parent.glob("*Z") if path.is_dir())
    if not found:
        raise LocalStackError(f"there is no backup in {parent}; make one with `make backup`")
    return found[-1]


def _check(directory: Path, services: Sequence[str]) -> None:
    missing = [name for name in services if not (directory / f"{name}.dump").is_file()]
    if missing:
        raise LocalStackError(f"there is no dump of {', '.join(missing)} in {directory}")


def _dump(stack: Stack, service: str, path: Path) -> Path:
    part = path.with_suffix(".part")  # a dump that was broken off is none
    part.touch(mode=0o600)
    tool = find_or_install()[0].pg_dump
    _run(stack, service, [str(tool), "--format=custom", f"--file={part}"])
    return part.rename(path)


def _restore(stack: Stack, service: str, path: Path) -> None:
    stack.postgres.drop_database(service)
    stack.postgres.create_database(service, service)
    tool = find_or_install()[0].pg_restore
    _run(stack, service, [str(tool), "--no-owner", "--no-privileges", "--exit-on-error", str(path)])


def _run(stack: Stack, service: str, command: list[str]) -> None:
    """The password travels in the environment: everybody can read a command line."""
    parts = urlsplit(stack.postgres.dsn(service))
    address = urlunsplit(parts._replace(netloc=f"{parts.username}@{parts.hostname}:{parts.port}"))
    done = subprocess.run(
        [*command, f"--dbname={address}"],
        env={"PATH": os.environ.get("PATH", os.defpath), "PGPASSWORD": parts.password or ""},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise LocalStackError(f"{Path(command[0]).name} of {service} failed:\n{done.stderr}")
