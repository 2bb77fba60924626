"""A private Erlang port mapper, through which the nodes and the tools of one stack find each other's ports."""

import os
import socket
import threading
import time
from pathlib import Path

from infra.local import owned
from infra.local.errors import LocalStackError, last_lines


class PortMapper:
    """One epmd on a loopback port; the nodes of a cluster share it. See PostgresServer for `root` and `tied`."""

    def __init__(self, root: Path, binary: Path, *, port: int, tied: bool = True) -> None:
        self.port = port
        self._binary = binary
        self._log_path = root / "logs" / "epmd.log"
        self._run_directory = root / "run"
        self._tied = tied
        self._starting = threading.Lock()

    def start(self) -> None:
        """Start it unless it runs; returns when it answers."""
        with self._starting:
            if owned.find(self._run_directory, "epmd"):
                return
            epmd = owned.spawn(
                "epmd",
                [self._binary, "-address", "127.0.0.1", "-port", str(self.port)],
                run_directory=self._run_directory,
                log_path=self._log_path,
                environment={"PATH": os.environ.get("PATH", os.defpath)},
                working_directory=Path("/"),
                tied=self._tied,
            )
            deadline = time.monotonic() + 15
            while not _accepts(self.port):
                if not epmd.alive or time.monotonic() > deadline:
                    raise LocalStackError(f"Erlang's port mapper did not start:\n{last_lines(self._log_path)}")
                time.sleep(0.02)

    def stop(self) -> None:
        """Stop it; no node may run any more."""
        if process := owned.find(self._run_directory, "epmd"):
            process.stop(10)


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=2).close()
    except OSError:
        return False
    return True
