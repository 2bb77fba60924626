"""The user that a server runs as: servers that refuse to run as root get an unprivileged one when we are root."""

import contextlib
import os
import pwd
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from infra.local.owned import Account


def unprivileged() -> Account | None:
    """The user postgres, or nobody where there is none; None when we are a normal user ourselves."""
    if os.geteuid() != 0:
        return None
    with contextlib.suppress(KeyError):
        entry = pwd.getpwnam("postgres")
        return Account(entry.pw_uid, entry.pw_gid)
    entry = pwd.getpwnam("nobody")
    return Account(entry.pw_uid, entry.pw_gid)


def can_enter(directory: Path, account: Account | None) -> bool:
    """Asked of the kernel, as that user, because modes alone don't tell (access lists, mounts)."""
    return account is None or run(["/bin/sh", "-c", 'cd -- "$1"', "sh", directory], account).returncode == 0


def run(
    command: Sequence[str | Path], account: Account | None, extra_environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program as that user to its end."""
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        env={**environment(), **(extra_environment or {})},
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
    )


def environment() -> dict[str, str]:
    """Nothing of ours: PGDATA, PGPORT and the like would point a server elsewhere."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8"}
