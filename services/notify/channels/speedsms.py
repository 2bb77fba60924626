"""SMS by SpeedSMS.vn.

`success` means that SpeedSMS took the message; whether it arrived it reports to the one address that is entered for the
account, under its own `tranId`. It takes no id of ours and recognises no repetition: a message whose answer was lost
stays unknown, since nothing can settle it. That goes for its code 500 as well: "please try again" does not say that
nothing was sent.
https://speedsms.vn/sms-api-service/
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from services.notify.channels import Batch
from services.notify.channels.http_api import NOT_UNDERSTOOD, HttpApi, Lost, content, judge_status
from services.notify.clock import Clock
from services.notify.domain.contacts import SMS
from services.notify.domain.delivery import Outcome, Refused, Sent, Unknown
from services.notify.domain.gsm7 import sendable
from services.notify.domain.messages import Message
from services.notify.domain.sms import vietnamese

URL = "https://api.speedsms.vn"
PATH = "/index.php/sms/send"

CODES: dict[str, Outcome] = {
    "007": Refused("speedsms_ip_not_allowed", ours=True),
    "008": Refused("speedsms_account_blocked", ours=True),
    "009": Refused("speedsms_not_allowed", ours=True),
    "101": Refused("speedsms_bad_request", ours=True),
    "105": Refused("speedsms_bad_phone", gone=True),
    "110": Refused("speedsms_encoding", ours=True),
    "113": Refused("speedsms_too_long", ours=True),
    "300": Refused("speedsms_no_balance", ours=True),
    "500": Unknown("speedsms_500"),
}


class SpeedSmsChannel:
    """`api` has the token as its user name and "x" as its password; `sms_type` is of SpeedSMS's numbers.

    2: from a random number; 3: from the brand name `sender`; 8: from a fixed number that takes answers.
    """

    name = SMS
    resend_is_safe = False
    tells_later = False

    def __init__(self, api: HttpApi, sender: str, sms_type: int, clock: Clock) -> None:
        self._api, self._sender, self._sms_type, self._clock = api, sender, sms_type, clock

    async def send(self, messages: Sequence[Message], batch: Batch) -> None:
        """Each by itself; the receipts come later."""
        await self._api.send(messages, batch, self._compose, self._ask)

    def _compose(self, message: Message) -> dict[str, Any] | Refused:
        phone, text = vietnamese(message.to), sendable(message.text.short)
        if phone is None:
            return Refused("not_vietnamese")
        if not text.strip():
            return Refused("cannot_be_composed")
        return {"to": [phone], "content": text, "sms_type": self._sms_type, "sender": self._sender}

    async def _ask(self, body: dict[str, Any]) -> Outcome:
        response = await self._api.post(PATH, json=body)
        if isinstance(response, Lost):
            return response
        answer = content(response)
        if response.status_code != 200 or answer is None:
            reset = response.headers.get("x-rate-limit-reset", "")
            asked = timedelta(seconds=int(reset)) if reset.isascii() and reset.isdigit() and len(reset) < 6 else None
            return judge_status(response, self._clock(), asked)
        return judge(answer, body["to"][0])


def judge(answer: dict[str, object], phone: str) -> Outcome:
    """What an answer means. Numbers that it could not use are listed, also where it is a success for others."""
    if answer.get("status") == "success":
        data = answer.get("data")
        given = data if isinstance(data, dict) else {}
        invalid = given.get("invalidPhone")
        if isinstance(invalid, list) and phone in map(str, invalid):
            return CODES["105"]
        return Sent(str(given["tranId"])) if isinstance(given.get("tranId"), int | str) else NOT_UNDERSTOOD
    code = str(answer.get("code", ""))
    if code in CODES:
        return CODES[code]
    return Unknown(f"speedsms_{code}") if code.isascii() and code.isdigit() and len(code) <= 4 else NOT_UNDERSTOOD
