"""Where a server's data lies: in the stack's directory, or below /var/tmp when the server can't work there.

The place below /var/tmp is private, its name follows from the stack's path, and `<server>.location` in the stack's
directory names it.
"""

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from infra.local import disk
from infra.local.errors import LocalStackError
from infra.local.owned import Account


def settle(root: Path, server: str, account: Account | None, is_usable: Callable[[Path], bool]) -> Path:
    """The server's directory of mode 0700, made if need be, that belongs to `account` (or to us)."""
    directory = root / server
    _make_private(directory, account)
    if is_usable(directory):
        return directory
    directory.rmdir()
    directory = _elsewhere(root, server)
    _make_private(directory, account)
    (root / f"{server}.location").write_text(f"{directory}\n")
    return directory


def delete(root: Path, server: str) -> None:
    """Delete the server's data, wherever it lies. The server must not run."""
    for directory in (root / server, _elsewhere(root, server)):
        if directory.exists() and not directory.is_symlink():
            disk.unmount(directory)
            shutil.rmtree(directory)


def unmount(root: Path, server: str) -> None:
    """Give up a disk that was mounted for the server's data, with what is on it. The server must not run."""
    for directory in (root / server, _elsewhere(root, server)):
        disk.unmount(directory)


def _elsewhere(root: Path, server: str) -> Path:
    digest = hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:16]
    return Path("/var/tmp") / f"cho-phien-{digest}-{server}"  # noqa: S108 - private, and its owner is checked


def _make_private(directory: Path, account: Account | None) -> None:
    try:
        directory.mkdir(mode=0o700, parents=True)
    except FileExistsError:
        owner = account.uid if account else os.geteuid()
        if directory.is_symlink() or directory.stat().st_uid != owner:
            raise LocalStackError(f"{directory} belongs to somebody else") from None
        return
    if account:
        os.chown(directory, account.uid, account.gid)
