"""Providers that fail as providers do: they refuse, they take a message and lose the line, they are away for a while.

Every receiver is one of ours, so that what really arrived is known however little of it the sender heard.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

from aiosmtpd.smtp import SMTP, Envelope, Session
from starlette.types import ASGIApp, Receive, Scope, Send

from infra.local.providers import Arrived, Trouble, serve
from infra.local.providers.esms import Esms
from infra.local.providers.everyone import Everyone, settings, templates
from infra.local.providers.zalo import Account, Zalo

REFUSED, UNKNOWN = 0.10, 0.05

LOST = (Trouble(drop=True), Trouble(drop=True, taken=True), Trouble(drop=True, taken=True, silent=True))
"""Nobody can tell these apart who only sees the connection break: not taken, taken, taken and never reported."""
ZALO_REFUSES = (
    Trouble(code=-100), Trouble(code=-114), Trouble(code=-118), Trouble(code=-115),
    Trouble(code=-32, headers={"retry-after": "1"}),
)  # fmt: skip
ESMS_REFUSES = (Trouble(code="99"), Trouble(code="103"), Trouble(code="146"))


@dataclass
class Weather:
    """What becomes of each request; `fair` while nothing is to fail."""

    rng: random.Random
    fair: bool = False
    refused: int = 0
    lost: int = 0

    def next(self, refusals: tuple[Trouble, ...], lost: tuple[Trouble, ...]) -> Trouble | None:
        """None: its due answer."""
        drawn = self.rng.random()
        if self.fair or drawn >= REFUSED + UNKNOWN:
            return None
        if drawn < UNKNOWN:
            self.lost += 1
            return self.rng.choice(lost)
        self.refused += 1
        return self.rng.choice(refusals)


class StormyZalo(Zalo):
    """Zalo in this weather."""

    weather: Weather

    def next_trouble(self, path: str) -> Trouble | None:
        """Of the way by template; tokens are given out as always."""
        return self.weather.next(ZALO_REFUSES, LOST) if path.endswith("/message/template") else None


class StormyEsms(Esms):
    """eSMS in this weather. It reports on all that it took, since it is asked again and says that it has it."""

    weather: Weather

    def next_trouble(self, path: str) -> Trouble | None:
        """Of every message."""
        return self.weather.next(ESMS_REFUSES, LOST[:2])


@dataclass
class Letters:
    """A mail server in this weather."""

    weather: Weather
    port: int = 0
    arrived: list[Arrived] = field(default_factory=list)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        """Takes a letter in, refuses it for good, or takes it and loses the line."""
        trouble = self.weather.next((Trouble(status=550),), (Trouble(drop=True, taken=True),))
        if trouble is not None and not trouble.drop:
            return "550 no such mailbox"
        assert isinstance(envelope.content, bytes)
        letter = message_from_bytes(envelope.content, policy=default)
        assert isinstance(letter, EmailMessage)
        self.arrived.append(Arrived(envelope.rcpt_tos[0], letter.get_content(), str(letter["Message-ID"])))
        if trouble is not None:
            assert isinstance(server.transport, asyncio.Transport)
            server.transport.abort()
        return "250 OK"


class Gate:
    """Before an app: while it is shut, messages are taken and their answers wait. Tokens are given out all the same."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._open = asyncio.Event()
        self._open.set()
        self.waiting = 0

    def shut(self) -> None:
        """From now on nobody is answered."""
        self._open.clear()

    def reopen(self) -> None:
        """Whoever still waits is answered."""
        self._open.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""

        async def send_when_open(message: object) -> None:
            if not self._open.is_set() and not scope["path"].endswith("/access_token"):
                self.waiting += 1
                await self._open.wait()
                self.waiting -= 1
            await send(message)  # type: ignore[arg-type]

        await self._app(scope, receive, send_when_open)


class Receivers:
    """All of them, running; Zalo has an address of its own, so that it can be away alone."""

    def __init__(self, rng: random.Random) -> None:
        self.weather = Weather(rng)
        self.zalo = StormyZalo(
            templates=templates(), keeps_night=False, daily_quota=10**9, per_minute=10**9, reports_at_once=False
        )  # fmt: skip
        self.esms = StormyEsms()
        self.zalo.weather = self.esms.weather = self.weather
        self.letters = Letters(self.weather)
        self.everyone = Everyone(self.zalo, self.esms)
        self.gate = Gate(self.everyone.app())
        self.url = self.zalo_url = ""
        self._serving_zalo = AsyncExitStack()

    def have_zalo(self, phones: Iterator[str]) -> None:
        """These numbers are known to Zalo."""
        self.zalo.accounts = [Account(f"user-{phone}", phone.removeprefix("+")) for phone in phones]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Until the end of the block."""
        loop = asyncio.get_running_loop()
        mail = await loop.create_server(lambda: SMTP(self.letters, hostname="mail.test", loop=loop), "127.0.0.1", 0)
        self.letters.port = mail.sockets[0].getsockname()[1]
        await self.bring_zalo_back()
        try:
            async with serve(self.gate) as self.url:
                yield
        finally:
            self.gate.reopen()
            await self.take_zalo_away()
            mail.close()

    async def take_zalo_away(self) -> None:
        """It is not to be reached; what it has taken it reports on all the same."""
        await self._serving_zalo.aclose()

    async def bring_zalo_back(self) -> None:
        """At the address that it had."""
        port = int(self.zalo_url.rpartition(":")[2]) if self.zalo_url else 0
        self.zalo_url = await self._serving_zalo.enter_async_context(serve(self.gate, port))

    def settings(self) -> dict[str, str]:
        """How notify finds them."""
        of_zalo = {name: it for name, it in settings(self.zalo_url, "esms").items() if name.startswith("NOTIFY_ZALO_")}
        return {**settings(self.url, "esms"), **of_zalo, "NOTIFY_SMTP_PORT": str(self.letters.port)}

    def arrived(self) -> Iterator[tuple[str, Arrived]]:
        """Everything on everybody's screen, with its channel."""
        yield from (("zalo", one) for one in self.zalo.arrived)
        yield from (("sms", one) for one in self.esms.arrived)
        yield from (("email", one) for one in self.letters.arrived)
