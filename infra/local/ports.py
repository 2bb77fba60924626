"""Free loopback ports, taken below the range from which the kernel gives ports to outgoing connections:
a server that is stopped and started again finds its port still free.
"""

import random
import socket
from collections.abc import Sequence

_LOWEST, _HIGHEST = 15_000, 32_000


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
        while port is None or port in chosen or not is_free(port):
            port = random.randrange(_LOWEST, _HIGHEST)  # noqa: S311 - not a secret
        chosen.append(port)
    return chosen
