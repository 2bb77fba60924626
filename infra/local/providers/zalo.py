"""Zalo as an application of an Official Account meets it: tokens, templates, conversations, and reports of both.

It holds to what is documented: access tokens end after 25 hours, a refresh token is good once and for three months, a
template takes exactly its parameters at their lengths, nothing by template goes out between 22:00 and 06:00, quotas are
counted by day, a conversation is open for 7 days after the user wrote. A repeated `tracking_id` is a second message.
"""

import asyncio
import hashlib
import json
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from infra.local.providers import SILENT, Arrived, Provider

ACCESS_LASTS, REFRESH_LASTS = timedelta(seconds=90_000), timedelta(days=90)
CONVERSATION = timedelta(days=7)
_ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
_LENGTHS = {"name": 30, "phone": 15, "address": 200, "code": 30, "label": 30, "status": 30, "contact": 50, "title": 5,
            "product": 200, "amount": 20, "time": 20, "url": 200, "currency": 12}  # fmt: skip


@dataclass(frozen=True)
class ApprovedTemplate:
    """`text` has each parameter as <name>; `kinds` are their types. `fault` is the code with which it is refused."""

    text: str
    kinds: Mapping[str, str]
    fault: int = 0


@dataclass
class Account:
    """Who has Zalo: a user of the Official Account, with or without a telephone number that is known to Zalo."""

    user_id: str
    phone: str | None = None
    wrote_at: datetime | None = None
    fault: int = 0
    """The code with which messages to it are refused."""


@dataclass(eq=False)
class Zalo(Provider):
    """The state of it; see the head of the file."""

    refresh_token: str = "refresh-0"  # noqa: S105 - of a server of our own
    app_id: str = "2074138120372622546"
    app_secret: str = "application-secret"  # noqa: S105
    oa_id: str = "2893352839501541173"
    oa_secret_key: str = "account-secret"  # noqa: S105
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    templates: dict[str, ApprovedTemplate] = field(default_factory=dict)
    accounts: list[Account] = field(default_factory=list)
    admins: set[str] = field(default_factory=set)
    """The numbers that development mode sends to."""
    daily_quota: int = 500
    has_balance: bool = True
    per_minute: int = 4000
    reports_at_once: bool = True
    """Reports what arrived as soon as it has answered; else when `report` is called."""
    keeps_night: bool = True

    def __post_init__(self) -> None:
        super().__init__()
        self.refresh_until = self.clock() + REFRESH_LASTS
        self.access_tokens: dict[str, datetime] = {}
        """And until when they are good."""
        self.renewals = 0
        self.unreported: list[dict[str, Any]] = []
        self.statuses: list[int] = []
        """What its reports were answered with."""
        self._sent_on: dict[date, int] = {}
        self._minute: tuple[int, int] = (0, 0)

    def routes(self) -> Sequence[Route]:
        """Its endpoints; the three hosts in one."""
        return [
            Route("/v4/oa/access_token", self.token, methods=["POST"]),
            Route("/message/template", self.by_template, methods=["POST"]),
            Route("/v3.0/oa/message/cs", self.by_conversation, methods=["POST"]),
        ]

    def refusal(self, status: int, code: int | str | None) -> Response:
        """200 whatever it is, unless something in front of it has failed."""
        self.refused.append(str(code))
        return JSONResponse({"error": code, "message": "refused", "data": None}, status)

    # -- Tokens --------------------------------------------------------------------------------------------------

    async def token(self, request: Request) -> Response:
        """A pair for a refresh token."""
        form = dict(parse_qsl((await request.body()).decode()))
        if request.headers.get("secret_key") != self.app_secret or form.get("app_id") != self.app_id:
            return self._token_refusal(-14002, "Invalid app")
        is_known = form.get("grant_type") == "refresh_token" and form.get("refresh_token") == self.refresh_token
        if not is_known or self.refresh_until <= self.clock():
            return self._token_refusal(-14014, "Invalid refresh token")
        self.renewals += 1
        access = f"access-{self.renewals}-{secrets.token_hex(4)}"
        self.refresh_token = f"refresh-{self.renewals}-{secrets.token_hex(4)}"
        self.refresh_until = self.clock() + REFRESH_LASTS
        self.access_tokens[access] = self.clock() + ACCESS_LASTS
        lasts_s = str(int(ACCESS_LASTS.total_seconds()))
        return JSONResponse({"access_token": access, "refresh_token": self.refresh_token, "expires_in": lasts_s})

    def _token_refusal(self, code: int, name: str) -> Response:
        self.refused.append(str(code))
        return JSONResponse({"error": code, "error_name": name, "error_description": name})

    def authorise_again(self) -> str:
        """What an operator gets who authorises the application again: a new refresh token."""
        self.refresh_token, self.refresh_until = f"refresh-{secrets.token_hex(6)}", self.clock() + REFRESH_LASTS
        return self.refresh_token

    # -- Messages ------------------------------------------------------------------------------------------------

    async def by_template(self, request: Request) -> Response:
        """To whoever has the number."""
        asked = await request.json()
        if code := self._closed(request, -124) or self._fault_of_template(asked):
            return self.refusal(200, code)
        phone, now = asked["phone"], self.clock()
        account = next((one for one in self.accounts if one.phone == phone), None)
        if code := -118 if account is None else account.fault:
            return self.refusal(200, code)
        sent_today = self._sent_on[self._day()] = self._sent_on.get(self._day(), 0) + 1
        msg_id = secrets.token_hex(10)
        text = self.templates[asked["template_id"]].text
        for name, value in asked["template_data"].items():
            text = text.replace(f"<{name}>", value)
        self.arrived.append(Arrived(phone, text, msg_id, asked.get("tracking_id")))
        message = {"delivery_time": _ms(now), "msg_id": msg_id, "tracking_id": asked.get("tracking_id", "")}
        if not request.scope.get(SILENT):
            self.unreported.append(self._event("user_received_message", self.oa_id, phone, message))
        quota = {"dailyQuota": str(self.daily_quota), "remainingQuota": str(self.daily_quota - sent_today)}
        told = {"msg_id": msg_id, "sent_time": _ms(now), "sending_mode": "1", "quota": quota}
        return self._success(told)

    def _fault_of_template(self, asked: dict[str, Any]) -> int:
        template = self.templates.get(str(asked.get("template_id")))
        if not re.fullmatch(r"84[0-9]{9,10}", str(asked.get("phone"))):
            return -108
        if template is None:
            return -109
        given = asked.get("template_data")
        if not isinstance(given, dict) or given.keys() != template.kinds.keys():
            return -1121
        if not all(isinstance(given[name], str) and _fits(kind, given[name]) for name, kind in template.kinds.items()):
            return -1122
        if len(asked.get("tracking_id", "")) > 48:
            return -1121
        if asked.get("mode") == "development" and asked["phone"] not in self.admins:
            return -127
        hour = self.clock().astimezone(_ZONE).hour
        if self.keeps_night and (hour >= 22 or hour < 6):
            return -133
        if not self.has_balance:
            return -115
        return -144 if self._sent_on.get(self._day(), 0) >= self.daily_quota else template.fault

    async def by_conversation(self, request: Request) -> Response:
        """To a user who wrote within the last week."""
        asked = await request.json()
        if code := self._closed(request, -216):
            return self.refusal(200, code)
        user_id, text = asked["recipient"]["user_id"], asked["message"]["text"]
        account = next((one for one in self.accounts if one.user_id == user_id), None)
        if account is None or not isinstance(text, str) or not 1 <= len(text) <= 2000:
            return self.refusal(200, -201)
        is_open = account.wrote_at is not None and account.wrote_at + CONVERSATION > self.clock()
        if code := account.fault if is_open else -230:
            return self.refusal(200, code)
        message_id = secrets.token_hex(10)
        self.arrived.append(Arrived(user_id, text, message_id))
        self.unreported.append(self._event("user_received_message", self.oa_id, user_id, {"msg_id": message_id}))
        return self._success({"message_id": message_id, "user_id": user_id})

    def _closed(self, request: Request, invalid: int) -> int:
        """The code with which nobody is let in now; 0 where the door is open."""
        until = self.access_tokens.get(request.headers.get("access_token", ""))
        if until is None or until <= self.clock():
            return invalid if until is None else -220
        minute = int(self.clock().timestamp()) // 60
        self._minute = (minute, self._minute[1] + 1 if self._minute[0] == minute else 1)
        return -32 if self._minute[1] > self.per_minute else 0

    def _success(self, told: dict[str, Any]) -> Response:
        task = BackgroundTask(self.report) if self.reports_at_once and self.hook_url else None
        return JSONResponse({"error": 0, "message": "Success", "data": told}, background=task)

    def _day(self) -> date:
        return self.clock().astimezone(_ZONE).date()

    # -- What users do -------------------------------------------------------------------------------------------

    async def report(self) -> None:
        """Sends all events that were not reported yet."""
        events, self.unreported = self.unreported, []
        self.statuses += await asyncio.gather(*map(self.post, events))

    async def write(self, user_id: str, text: str) -> int:
        """A user writes to the account, which opens the conversation for a week. The status of our answer."""
        account = next((one for one in self.accounts if one.user_id == user_id), None)
        if account is not None:
            account.wrote_at = self.clock()
        message = {"text": text, "msg_id": secrets.token_hex(10)}
        return await self.post(self._event("user_send_text", user_id, self.oa_id, message))

    async def open_conversation(self, user_id: str) -> int:
        """A user looks at all that came. The status of our answer."""
        ids = [one.provider_id for one in self.to(user_id)]
        return await self.post(self._event("user_seen_message", user_id, self.oa_id, {"msg_ids": ids}))

    def _event(self, name: str, sender: str, recipient: str, message: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "sender": {"id": sender},
            "recipient": {"id": recipient},
            "event_name": name,
            "message": message,
            "app_id": self.app_id,
            "timestamp": _ms(self.clock()),
        }

    async def post(self, event: dict[str, Any]) -> int:
        """Reports one event; the status of our answer. Raises as `call_back` does."""
        body, headers = self.signed(event)
        return await self.call_back(body, headers)

    def signed(self, event: dict[str, Any]) -> tuple[bytes, dict[str, str]]:
        """Body and headers of a report."""
        body = json.dumps(event, ensure_ascii=False, indent=1).encode()
        mac = hashlib.sha256(f"{self.app_id}{body.decode()}{event['timestamp']}{self.oa_secret_key}".encode())
        server = {"x-zevent-server": "ZNS"} if "delivery_time" in event["message"] else {}
        return body, {"content-type": "application/json", "x-zevent-signature": f"mac={mac.hexdigest()}"} | server


def _fits(kind: str, value: str) -> bool:
    if kind == "currency" and not re.fullmatch(r"[1-9][0-9]*", value):
        return False
    return 1 <= len(value) <= _LENGTHS[kind]


def _ms(moment: datetime) -> str:
    return str(int(moment.timestamp() * 1000))
