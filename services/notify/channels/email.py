"""E-mail over SMTP: one connection for a batch, and the server's acceptance of the content is the receipt.

Until DATA, every failure is certain. From DATA on only the server's own word is: a connection that breaks or
falls silent there may have delivered the message.
"""

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from email.errors import MessageError
from email.header import Header
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime, formataddr
from typing import Any, Literal

import aiosmtplib

from services.chassis import faultpoints
from services.notify.channels import Batch
from services.notify.channels.side_by_side import NOT_COMPOSED, composed
from services.notify.clock import Clock
from services.notify.domain.contacts import EMAIL
from services.notify.domain.delivery import Accepted, Failed, Outcome, Refused, Unknown
from services.notify.domain.messages import Message

_CRLF = "\r\n"
_NOT_LET_IN = frozenset({530, 534, 535, 538})
"""Our user name, password or way of logging in is wrong (RFC 4954). The next attempt may be with a better one."""


class _Encoded(str):
    """The text of a header that is encoded (RFC 2047) and folded already."""

    __slots__ = ()


class _Policy(EmailPolicy):
    """Leaves alone what is encoded: the folding of `EmailPolicy` loses a blank where two encoded words meet."""

    def header_store_parse(self, name: str, value: Any) -> tuple[str, Any]:
        """As the message keeps it."""
        return (name, value) if isinstance(value, _Encoded) else super().header_store_parse(name, value)


_POLICY = _Policy(linesep=_CRLF)


class _FailedBeforeData(Exception):
    """Carries what came of a message that the server did not begin to take.

    `in_step`: the server answered each command, so its next answer belongs to our next command.
    """

    def __init__(self, outcome: Failed | Refused, in_step: bool) -> None:
        super().__init__(outcome.reason)
        self.outcome, self.in_step = outcome, in_step


@dataclass(frozen=True, slots=True)
class EmailChannel:
    """`tls` insists: without it nothing is sent."""

    host: str
    port: int
    tls: Literal["none", "starttls", "tls"]
    sender: str
    clock: Clock
    timeout_s: float
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    name: str = EMAIL
    resend_is_safe: bool = False
    tells_later: bool = False

    async def send(self, messages: Sequence[Message], batch: Batch) -> None:
        """One after the other over one connection, which is made anew where it broke."""
        client = aiosmtplib.SMTP(
            hostname=self.host,
            port=self.port,
            username=self.username,
            password=self.password,
            local_hostname=self._domain,
            timeout=self.timeout_s,
            use_tls=self.tls == "tls",
            start_tls=self.tls == "starttls",
        )
        unreachable: Failed | None = None
        try:
            for letter in messages:
                if unreachable is None and not client.is_connected and batch.may_begin():
                    unreachable = await self._connect(client)
                if unreachable is not None:
                    batch.report(letter.message_id, unreachable)
                elif batch.begin(letter.message_id):
                    batch.report(letter.message_id, await self._send_one(client, letter))
        finally:
            if client.is_connected:
                with contextlib.suppress(OSError, aiosmtplib.SMTPException):
                    async with asyncio.timeout(1):
                        await client.quit()
            client.close()

    async def _connect(self, client: aiosmtplib.SMTP) -> Failed | None:
        try:
            async with asyncio.timeout(self.timeout_s):
                await client.connect()
        except aiosmtplib.SMTPResponseException as error:
            return _failed(error.code)
        except (OSError, aiosmtplib.SMTPException) as error:
            return Failed("connection_timed_out" if isinstance(error, TimeoutError) else "connection_failed")
        return None

    async def _send_one(self, client: aiosmtplib.SMTP, letter: Message) -> Outcome:
        if isinstance(message := composed(letter, self._compose), Refused):
            return message
        try:
            with _certain():
                async with asyncio.timeout(self.timeout_s):
                    await self._give_envelope(client, letter)
            async with asyncio.timeout(self.timeout_s):
                response = await client.data(message)
            faultpoints.reach("mid_send", "person")
        except _FailedBeforeData as error:
            if error.in_step:
                await self._forget_envelope(client)
            else:
                client.close()
            return error.outcome
        except aiosmtplib.SMTPDataError as error:
            await self._forget_envelope(client)
            return _refusal_of_content(error.code)
        except (OSError, aiosmtplib.SMTPException):
            client.close()
            return Unknown()
        said = f"{response.code} {response.message}"
        return Accepted(self.clock(), str(response.code) if "@" in said else said)

    async def _give_envelope(self, client: aiosmtplib.SMTP, letter: Message) -> None:
        await client.mail(self.sender)
        try:
            await client.rcpt(letter.to)
        except aiosmtplib.SMTPRecipientRefused as error:
            if 500 <= error.code <= 599:
                raise _FailedBeforeData(Refused("recipient_refused"), in_step=True) from None
            raise

    async def _forget_envelope(self, client: aiosmtplib.SMTP) -> None:
        """The next message needs a clean session; where that can't be had, a new one."""
        try:
            async with asyncio.timeout(self.timeout_s):
                await client.rset()
        except (OSError, aiosmtplib.SMTPException):
            client.close()

    def _compose(self, letter: Message) -> bytes | Refused:
        try:
            return self.compose(letter).as_bytes()
        except (ValueError, MessageError):
            return Refused("cannot_be_composed")

    def compose(self, letter: Message) -> EmailMessage:
        """The message as it goes out; its Message-ID is that of the notice, however often it is tried."""
        message = EmailMessage(policy=_POLICY)
        message["From"] = _address(letter.from_name, self.sender)
        message["To"] = _address(letter.to_name, letter.to)
        message["Subject"] = _Encoded(Header(letter.text.subject, "utf-8", header_name="Subject").encode(linesep=_CRLF))
        message["Message-ID"] = f"<{letter.notice_id}@{self._domain}>"
        message["Date"] = format_datetime(self.clock())
        message["Auto-Submitted"] = "auto-generated"
        message["Content-Language"] = letter.language
        message.set_content(letter.text.body, cte="quoted-printable")  # not every server takes 8 bits
        return message

    @property
    def _domain(self) -> str:
        return self.sender.rpartition("@")[2]


def _address(name: str, address: str) -> str:
    if name.isascii():
        return formataddr((name, address))
    header = Header(name, "utf-8", header_name="From")
    header.append(f"<{address}>", "us-ascii")
    return _Encoded(header.encode(linesep=_CRLF))


@contextlib.contextmanager
def _certain() -> Iterator[None]:
    """Whatever fails in here is certainly not delivered. The server's texts may repeat the address: codes only."""
    try:
        yield
    except aiosmtplib.SMTPResponseException as error:
        raise _FailedBeforeData(_failed(error.code), in_step=True) from None
    except TimeoutError:
        raise _FailedBeforeData(Failed("timed_out"), in_step=False) from None
    except (OSError, aiosmtplib.SMTPException):
        raise _FailedBeforeData(Failed("connection_lost"), in_step=False) from None
    except ValueError:  # of an address that no command can hold
        raise _FailedBeforeData(NOT_COMPOSED, in_step=False) from None


def _failed(code: int) -> Failed:
    return Failed(f"smtp_{code}", ours=code in _NOT_LET_IN)


def _refusal_of_content(code: int) -> Outcome:
    if 500 <= code <= 599:
        return Refused("message_refused")
    return Failed(f"smtp_{code}") if 400 <= code <= 499 else Unknown()
