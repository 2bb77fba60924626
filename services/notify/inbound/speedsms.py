"""What SpeedSMS.vn reports to the one address that is entered for the account: receipts, and what somebody wrote.

Nothing signs a report: the address itself is the proof. What is publicly known of a report is little. A receipt is
`{"type": "report", "tranId", "phone", "status"}`, where 0 is delivered, 1 to 63 is a failure that SpeedSMS goes on
trying after, and 64 or more is final. A text is `{"type", "phone", "content"}` of another type and has no id: the same
words of the same person within one minute count as one.
https://github.com/alexzvn/speedsms-api
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from services.notify.domain.contacts import SMS
from services.notify.domain.hooks import Hooks
from services.notify.domain.messages import Receipt, Said
from services.notify.domain.sms import e164
from services.notify.foreign import object_of
from services.notify.inbound import Forged, Malformed, is_id, tidy

SPEEDSMS: Final = "speedsms"
REPORTS: Final = "reports"
FINAL = 64


@dataclass(frozen=True, slots=True)
class SpeedSmsReader:
    """Reads what comes to the account's address."""

    hooks: Hooks

    def read(self, mac: str, body: bytes, now: datetime) -> list[Receipt | Said]:
        """What the report says; nothing while a message is under way. Raises Forged and Malformed."""
        if not self.hooks.is_good(mac, SPEEDSMS, REPORTS):
            raise Forged
        report = object_of(body)
        if report is None:
            raise Malformed("body")
        return _receipt(report, now) if report.get("type") == "report" else _said(report, now)


def _receipt(report: dict[str, Any], now: datetime) -> list[Receipt | Said]:
    status, given = _number(report, "status"), report.get("tranId")
    provider_id = str(given) if isinstance(given, int | str) else ""
    if not is_id(provider_id):
        raise Malformed("tranId")
    if 0 < status < FINAL:
        return []
    return [
        Receipt(SMS, now, status == 0, provider_id=provider_id, reason=None if status == 0 else f"speedsms_{status}")
    ]


def _said(report: dict[str, Any], now: datetime) -> list[Receipt | Said]:
    sender, text = e164(str(report.get("phone", ""))), report.get("content")
    if sender is None:
        raise Malformed("phone")
    if not isinstance(text, str):
        raise Malformed("content")
    minute = int(now.timestamp()) // 60
    said_id = hashlib.sha256(f"{sender}\x00{text}\x00{minute}".encode(errors="surrogatepass")).hexdigest()
    return [Said(SMS, sender, tidy(text), said_id, now)]


def _number(report: dict[str, Any], name: str) -> int:
    found = str(report.get(name))
    if not (found.isascii() and found.isdigit() and len(found) <= 9):
        raise Malformed(name)
    return int(found)
