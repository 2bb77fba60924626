"""Providers of our own, for tests and the local stack: each a small HTTP server that keeps a provider's rules.

A provider is a state (`Provider`) and an ASGI app over it. `serve` runs an app on a loopback port; several of them run
as one by mounting their apps. What its users have on their screens is in `arrived`, so that anybody can count from
outside who was told what, and how often. Trouble is scripted by putting it into `troubles`: one for each request.
"""

import asyncio
import contextlib
import socket
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SILENT = "cho_phien.silent"
"""In the scope of a request: nothing is to be reported on it."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """One message as its receiver has it; `our_id` is the id that the sender gave it, where the provider takes one."""

    to: str
    text: str
    provider_id: str
    our_id: str | None = None
    at: datetime = field(default_factory=lambda: datetime.now(UTC), compare=False)


@dataclass(frozen=True, slots=True)
class Trouble:
    """What happens to one request instead of its due answer; `path` is the end of those that it may happen to.

    `taken`: the request has its full effect first. Then the connection breaks (`drop`), nothing is ever said (`hang`),
    or the answer is a refusal with this status and code. `silent`: nothing is ever reported on what was taken.
    """

    status: int = 200
    code: int | str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    drop: bool = False
    hang: bool = False
    taken: bool = False
    silent: bool = False
    path: str = ""


class Provider(ABC):
    """One provider's state; what is common to all of them."""

    def __init__(self) -> None:
        self.arrived: list[Arrived] = []
        self.troubles: deque[Trouble] = deque()
        self.refused: list[str] = []
        """Why requests were refused, in the provider's codes."""
        self.hook_url: str | None = None
        """Where it reports what its users do; None: nowhere."""
        self.hook_client: httpx.AsyncClient | None = None
        """What it reports by; None: a client of its own."""
        self.hanging = asyncio.Event()
        """Says that a request hangs."""

    @abstractmethod
    def routes(self) -> Sequence[Route]:
        """What it answers."""

    @abstractmethod
    def refusal(self, status: int, code: int | str | None) -> Response:
        """A refusal as this provider puts it."""

    @property
    def app(self) -> ASGIApp:
        """All of it, with its troubles."""
        return _Troubled(Starlette(routes=self.routes()), self)

    def to(self, receiver: str) -> list[Arrived]:
        """What one receiver got, in order."""
        return [one for one in self.arrived if one.to == receiver]

    def fail_next(self, count: int, code: int | str | None = None, *, status: int = 200, path: str = "") -> None:
        """The next `count` requests are refused."""
        self.troubles.extend([Trouble(status, code, path=path)] * count)

    def next_trouble(self, path: str) -> Trouble | None:
        """Takes out the first trouble that is meant for this path."""
        for trouble in self.troubles:
            if path.endswith(trouble.path):
                self.troubles.remove(trouble)
                return trouble
        return None

    async def call_back(self, body: bytes, headers: Mapping[str, str]) -> int:
        """Reports to `hook_url` and returns the status of the answer. Raises httpx.HTTPError, or LookupError."""
        if self.hook_url is None:
            raise LookupError("there is no address to report to")
        if self.hook_client is not None:
            return (await self.hook_client.post(self.hook_url, content=body, headers=dict(headers))).status_code
        async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
            return (await client.post(self.hook_url, content=body, headers=dict(headers))).status_code


class _Troubled:
    def __init__(self, app: ASGIApp, provider: Provider) -> None:
        self._app, self._provider = app, provider

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        trouble = self._provider.next_trouble(scope["path"]) if scope["type"] == "http" else None
        if trouble is None:
            await self._app(scope, receive, send)
            return
        if trouble.taken:
            scope[SILENT] = trouble.silent
            await self._app(scope, receive, _unsaid)
        if trouble.drop or trouble.hang:
            if trouble.drop:
                cast(Any, receive).__self__.transport.abort()  # uvicorn's; ASGI itself cannot break a connection
            else:
                self._provider.hanging.set()
            while (await receive())["type"] != "http.disconnect":
                pass
            return
        if not trouble.taken:
            with contextlib.suppress(ClientDisconnect):
                await Request(scope, receive).body()
        response = self._provider.refusal(trouble.status, trouble.code)
        response.headers.update(trouble.headers)
        await response(scope, receive, send)


async def _unsaid(_: Message) -> None:
    """Where an answer goes that nobody hears."""


@asynccontextmanager
async def serve(app: ASGIApp, port: int = 0) -> AsyncIterator[str]:
    """Runs the app on a loopback port, a free one for 0, and gives its URL."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", ws="none")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve([listener]))
    while not server.started and not serving.done():  # noqa: ASYNC110 - uvicorn has a flag and no event
        await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = server.force_exit = True
        await serving
