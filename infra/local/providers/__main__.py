"""`python -m infra.local.providers`: all local providers and their outbox in one process, until it is told to end."""

import argparse
import asyncio
import contextlib
import os
import signal
from pathlib import Path

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from infra.local.providers import serve
from infra.local.providers.everyone import Everyone, Hooks
from infra.local.providers.outbox import Outbox
from services.notify.domain import hooks

SECRETS = "PROVIDERS_LINK_SECRETS"
"""In the environment: what addresses for reports are signed with, as notify has it."""


class _Remembered:
    """Saves what the providers know before anything that they have done is answered."""

    def __init__(self, app: ASGIApp, everyone: Everyone, path: Path) -> None:
        self._app, self._everyone, self._path = app, everyone, path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def remember(message: Message) -> None:
            if message["type"] == "http.response.start" and scope["method"] != "GET":
                self._everyone.save(self._path)
            await send(message)

        await self._app(scope, receive, remember if scope["type"] == "http" else send)


def hooks_of(notify_url: str, link_secrets: str) -> Hooks:
    """Where a notify at this address hears reports."""
    own = hooks.Hooks(notify_url, tuple(part.strip() for part in link_secrets.split(",")))
    base = f"{notify_url}/v1/hooks"
    return Hooks(f"{base}/zalo", own.account_url("speedsms", "reports"), f"{base}/telegram")


async def run(port: int, notify_url: str, mail: Path | None, state: Path) -> None:
    """Serves until SIGTERM."""
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    everyone = Everyone()
    everyone.load(state)
    outbox = Outbox(everyone, mail)
    reporting = asyncio.create_task(everyone.report(hooks_of(notify_url, os.environ[SECRETS])))
    async with serve(_Remembered(everyone.app(*outbox.routes()), everyone, state), port):
        await ended.wait()
    reporting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await reporting


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m infra.local.providers", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--notify", required=True, help="where notify answers HTTP")
    parser.add_argument("--mail", type=Path, help="a Maildir to show as well")
    parser.add_argument("--state", type=Path, required=True, help="a file for what is remembered over restarts")
    options = parser.parse_args()
    asyncio.run(run(options.port, options.notify.rstrip("/"), options.mail, options.state))


if __name__ == "__main__":
    main()
