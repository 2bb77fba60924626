"""eSMS.vn, as far as its public documents go: takes SMS by `SendMultipleMessage_V4_post_json`, and reports on them.

A `RequestId` is known until the day ends. Receipts go out by GET to the `CallbackUrl` of their message, and what a
person writes to the short number goes to `reply_url`.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from infra.local.providers import Arrived, Provider

PATH = "/MainService.svc/json/SendMultipleMessage_V4_post_json/"
_FIELDS = ("ApiKey", "Content", "Phone", "SecretKey", "Brandname", "SmsType")


@dataclass
class _Sms:
    sms_id: str
    request_id: str
    callback_url: str
    phone: str


@dataclass
class Account:
    """One customer of eSMS; `balance` is in messages."""

    api_key: str = "esms-key"
    secret_key: str = "esms-secret"  # noqa: S105 - of nobody
    brandname: str = "HTXVanHo"
    balance: int = 1_000_000
    cp_id: str = "4711"
    private_key: str = "esms-private-key"
    blocked: set[str] = field(default_factory=set)


class Esms(Provider):
    """One account, and the telephones that its messages arrive on."""

    def __init__(self, account: Account | None = None) -> None:
        super().__init__()
        self.account = account or Account()
        self.reply_url: str | None = None
        self.sent: list[_Sms] = []
        self._today: dict[str, _Sms] = {}
        self._texts = 0

    def routes(self) -> Sequence[Route]:
        """The one method that notices need."""
        return [Route(PATH, self._send, methods=["POST"])]

    def refusal(self, status: int, code: int | str | None) -> Response:
        """A CodeResult, or what a gateway in front of it says."""
        if code is None:
            return Response("<html>error</html>", status, media_type="text/html")
        return JSONResponse({"CodeResult": str(code), "CountRegenerate": 0, "ErrorMessage": "scripted"}, status)

    async def _send(self, request: Request) -> Response:
        body: dict[str, Any] = await request.json()
        if (code := self._fault(body)) is not None:
            self.refused.append(code)
            return self.refusal(200, code)
        request_id, account = str(body.get("RequestId", "")), self.account
        account.balance -= 1
        sms = _Sms(f"esms{len(self.sent):08d}", request_id, str(body.get("CallbackUrl", "")), _e164(body["Phone"]))
        self.sent.append(sms)
        if request_id:
            self._today[request_id] = sms
        self.arrived.append(Arrived(sms.phone, body["Content"], sms.sms_id, request_id or None))
        return JSONResponse({"CodeResult": "100", "CountRegenerate": 0, "SMSID": sms.sms_id})

    def _fault(self, body: Mapping[str, Any]) -> str | None:
        account = self.account
        if (body.get("ApiKey"), body.get("SecretKey")) != (account.api_key, account.secret_key):
            return "101"
        if any(not isinstance(body.get(name), str) or not body[name] for name in _FIELDS):
            return "110"
        if len(str(body.get("RequestId", ""))) > 50 or body["SmsType"] != "2":
            return "110"
        if body["Brandname"] != account.brandname:
            return "104"
        if not _is_phone(body["Phone"]):
            return "108"
        if body["Phone"] in account.blocked:
            return "99"
        if str(body.get("IsUnicode", "0")) == "0" and not body["Content"].isascii():
            return "146"
        if body.get("RequestId") in self._today:
            return "124"
        return "103" if account.balance < 1 else None

    async def report(self, sms_id: str, *, delivered: bool = True, status: int = 5) -> int:
        """Tells the sender what became of a message; returns the status of the answer. Raises httpx.HTTPError."""
        sms = next(one for one in self.sent if one.sms_id == sms_id)
        query = {
            "SMSID": sms.sms_id,
            "SendFailed": "0" if delivered or status != 5 else "1",
            "SendStatus": str(status),
            "SendSuccess": "1" if delivered and status == 5 else "0",
            "TotalPrice": "0.0000",
            "TotalReceiver": "1",
            "TotalSent": "1",
            "RequestId": sms.request_id,
            "TypeId": "2",
            "telcoid": "1",
            "phonenumber": "0" + sms.phone[3:],
            "switchsmsid": "",
        }
        return (await self._get(sms.callback_url, query)).status_code

    async def write(self, phone: str, text: str, *, keyword: str = "", sms_id: str | None = None) -> httpx.Response:
        """A person writes to the short number. Raises httpx.HTTPError, and LookupError without an address."""
        if self.reply_url is None:
            raise LookupError("there is no address to report to")
        self._texts += 1
        content = f"{keyword} {text}".strip()
        query = {
            "sender": phone.removeprefix("+"),
            "content": content,
            "serviceNumber": "8041",
            "keyword": content.partition(" ")[0],
            "cpid": self.account.cp_id,
            "smsid": sms_id or f"mo{self._texts:08d}",
            "receiverTime": "20261124053000",
        }
        signed = query["cpid"] + query["smsid"] + query["content"] + query["receiverTime"] + self.account.private_key
        digest = hashlib.md5(signed.encode(), usedforsecurity=False).digest()
        return await self._get(self.reply_url, {**query, "sign": base64.b64encode(digest).decode()})

    async def _get(self, url: str, query: Mapping[str, str]) -> httpx.Response:
        if self.hook_client is not None:
            return await self.hook_client.get(f"{url}?{urlencode(query)}")
        async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
            return await client.get(f"{url}?{urlencode(query)}")


def _is_phone(text: str) -> bool:
    return text.isdigit() and ((text[0] == "0" and len(text) == 10) or (text[:2] == "84" and len(text) == 11))


def _e164(text: str) -> str:
    return "+84" + text.removeprefix("84" if len(text) == 11 else "0")
