"""SpeedSMS.vn, as far as its public documents go: takes SMS by `/sms/send`, and reports to the account's address."""

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from infra.local.providers import Arrived, Provider

PATH = "/index.php/sms/send"
_TYPES = (2, 3, 4, 5, 6, 7, 8)


class SpeedSms(Provider):
    """One account, and the telephones that its messages arrive on; `hook_url` is the address for its reports."""

    def __init__(self, token: str = "speedsms-token", balance: int = 1_000_000) -> None:  # noqa: S107 - of nobody
        super().__init__()
        self.token, self.balance = token, balance

    def routes(self) -> Sequence[Route]:
        """The one method that notices need."""
        return [Route(PATH, self._send, methods=["POST"])]

    def refusal(self, status: int, code: int | str | None) -> Response:
        """A code of SpeedSMS, too many requests, or what a gateway in front of it says."""
        if status == 429:
            body = {"name": "Too Many Requests", "message": "Rate limit exceeded.", "code": 0, "status": 429}
            return JSONResponse(body, 429)
        if code is None:
            return Response("<html>error</html>", status, media_type="text/html")
        return JSONResponse({"status": "error", "code": str(code), "message": "scripted"}, status)

    async def _send(self, request: Request) -> Response:
        due = "Basic " + base64.b64encode(f"{self.token}:x".encode()).decode()
        if request.headers.get("authorization") != due:
            self.refused.append("401")
            return JSONResponse({"name": "Unauthorized", "status": 401}, 401)
        body: dict[str, Any] = await request.json()
        if (code := self._fault(body)) is not None:
            self.refused.append(code)
            return self.refusal(200, code)
        good = [phone for phone in body["to"] if _is_phone(phone)]
        invalid = [phone for phone in body["to"] if phone not in good]
        if not good:
            self.refused.append("105")
            error = {"status": "error", "code": "105", "message": "Phone number invalid", "invalidPhone": invalid}
            return JSONResponse(error)
        tran_id = 100_000 + len(self.arrived)
        self.balance -= len(good)
        self.arrived += [Arrived("+" + phone, body["content"], str(tran_id)) for phone in good]
        data = {"tranId": tran_id, "totalSMS": len(good), "totalPrice": 250 * len(good), "invalidPhone": invalid}
        return JSONResponse({"status": "success", "code": "00", "data": data})

    def _fault(self, body: Mapping[str, Any]) -> str | None:
        to, content = body.get("to"), body.get("content")
        if not isinstance(to, list) or not to or not all(isinstance(phone, str) for phone in to):
            return "101"
        if not isinstance(content, str) or not content or body.get("sms_type") not in _TYPES:
            return "101"
        if body["sms_type"] == 3 and not body.get("sender"):
            return "101"
        if not content.isascii():
            return "110"
        if len(content) > 459:
            return "113"
        return "300" if self.balance < len(to) else None

    async def report(self, tran_id: str, status: int = 0) -> int:
        """Tells what became of a message. Raises httpx.HTTPError, and LookupError without an address."""
        phone = next(one.to for one in self.arrived if one.provider_id == tran_id).removeprefix("+")
        return await self._report({"type": "report", "tranId": int(tran_id), "phone": phone, "status": status})

    async def write(self, phone: str, text: str) -> int:
        """A person writes to our number. Raises as `report` does."""
        return await self._report({"type": "sms", "phone": phone.removeprefix("+"), "content": text})

    async def _report(self, report: Mapping[str, Any]) -> int:
        return await self.call_back(json.dumps(report).encode(), {"content-type": "application/json"})


def _is_phone(text: str) -> bool:
    return text.isdigit() and text[:2] == "84" and len(text) == 11
