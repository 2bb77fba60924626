"""Twilio's Messages resource: takes SMS, and reports on them with its signature."""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from infra.local.providers import Arrived, Provider

_PHONE = re.compile(r"\+[1-9][0-9]{7,14}")


@dataclass
class _Sms:
    sid: str
    to: str
    callback_url: str


class Twilio(Provider):
    """One account, and the telephones that its messages arrive on.

    `unsubscribed` wrote STOP; `landlines` take no SMS. `hook_client` goes to the path and query of addresses only, so
    that it may lead to a server under test, while the signature is over the address as it was given.
    """

    def __init__(self, account_sid: str = "AC" + "0" * 32, auth_token: str = "twilio-token") -> None:  # noqa: S107
        super().__init__()
        self.account_sid, self.auth_token = account_sid, auth_token
        self.sender = "+12025550100"
        self.unsubscribed: set[str] = set()
        self.landlines: set[str] = set()
        self.reply_url: str | None = None
        self.sent: list[_Sms] = []
        self._texts = 0

    def routes(self) -> Sequence[Route]:
        """The one method that notices need."""
        return [Route("/2010-04-01/Accounts/{account}/Messages.json", self._send, methods=["POST"])]

    def refusal(self, status: int, code: int | str | None) -> Response:
        """An error as Twilio puts it, or what a gateway in front of it says."""
        if code is None:
            return Response("<html>error</html>", status, media_type="text/html")
        info = f"https://www.twilio.com/docs/errors/{code}"
        return JSONResponse({"code": code, "message": "scripted", "more_info": info, "status": status}, status)

    async def _send(self, request: Request) -> Response:
        given = request.headers.get("authorization", "")
        due = "Basic " + base64.b64encode(f"{self.account_sid}:{self.auth_token}".encode()).decode()
        if given != due:
            return self._refuse(401, 20003)
        if request.path_params["account"] != self.account_sid:
            return self._refuse(404, 20404)
        form = dict(parse_qsl((await request.body()).decode(), keep_blank_values=True))
        if (code := self._fault(form)) is not None:
            return self._refuse(400, code)
        sms = _Sms("SM" + f"{len(self.sent):032x}", form["To"], form.get("StatusCallback", ""))
        self.sent.append(sms)
        self.arrived.append(Arrived(sms.to, form["Body"], sms.sid))
        return JSONResponse({"sid": sms.sid, "status": "queued", "to": sms.to, "error_code": None}, 201)

    def _refuse(self, status: int, code: int) -> Response:
        self.refused.append(str(code))
        return self.refusal(status, code)

    def _fault(self, form: Mapping[str, str]) -> int | None:
        if not form.get("To"):
            return 21604
        if not (form.get("From") or form.get("MessagingServiceSid")):
            return 21603
        if form.get("From", self.sender) != self.sender:
            return 21606
        if not form.get("Body"):
            return 21602
        if len(form["Body"]) > 1600:
            return 21617
        if not _PHONE.fullmatch(form["To"]):
            return 21211
        if form["To"] in self.unsubscribed:
            return 21610
        if form["To"] in self.landlines:
            return 21614
        return 21609 if form.get("StatusCallback") and not urlsplit(form["StatusCallback"]).hostname else None

    async def report(self, sid: str, status: str = "delivered", error_code: str = "") -> int:
        """Tells what became of a message; returns the status of the answer. Raises httpx.HTTPError."""
        sms = next(one for one in self.sent if one.sid == sid)
        form = {"MessageSid": sid, "SmsSid": sid, "MessageStatus": status, "To": sms.to, "From": self.sender}
        form |= {"AccountSid": self.account_sid, "ApiVersion": "2010-04-01"}
        return await self._post(sms.callback_url, form | ({"ErrorCode": error_code} if error_code else {}))

    async def write(self, phone: str, text: str) -> int:
        """A person writes to our number. Raises httpx.HTTPError, and LookupError without an address."""
        if self.reply_url is None:
            raise LookupError("there is no address to report to")
        self._texts += 1
        sid = "SM" + f"{0xFFFF_0000 + self._texts:032x}"
        form = {"MessageSid": sid, "From": phone, "To": self.sender, "Body": text, "AccountSid": self.account_sid}
        return await self._post(self.reply_url, form)

    async def _post(self, url: str, form: Mapping[str, str]) -> int:
        signed = url + "".join(name + form[name] for name in sorted(form))
        signature = base64.b64encode(hmac.digest(self.auth_token.encode(), signed.encode(), hashlib.sha1)).decode()
        headers = {"X-Twilio-Signature": signature, "content-type": "application/x-www-form-urlencoded"}
        body = urlencode(form).encode()
        if self.hook_client is not None:
            parts = urlsplit(url)
            path = f"{parts.path}?{parts.query}" if parts.query else parts.path
            return (await self.hook_client.post(path, content=body, headers=headers)).status_code
        async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
            return (await client.post(url, content=body, headers=headers)).status_code
