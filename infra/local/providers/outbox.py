"""The outbox of the local providers: every message as its receiver would see it, and a form to answer it.

What is shown is what the providers delivered and the mail server put into its mailbox, not what notify believes.
"""

import html
import mailbox
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from email.header import decode_header, make_header
from email.utils import parseaddr
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode
from zoneinfo import ZoneInfo

import httpx
import jinja2
import msgspec
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from infra.local.providers.everyone import Everyone
from infra.local.providers.zalo import Account
from services.notify.domain.gsm7 import segments

CHANNELS = {"zalo": "Zalo", "sms": "SMS", "telegram": "Telegram", "email": "Thư điện tử"}
MOST = 300
"""Messages on one page."""
_ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
_LINK = re.compile(r"https?://[^\s<>\"]+")
_PAGES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=jinja2.StrictUndefined
)


@dataclass
class Person:
    """Whose addresses these are. `zalo`: the id of the account that has the number; without it there is none."""

    name: str
    phone: str | None = None
    zalo: str | None = None
    telegram: str | None = None
    email: str | None = None


@dataclass(frozen=True)
class Shown:
    """One message on somebody's screen."""

    channel: str
    to: str
    text: str
    at: datetime
    provider_id: str
    our_id: str | None
    subject: str = ""


@dataclass(frozen=True)
class Answered:
    """What somebody wrote back, and the status with which notify took it; 0: it was not there."""

    channel: str
    sender: str
    text: str
    at: datetime
    status: int


@dataclass(frozen=True)
class _Saying:
    channel: str
    sender: str
    text: str


class Outbox:
    """What the receivers see, over the providers and a Maildir."""

    def __init__(self, everyone: Everyone, maildir: Path | None) -> None:
        self._everyone, self._maildir = everyone, maildir
        self.people: list[Person] = []
        self.answers: list[Answered] = []

    def routes(self) -> Sequence[BaseRoute]:
        """The page, and the same for programs."""
        return [
            Route("/", self._page),
            Route("/answers", self._answer, methods=["POST"]),
            Route("/messages.json", self._messages),
            Route("/people", self._put_people, methods=["PUT"]),
        ]

    def know(self, people: Sequence[Person]) -> None:
        """These have telephones; those of them with a Zalo account or a chat can be reached so."""
        self.people = list(people)
        known = {one.user_id: one.wrote_at for one in self._everyone.zalo.accounts}
        self._everyone.zalo.accounts = [
            Account(p.zalo, (p.phone or "").removeprefix("+") or None, known.get(p.zalo)) for p in people if p.zalo
        ]
        self._everyone.telegram.chats |= {p.telegram for p in people if p.telegram}

    def messages(self) -> list[Shown]:
        """All of them, the newest first."""
        everyone = self._everyone
        found = [
            Shown(channel, _address(channel, one.to), one.text, one.at, one.provider_id, one.our_id)
            for channel, provider in (("zalo", everyone.zalo), ("sms", everyone.esms), ("sms", everyone.speedsms),
                                      ("telegram", everyone.telegram))
            for one in provider.arrived
        ]  # fmt: skip
        return sorted([*found, *self._mails()], key=lambda one: one.at, reverse=True)

    def _mails(self) -> Iterator[Shown]:
        if self._maildir is None or not self._maildir.exists():
            return
        for mail in mailbox.Maildir(self._maildir, create=False):
            body = mail.get_payload(decode=True)
            text = body.decode(errors="replace") if isinstance(body, bytes) else ""
            at = datetime.fromtimestamp(mail.get_date(), UTC)
            subject = str(make_header(decode_header(str(mail["Subject"]))))
            yield Shown(
                "email", parseaddr(str(mail["To"]))[1], text.strip(), at, str(mail["Message-ID"]), None, subject
            )

    async def say(self, channel: str, sender: str, text: str) -> int:
        """Somebody writes back; the status of notify's answer. Raises LookupError for a way that there is not."""
        everyone = self._everyone
        try:
            match channel:
                case "zalo":
                    phone = sender.removeprefix("+")
                    user = next((one.user_id for one in everyone.zalo.accounts if one.phone == phone), None)
                    if user is None:
                        raise LookupError("nobody at Zalo has this number")
                    status = await everyone.zalo.write(user, text)
                case "sms":
                    status = await everyone.speedsms.write(sender, text)
                case "telegram":
                    now = int(datetime.now(UTC).timestamp())
                    status = await everyone.telegram.write(sender, text, date=now)
                case _:
                    raise LookupError("nobody answers by this channel")
        except httpx.HTTPError:
            status = 0
        self.answers.append(Answered(channel, sender, text, datetime.now(UTC), status))
        return status

    # -- HTTP ----------------------------------------------------------------------------------------------------

    async def _messages(self, _: Request) -> Response:
        shown = [asdict(one) | {"at": one.at.isoformat()} for one in self.messages()]
        return JSONResponse({"messages": shown, "unheard": not self._everyone.all_heard})

    async def _put_people(self, request: Request) -> Response:
        self.know([Person(**one) for one in await request.json()])
        return Response(status_code=204)

    async def _answer(self, request: Request) -> Response:
        """A form's answer leads back to the page, a program's is the status that notify gave."""
        is_form = not request.headers.get("content-type", "").startswith("application/json")
        body = await request.body()
        try:
            said = _Saying(**dict(parse_qsl(body.decode()))) if is_form else msgspec.json.decode(body, type=_Saying)
            status = await self.say(said.channel, said.sender, said.text)
        except (LookupError, TypeError, UnicodeDecodeError, msgspec.DecodeError) as error:
            return JSONResponse({"detail": str(error)}, 422)
        if is_form:
            return RedirectResponse("/?" + urlencode({"who": said.sender}), 303)
        return JSONResponse({"status": status})

    async def _page(self, request: Request) -> Response:
        channel, who = request.query_params.get("channel", ""), request.query_params.get("who", "").strip()
        every = self.messages()
        found = [one for one in every if (not channel or one.channel == channel) and self._is_about(one, who)]
        content = _PAGES.get_template("outbox.html").render(
            entries=[self._entry(one) for one in found[:MOST]],
            answers=[
                {"name": self._name(it.channel, it.sender), "channel": CHANNELS[it.channel], "at": _clock(it.at),
                 "text": it.text, "status": it.status}
                for it in reversed(self.answers[-20:])
            ],
            channels=CHANNELS, channel=channel, who=who, more=max(len(found) - MOST, 0),
            counts={name: sum(one.channel == name for one in every) for name in CHANNELS}, count=len(every),
        )  # fmt: skip
        headers = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'",
                   "Cache-Control": "no-store"}  # fmt: skip
        return HTMLResponse(content, headers=headers)

    def _entry(self, one: Shown) -> dict[str, Any]:
        count = segments(one.text) if one.channel == "sms" else 0
        return {
            "channel": one.channel, "named": CHANNELS[one.channel], "to": one.to,
            "name": self._name(one.channel, one.to),
            "day": one.at.astimezone(_ZONE).strftime("%d/%m/%Y"), "clock": _clock(one.at), "subject": one.subject,
            "text": linked(one.text), "segments": count, "length": len(one.text),
            "answerable": one.channel != "email" and one.to in self._reachable(one.channel),
        }  # fmt: skip

    def _reachable(self, channel: str) -> set[str]:
        """Whoever can write back by this channel."""
        if channel == "zalo":
            return {f"+{one.phone}" for one in self._everyone.zalo.accounts if one.phone}
        if channel == "telegram":
            return self._everyone.telegram.chats
        return {one.to for one in self._everyone.speedsms.arrived}

    def _is_about(self, one: Shown, who: str) -> bool:
        said = f"{one.to} {self._name(one.channel, one.to)}".casefold()
        return who.casefold() in said

    def _name(self, channel: str, address: str) -> str:
        field = {"zalo": "phone", "sms": "phone"}.get(channel, channel)
        return next((one.name for one in self.people if getattr(one, field) == address), "")


def linked(text: str) -> Markup:
    """The text with its addresses as links."""
    parts, end = [], 0
    for found in _LINK.finditer(text):
        url = html.escape(found[0])
        parts += [html.escape(text[end : found.start()]), f'<a href="{url}" target="_blank" rel="noopener">{url}</a>']
        end = found.end()
    return Markup("".join(parts) + html.escape(text[end:]))  # noqa: S704 - every part is escaped


def _address(channel: str, to: str) -> str:
    """As the contact book has it: Zalo knows numbers without their +."""
    return f"+{to}" if channel == "zalo" and re.fullmatch("84[0-9]{9}", to) else to


def _clock(at: datetime) -> str:
    return at.astimezone(_ZONE).strftime("%H:%M:%S")
