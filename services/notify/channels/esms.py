"""SMS by eSMS.vn, under a brand name that is registered for texts like ours.

100 means that eSMS took the message, not that it arrived: that comes to `CallbackUrl`, which holds our id, so that it
also settles a message whose answer was lost.

`RequestId` is our id, and eSMS answers a repetition with 124 - but only within one day. So a message of unknown outcome
is asked for again at once and on the same day only, where the answer is certain; after a night it would be sent twice,
and therefore `resend_is_safe` is false. Only 100 and 124 settle it: any other answer to the repetition says nothing
about the first attempt.
https://developers.esms.vn/esms-api/ham-gui-tin/tin-nhan-sms-otp-cskh
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from services.notify.channels import Batch
from services.notify.channels.http_api import NOT_UNDERSTOOD, HttpApi, Lost, content, judge_status
from services.notify.clock import Clock
from services.notify.domain.contacts import SMS
from services.notify.domain.delivery import Outcome, Refused, Sent, Unknown
from services.notify.domain.gsm7 import sendable
from services.notify.domain.messages import Message
from services.notify.domain.sms import vietnamese

URL = "https://rest.esms.vn"
PATH = "/MainService.svc/json/SendMultipleMessage_V4_post_json/"
CUSTOMER_CARE = "2"

TAKEN, TAKEN_BEFORE = "100", "124"

CODES: dict[str, Refused] = {
    "99": Refused("esms_blocked"),
    "101": Refused("esms_key", ours=True),
    "102": Refused("esms_no_price_list", ours=True),
    "103": Refused("esms_no_balance", ours=True),
    "104": Refused("esms_brandname", ours=True),
    "107": Refused("esms_too_few_numbers", ours=True),
    "108": Refused("esms_bad_phone", gone=True),
    "110": Refused("esms_bad_request", ours=True),
    "120": Refused("esms_too_many_numbers", ours=True),
    "140": Refused("esms_ip_not_allowed", ours=True),
    "146": Refused("esms_template", ours=True),
    "177": Refused("esms_network_not_registered", ours=True),
    "300": Refused("esms_no_type", ours=True),
}
"""Of the table of errors those that sending SMS can meet. Of any other code nobody knows what it means here."""

REPEAT_AFTER = (timedelta(seconds=1), timedelta(seconds=5))
"""The waits before repetitions."""

_ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
_CLOCKS_DIFFER = timedelta(minutes=2)


class EsmsChannel:
    """`receipt_url` makes the address for a message's receipt; `repeat_after` are the waits before repetitions."""

    name = SMS
    resend_is_safe = False
    tells_later = True

    def __init__(
        self,
        api: HttpApi,
        api_key: str,
        secret_key: str,
        brandname: str,
        receipt_url: Callable[[UUID], str],
        clock: Clock,
        repeat_after: Sequence[timedelta] = REPEAT_AFTER,
    ) -> None:
        self._api, self._receipt_url, self._clock, self._repeat_after = api, receipt_url, clock, repeat_after
        self._account = {"ApiKey": api_key, "SecretKey": secret_key, "Brandname": brandname}

    async def send(self, messages: Sequence[Message], batch: Batch) -> None:
        """Each by itself; the receipts come later."""
        await self._api.send(messages, batch, self._compose, self._ask)

    def _compose(self, message: Message) -> dict[str, str] | Refused:
        phone, text = vietnamese(message.to), sendable(message.text.short)
        if phone is None:
            return Refused("not_vietnamese")
        if not text.strip():
            return Refused("cannot_be_composed")
        return {
            **self._account,
            "Phone": phone,
            "Content": text,
            "SmsType": CUSTOMER_CARE,
            "IsUnicode": "0",
            "Sandbox": "0",
            "RequestId": str(message.message_id),
            "CallbackUrl": self._receipt_url(message.message_id),
        }

    async def _ask(self, body: dict[str, str]) -> Outcome:
        began_at = self._clock()
        outcome = await self._attempt(body)
        if not isinstance(outcome, Unknown):
            return outcome
        for wait in self._repeat_after:
            await asyncio.sleep(wait.total_seconds())
            if not same_day(began_at, self._clock()):
                break
            again = await self._attempt(body)
            if isinstance(again, Sent):
                return again
        return outcome

    async def _attempt(self, body: dict[str, str]) -> Outcome:
        response = await self._api.post(PATH, json=body)
        if isinstance(response, Lost):
            return response
        answer = content(response)
        if response.status_code != 200 or answer is None:
            return judge_status(response, self._clock())
        return judge(str(answer.get("CodeResult", "")), answer.get("SMSID"), body["RequestId"])


def longest_s(timeout_s: float) -> float:
    """How long a message can take, with its repetitions, where each request may take that long."""
    return timeout_s + sum(wait.total_seconds() + timeout_s for wait in REPEAT_AFTER)


def judge(code: str, sms_id: object, request_id: str) -> Outcome:
    """What an answer with this CodeResult means. One to a repetition names no id of eSMS's, so it has ours."""
    if code == TAKEN:
        return Sent(sms_id) if isinstance(sms_id, str) and sms_id else Sent(request_id)
    if code == TAKEN_BEFORE:
        return Sent(request_id)
    if code in CODES:
        return CODES[code]
    return Unknown(f"esms_{code}") if code.isascii() and code.isdigit() and len(code) <= 4 else NOT_UNDERSTOOD


def same_day(began_at: datetime, now: datetime) -> bool:
    """Whether eSMS certainly counts both to one day, wherever between its clock and ours the truth is."""
    before, after = began_at - _CLOCKS_DIFFER, now + _CLOCKS_DIFFER
    return before.astimezone(_ZONE).date() == after.astimezone(_ZONE).date()
