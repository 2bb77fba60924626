"""A small disk in memory for one server's data, so that a test can fill it without filling the machine's.

The mount is found by its path, never remembered: whoever deletes the directory unmounts it first, also after the
run that mounted it has crashed.
"""

import errno
import os
import shutil
import subprocess
from pathlib import Path

from infra.local.errors import LocalStackError
from infra.local.owned import Account

_BALLAST = "ballast"
_SIZES = (1 << 20, 1 << 12)


def mount(directory: Path, size_mib: int, account: Account | None) -> None:
    """Mount a disk of this size on the directory, unless one is there; what the directory held is on it. Needs root."""
    if directory.is_mount():
        return
    if os.geteuid() != 0:
        raise LocalStackError("a small disk for PostgreSQL has to be mounted, which only root may do")
    owner = f"uid={account.uid},gid={account.gid}," if account else ""
    held = directory.with_name(f"{directory.name}.before")
    directory.rename(held)
    directory.mkdir(mode=0o700)
    if account:
        os.chown(directory, account.uid, account.gid)
    _run(["mount", "-t", "tmpfs", "-o", f"{owner}mode=0700,size={size_mib}m", "cho-phien", str(directory)])
    for entry in held.iterdir():
        _run(["cp", "-a", str(entry), str(directory)])
    shutil.rmtree(held)


def unmount(directory: Path) -> None:
    """Unmount the disk, with what is on it, if one is mounted there. Nobody may use it any more."""
    if directory.is_mount():
        _run(["umount", "--lazy", str(directory)])  # what was killed may hold it for a moment yet


def fill(directory: Path) -> None:
    """Write a ballast file on the disk until nothing more fits."""
    if not directory.is_mount():  # never the machine's own disk
        raise LocalStackError(f"no small disk is mounted on {directory}")
    with (directory / _BALLAST).open("ab", buffering=0) as ballast:
        for size in _SIZES:
            try:
                while ballast.write(bytes(size)):
                    pass
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise


def free(directory: Path) -> None:
    """Delete the ballast."""
    (directory / _BALLAST).unlink(missing_ok=True)


def _run(command: list[str]) -> None:
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise LocalStackError(f"`{' '.join(command)}` failed: {result.stderr.strip()}")
