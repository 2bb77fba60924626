"""The relay of a private stack: an SMTP server on a loopback port that delivers everything into one Maildir."""

import os
import shutil
import smtplib
import sys
import time
from pathlib import Path

from infra.local import owned
from infra.local.errors import LocalStackError, last_lines

SENDER = "cho-phien@hop-tac-xa.example"


class MailServer:
    """aiosmtpd as a process of its own; `root` is the stack's directory; see PostgresServer for `tied`."""

    def __init__(self, root: Path, *, port: int, tied: bool = True) -> None:
        self.port = port
        self.directory = root / "mail"
        self.log_path = root / "logs" / "mail.log"
        self._run_directory = root / "run"
        self._tied = tied

    def start(self, *, fresh: bool = False) -> None:
        """Start it, with an empty mailbox if `fresh`; returns when it takes mail."""
        if self.alive:
            raise LocalStackError("the mail server runs already")
        if fresh:
            shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.parent.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "aiosmtpd", "--nosetuid", "--smtputf8"]
        command += ["--listen", f"127.0.0.1:{self.port}", "--class", "aiosmtpd.handlers.Mailbox", str(self.directory)]
        owned.spawn(
            "mail",
            command,
            run_directory=self._run_directory,
            log_path=self.log_path,
            environment={"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8"},
            working_directory=Path("/"),
            tied=self._tied,
        )
        self._wait_until_it_takes_mail(timeout_s=30)

    def stop(self) -> None:
        """Stop it; what it took is in the mailbox."""
        if process := owned.find(self._run_directory, "mail"):
            process.stop(10)

    def kill(self) -> None:
        """SIGKILL."""
        if process := owned.find(self._run_directory, "mail"):
            process.kill()

    @property
    def alive(self) -> bool:
        """True while the server process exists."""
        return owned.find(self._run_directory, "mail") is not None

    def _wait_until_it_takes_mail(self, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                with smtplib.SMTP("127.0.0.1", self.port, local_hostname="localhost", timeout=5):
                    return
            except (OSError, smtplib.SMTPException):
                if not self.alive or time.monotonic() > deadline:
                    raise LocalStackError(f"the mail server did not start:\n{last_lines(self.log_path)}") from None
            time.sleep(0.05)
