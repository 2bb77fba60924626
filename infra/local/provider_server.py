"""The local providers of a stack (Zalo, SMS, Telegram) as a process of its own, and the page of what they delivered."""

import os
import sys
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from infra.local import owned
from infra.local.errors import LocalStackError, last_lines
from infra.local.providers import everyone
from infra.local.providers.__main__ import SECRETS

_CHECKOUT = Path(__file__).resolve().parents[2]
NAME = "providers"
"""Of the process and of its port."""
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class ProviderServer:
    """All of them; `root` is the stack's directory; see PostgresServer for `tied`."""

    def __init__(self, root: Path, *, port: int, notify_url: str, link_secrets: str, tied: bool = True) -> None:
        self.port = port
        self.log_path = root / "logs" / "providers.log"
        self._state_path = root / "providers.json"
        self._mail = root / "mail"
        self._notify_url, self._link_secrets = notify_url, link_secrets
        self._run_directory = root / "run"
        self._tied = tied

    @property
    def url(self) -> str:
        """Where the outbox is to be seen."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def settings(self) -> Mapping[str, str]:
        """What notify needs to use them."""
        return everyone.settings(self.url, "speedsms")

    def start(self, *, fresh: bool = False) -> None:
        """Start it, with nothing delivered yet if `fresh`; returns when it answers."""
        if self.alive:
            raise LocalStackError("the local providers run already")
        if fresh:
            self._state_path.unlink(missing_ok=True)
        command = [sys.executable, "-m", "infra.local.providers", "--port", str(self.port)]
        command += ["--notify", self._notify_url, "--mail", str(self._mail), "--state", str(self._state_path)]
        owned.spawn(
            NAME,
            command,
            run_directory=self._run_directory,
            log_path=self.log_path,
            environment={**os.environ, SECRETS: self._link_secrets},
            working_directory=_CHECKOUT,
            tied=self._tied,
        )
        self._wait_until_it_answers(timeout_s=60)

    def stop(self) -> None:
        """Stop it; what it delivered it knows when it is started again."""
        if process := owned.find(self._run_directory, NAME):
            process.stop(10)

    @property
    def alive(self) -> bool:
        """True while the process exists."""
        return owned.find(self._run_directory, NAME) is not None

    def _wait_until_it_answers(self, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                with _opener.open(f"{self.url}/messages.json", timeout=5):
                    return
            except OSError:
                if not self.alive or time.monotonic() > deadline:
                    raise LocalStackError(f"the local providers did not start:\n{last_lines(self.log_path)}") from None
            time.sleep(0.05)
