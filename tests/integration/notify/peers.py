"""The other side: a real SMTP server (aiosmtpd) and a small HTTP server, each as obliging as a test wants."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

Reply = Callable[[str], str]
"""From the recipient to the server's reply."""


@dataclass
class Mailbox:
    """Takes letters in and keeps them; `on_…` decide what the server says."""

    port: int = 0
    letters: list[EmailMessage] = field(default_factory=list)
    sessions: int = 0
    on_rcpt: Reply = lambda _: "250 OK"
    on_data: Reply = lambda _: "250 OK"
    silent_for: str = ""
    """To this recipient nothing is answered."""
    drop_after_data: bool = False
    """The letter is kept, and the connection breaks before the server can say so."""
    tls: ssl.SSLContext | None = None
    """With it STARTTLS and a login are asked for before anything else."""
    logins: list[str] = field(default_factory=list)
    hold: asyncio.Event | None = None
    """Answers to content wait for this."""
    holding: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle_RCPT(  # noqa: N802 - named by aiosmtpd
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address == self.silent_for:
            await asyncio.Event().wait()  # until the connection ends
        reply = self.on_rcpt(address)
        if reply.startswith("250"):
            envelope.rcpt_tos.append(address)
        return reply

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        reply = self.on_data(envelope.rcpt_tos[0])
        if reply.startswith("250"):
            assert isinstance(envelope.content, bytes)
            letter = message_from_bytes(envelope.content, policy=default)
            assert isinstance(letter, EmailMessage)
            self.letters.append(letter)
        if self.hold is not None:
            self.holding.set()
            await self.hold.wait()
        if self.drop_after_data:
            assert isinstance(server.transport, asyncio.Transport)
            server.transport.abort()
        return reply

    def authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, given: LoginPassword
    ) -> AuthResult:
        """Lets everybody in who knows the password `mật khẩu`."""
        assert isinstance(given.login, bytes)
        known = given.password == "mật khẩu".encode()
        self.logins += [given.login.decode()] if known else []
        return AuthResult(success=known, handled=known)

    def to(self, address: str) -> list[EmailMessage]:
        """The letters to an address."""
        return [letter for letter in self.letters if letter["To"].addresses[0].addr_spec == address]


@asynccontextmanager
async def mailbox(tls: ssl.SSLContext | None = None) -> AsyncIterator[Mailbox]:
    """A mail server on a free loopback port."""
    box = Mailbox(tls=tls)

    def session() -> SMTP:
        box.sessions += 1
        guarded: dict[str, Any] = (
            {"require_starttls": True, "auth_required": True, "authenticator": box.authenticate} if tls else {}
        )
        return SMTP(box, hostname="mail.test", loop=asyncio.get_running_loop(), tls_context=tls, **guarded)

    server = await asyncio.get_running_loop().create_server(session, "127.0.0.1", 0)
    box.port = server.sockets[0].getsockname()[1]
    try:
        yield box
    finally:
        if box.hold is not None:
            box.hold.set()
        server.close()
        await server.wait_closed()


@dataclass(frozen=True)
class Pushed:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """Takes webhooks and keeps them; `answer` decides status and further header lines for each."""

    port: int = 0
    pushed: list[Pushed] = field(default_factory=list)
    answer: Callable[[Pushed], Awaitable[str]] | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}/hooks"

    def say(self, status_line: str) -> None:
        """Answers everything from now on with this, such as "503 Busy"."""

        async def answer(_: Pushed) -> str:
            return status_line

        self.answer = answer

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, one request."""
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            request = Pushed(head[0].split(" ")[1], headers, body)
            self.pushed.append(request)
            said = await self.answer(request) if self.answer else "204 No Content"
            writer.write(f"HTTP/1.1 {said}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".encode())
            await writer.drain()
        writer.close()


@asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    """A webhook receiver on a free loopback port."""
    made: Any = Receiver()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        await server.wait_closed()
