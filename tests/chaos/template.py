"""A PostgreSQL cluster with migrated databases and an operator's key, made once and copied for each scenario.

Making a cluster, four databases and their schemas takes longer than most faults; a copy takes a moment.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from infra.demo.seed import first_operator_key
from infra.local import places
from infra.local.postgres import data_directory
from infra.local.processes import ServiceProcesses
from infra.local.stack import Stack, delete_abandoned

_CHECKOUT = Path(__file__).resolve().parents[2]
_KEY = "operator.key"
SHARED_LANES = 4
"""Of every stack of the suite: enough that cooperatives share some and not all; more only cost time."""


def prepare(local: Path) -> Path:
    """The template's directory below `local`; made if it is not there or the migrations have changed."""
    local.mkdir(parents=True, exist_ok=True)
    with (local / "template.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        root = local / f"template-{_digest()}"
        if not (root / _KEY).exists():
            delete_abandoned(local.glob("template-*"))
            _make(root)
    return root


def copy(template: Path, root: Path) -> str:
    """Gives the new stack in `root` the template's data and passwords; returns the operator's key."""
    root.mkdir(parents=True)
    shutil.copy2(template / "credentials.json", root)
    source, target = data_directory(template) / "cluster", data_directory(root) / "cluster"
    subprocess.run(["cp", "-a", "--reflink=auto", source, target], check=True)
    return (template / _KEY).read_text()


def _make(root: Path) -> None:
    stack = Stack(root, fresh=True, durable=False)
    stack.start()
    try:
        ServiceProcesses(stack).migrate()
        key = first_operator_key(stack, {"CATALOG_SHARED_LANES": str(SHARED_LANES)})
    finally:
        stack.stop()
    places.delete(root, "rabbitmq")
    descriptor = os.open(root / _KEY, os.O_WRONLY | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(key)


def _digest() -> str:
    found = hashlib.sha256(str(SHARED_LANES).encode())
    for path in sorted((_CHECKOUT / "services").glob("*/migrations/*.sql")):
        found.update(path.read_bytes())
    return found.hexdigest()[:12]
