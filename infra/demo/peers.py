"""The receiving side: a mailbox behind real SMTP, and a partner's webhook address that checks every signature."""

import asyncio
import json
import mailbox
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import Message
from pathlib import Path
from types import TracebackType
from typing import Any

import uvicorn
from standardwebhooks import Webhook, WebhookVerificationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from infra.local.ports import choose_ports

WHOLE = ("order.promised", "order.changed")
"""The messages that say everything that is promised of an order."""


_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True, slots=True)
class Delivered:
    """One message on somebody's telephone; ids as the provider has them."""

    channel: str
    to: str
    text: str
    provider_id: str
    our_id: str | None


@dataclass(frozen=True, slots=True)
class Arrival:
    """One webhook as it came in; `copy` counts those with the same id, from 1."""

    at: datetime
    message_id: str
    copy: int


@dataclass
class Received:
    """What really arrived, as the receivers saw it."""

    maildir: Path
    providers_url: str | None = None
    """Where the local providers say what they delivered, if there are any."""
    webhooks: dict[str, dict[str, Any]] = field(default_factory=dict)
    """webhook-id → body; the same id twice is the same message"""
    arrivals: list[Arrival] = field(default_factory=list)
    """Every webhook with a good signature, in the order in which they came, repeats as well."""
    bad_signatures: list[str] = field(default_factory=list)
    refused: dict[str, datetime] = field(default_factory=dict)
    """webhook-id → when it was first refused"""
    changed_copies: list[str] = field(default_factory=list)
    """Webhooks that came again under the same id with another body."""
    _copies: Counter[str] = field(default_factory=Counter)

    def mails(self) -> Iterator[Message]:
        """Every mail in the mailbox."""
        if self.maildir.exists():
            yield from mailbox.Maildir(self.maildir, create=False)

    def mail_ids(self) -> list[str]:
        """The notice of each mail, from its Message-ID."""
        return [str(mail["Message-ID"]).strip("<>").split("@")[0] for mail in self.mails()]

    def delivered(self) -> list[Delivered]:
        """What is on telephones, in order."""
        if self.providers_url is None:
            return []
        with _opener.open(f"{self.providers_url}/messages.json", timeout=30) as answer:
            found = [one for one in json.load(answer)["messages"] if one["channel"] != "email"]
        return [
            Delivered(*(one[name] for name in ("channel", "to", "text", "provider_id", "our_id")))
            for one in reversed(found)
        ]

    def take(self, message_id: str, body: dict[str, Any]) -> None:
        """A webhook came in now."""
        self._copies[message_id] += 1
        self.arrivals.append(Arrival(datetime.now(UTC), message_id, self._copies[message_id]))
        if self.webhooks.setdefault(message_id, body) != body:
            self.changed_copies.append(f"webhook {message_id} came again with another body")

    def repeats(self) -> list[tuple[Arrival, Arrival]]:
        """Each webhook that came again, with the copy before it."""
        last: dict[str, Arrival] = {}
        found = []
        for arrival in self.arrivals:
            if arrival.message_id in last:
                found.append((last[arrival.message_id], arrival))
            last[arrival.message_id] = arrival
        return found

    def webhook_count(self) -> int:
        """How many different webhooks arrived."""
        return len(self.webhooks)

    def last_promises(self) -> dict[str, Counter[int]]:
        """order → line → steps that will come, by the newest word on the whole order and what was taken back since.

        An order.cancelled does not stand among them: what holds then is what the partner itself has asked for.
        """
        promises: dict[str, Counter[int]] = {}
        bodies = [body for body in self.webhooks.values() if body["type"] in (*WHOLE, "order.shorted")]
        for body in sorted(bodies, key=lambda it: it["data"]["sequence"]):
            order, lines = body["data"]["order_id"], body["data"]["lines"]
            if body["type"] in WHOLE:
                promises[order] = Counter()
                for line in lines:  # one that moved to another offer stands here twice, cancelled and promised
                    promises[order][line["line_no"]] += line["promised_steps"]
            else:
                known = promises.setdefault(order, Counter())
                for line in lines:
                    known[line["line_no"]] = line["after_steps"]
        return promises

    def deliveries(self) -> dict[tuple[str, str], Counter[int]]:
        """(order, delivery day) → line → steps that were delivered, by the newest word on that day."""
        delivered: dict[tuple[str, str], Counter[int]] = {}
        bodies = [body["data"] for body in self.webhooks.values() if body["type"] == "order.delivered"]
        for data in sorted(bodies, key=lambda it: it["sequence"]):
            lines = delivered[data["order_id"], data["delivery_day"]] = Counter()
            for line in data["lines"]:
                lines[line["line_no"]] += line["delivered_steps"]
        return delivered


class WebhookReceiver(AbstractAsyncContextManager["WebhookReceiver"]):
    """A partner's endpoint on loopback; `secrets` by partner are filled in as endpoints are set."""

    def __init__(self, received: Received) -> None:
        self.received = received
        self.secrets: dict[str, str] = {}
        self._port = choose_ports([None])[0]
        app = Starlette(routes=[Route("/{partner_id}", self._take, methods=["POST"])])
        config = uvicorn.Config(app, port=self._port, log_config=None, access_log=False, lifespan="off")
        self._server = uvicorn.Server(config)
        self._serving: asyncio.Task[None] | None = None

    def url(self, partner_id: str) -> str:
        """The address to give to notify for this partner."""
        return f"http://127.0.0.1:{self._port}/{partner_id}"

    async def _take(self, request: Request) -> Response:
        body = await request.body()
        partner_id = request.path_params["partner_id"]
        try:
            Webhook(self.secrets[partner_id]).verify(body, dict(request.headers))
        except WebhookVerificationError as error:
            self.received.bad_signatures.append(f"webhook of {partner_id}: {error}")
            self.received.refused.setdefault(request.headers.get("webhook-id", ""), datetime.now(UTC))
            return Response(status_code=401)
        message_id, content = request.headers["webhook-id"], json.loads(body)
        self.received.take(message_id, content)
        return Response(status_code=204)

    async def __aenter__(self) -> "WebhookReceiver":
        self._serving = asyncio.create_task(self._server._serve())
        while not self._server.started:  # noqa: ASYNC110 - uvicorn has a flag and no event
            await asyncio.sleep(0.01)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        if self._serving is not None:
            await self._serving
