"""What eSMS.vn reports: what became of a message, and what somebody wrote to a short number.

A receipt is a GET to the `CallbackUrl` of its message, and nothing signs it: the address itself is the proof. eSMS
comes again, up to five times, only where it got no answer in time. `SendStatus` 5 means "done"; whether it arrived is
in `SendSuccess` and `SendFailed`, of which a message to one number counts as one.

What is written to a short number is a GET to the address that was agreed with eSMS, and `sign` is Base64 of the MD5 of
`cpid`, `smsid`, `content`, `receiverTime` and a private key. Since that joins the values without a mark between them,
and is no HMAC, the address has to be known as well. Nobody can answer to a brand name: who uses none but that gets no
such reports. `receiverTime` has no documented zone, so the moment is that of the report.
https://developers.esms.vn/esms-api/callback-url
https://developers.esms.vn/esms-api/ket-noi-ma-svoucher/ket-noi-dau-so-ngan
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID
from xml.sax.saxutils import escape

from services.notify.domain.contacts import SMS
from services.notify.domain.hooks import Hooks
from services.notify.domain.messages import Receipt, Said
from services.notify.domain.sms import e164
from services.notify.inbound import Forged, Malformed, tidy

ESMS: Final = "esms"
REPLIES: Final = "replies"

_ID = re.compile("[A-Za-z0-9_-]{1,100}")
_WAITING = frozenset({"1", "2", "7"})
_REJECTED, _DONE = "4", "5"


@dataclass(frozen=True, slots=True)
class ShortNumber:
    """What eSMS gives to those who have a short number. `keyword`: the first word of every text, if it is shared."""

    cp_id: str
    private_key: str = field(repr=False)
    keyword: str = ""


@dataclass(frozen=True, slots=True)
class EsmsReader:
    """Without a short number no texts are taken."""

    hooks: Hooks
    short_number: ShortNumber | None = None

    def receipt(self, message_id: UUID, mac: str, query: Mapping[str, str], now: datetime) -> list[Receipt | Said]:
        """What the report says of the message; nothing while it is under way. Raises Forged and Malformed."""
        if not self.hooks.is_good(mac, ESMS, message_id):
            raise Forged
        if query.get("RequestId", "") not in ("", str(message_id)):
            raise Malformed("RequestId")
        status = query.get("SendStatus")
        if status in _WAITING:
            return []
        if status == _REJECTED:
            arrived, reason = False, "esms_rejected"
        elif status == _DONE:
            succeeded, failed = _count(query, "SendSuccess"), _count(query, "SendFailed")
            if bool(succeeded) == bool(failed):
                return []  # neither says anything about the one number that it went to
            arrived, reason = bool(succeeded), "esms_not_delivered"
        else:
            raise Malformed("SendStatus")
        given = query.get("SMSID", "")
        provider_id = given if _ID.fullmatch(given) else None
        return [Receipt(SMS, now, arrived, message_id, provider_id, None if arrived else reason)]

    def reply(self, mac: str, query: Mapping[str, str], now: datetime) -> list[Receipt | Said]:
        """What somebody wrote. Raises Forged and Malformed."""
        number = self.short_number
        if number is None or not self.hooks.is_good(mac, ESMS, REPLIES):
            raise Forged
        signed = "".join(query.get(name, "") for name in ("cpid", "smsid", "content", "receiverTime"))
        due = sign(signed, number.private_key)
        if not hmac.compare_digest(due.encode(), query.get("sign", "").encode()) or query.get("cpid") != number.cp_id:
            raise Forged
        sender = e164(query.get("sender", ""))
        if sender is None:
            raise Malformed("sender")
        if not _ID.fullmatch(query.get("smsid", "")):
            raise Malformed("smsid")
        text = query.get("content", "").strip()
        first, _, rest = text.partition(" ")
        if number.keyword and first.casefold() == number.keyword.casefold():
            text = rest.strip()
        return [Said(SMS, sender, tidy(text), query["smsid"], now)]


def sign(signed: str, private_key: str) -> str:
    """eSMS's signature; MD5 is theirs."""
    digest = hashlib.md5((signed + private_key).encode(), usedforsecurity=False).digest()
    return base64.b64encode(digest).decode()


def thanks(query: Mapping[str, str]) -> str:
    """The answer that eSMS wants to a text. It says nothing to the sender: an answer of ours goes out as a notice."""
    smsid, receiver = escape(query.get("smsid", "")), escape(query.get("sender", ""))
    return f"<ClientResponse><Message></Message><Smsid>{smsid}</Smsid><Receiver>{receiver}</Receiver></ClientResponse>"


def _count(query: Mapping[str, str], name: str) -> int:
    found = query.get(name, "")
    if not (found.isascii() and found.isdigit() and len(found) <= 9):
        raise Malformed(name)
    return int(found)
