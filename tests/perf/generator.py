"""A load generator: a process of its own, so that sending takes nothing from what is measured but CPU time."""

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from infra.local.errors import LocalStackError
from tests.perf import hammer
from tests.perf.hammer import Outcome
from tests.perf.market import Push

CHECKOUT = Path(__file__).resolve().parents[2]
PATIENCE_S = 300
"""From the beginning to the last answer."""


class Generator:
    """It has its plan in hand; `go` lets it send."""

    def __init__(self, module: str, plan: bytes) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", module], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=CHECKOUT
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(plan + b"\n")
        self._process.stdin.flush()
        if self._process.stdout.readline() != b"ready\n":
            raise LocalStackError("the load generator did not get ready")

    def go(self) -> float:
        """Lets it send; returns the moment (monotonic, in s)."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        self._process.stdin.flush()
        return time.monotonic()

    def outcome(self, timeout_s: float = PATIENCE_S) -> Outcome:
        """Waits until all is answered. Raises AssertionError if it takes too long or anything was refused or lost."""
        try:
            out, _ = self._process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
            raise AssertionError(f"not everything was answered within {timeout_s:.0f} s") from None
        assert self._process.returncode == 0, "the load generator failed; what it says stands above"
        found = Outcome(**json.loads(out))
        refused = {status: count for status, count in found.statuses.items() if status not in ("200", "202")}
        assert not refused, f"refused: {refused}"
        return found


class Hammering(Generator):
    """Requests over HTTP, `per_s` of them or as fast as they are answered."""

    def __init__(self, port: int, connections: int, pushes: Sequence[Push], per_s: float | None = None) -> None:
        super().__init__("tests.perf.hammer", hammer.plan(port, connections, pushes, per_s))
