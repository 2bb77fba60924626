"""Free loopback ports, taken below the range from which the kernel gives ports to outgoing connections:
a server that is stopped and started again finds its port still free.

A port is free long before its server listens there, so whoever chooses it also locks a file in its name, for as long
as this process lives: stacks that start side by side never choose the same one.
"""

import fcntl
import os
import random
import socket
import tempfile
from collections.abc import Sequence
from pathlib import Path

_LOWEST, _HIGHEST = 15_000, 32_000

_locks: dict[int, int] = {}
"""port → descriptor of its locked file"""


def is_free(port: int) -> bool:
    """True if a server could listen on this port of 127.0.0.1 now."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def choose_ports(preferred: Sequence[int | None]) -> list[int]:
    """One free port for each entry: the preferred one if it is free, else a random one; no port twice."""
    chosen: list[int] = []
    for wish in preferred:
        port = wish
        while port is None or port in chosen or not (is_free(port) and _is_ours(port, wished=port == wish)):
            port = random.randrange(_LOWEST, _HIGHEST)  # noqa: S311 - not a secret
        chosen.append(port)
    return chosen


def _is_ours(port: int, *, wished: bool) -> bool:
    """True if this process holds the port's lock now; one that it held already is for who wishes it again."""
    if port in _locks:
        return wished
    directory = Path(tempfile.gettempdir()) / f"cho-phien-ports-{os.geteuid()}"
    directory.mkdir(mode=0o700, exist_ok=True)
    lock = os.open(directory / str(port), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return False
    _locks[port] = lock
    return True
