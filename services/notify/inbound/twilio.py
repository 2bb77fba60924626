"""What Twilio reports: what became of a message, and what somebody wrote.

`X-Twilio-Signature` is Base64 of HMAC-SHA1 with the account's token over the address as Twilio knows it, followed by
name and value of each field of the form, sorted by name; a field that comes several times has each of its values once.
It holds no time, so an old report can be sent again, which changes nothing.
https://www.twilio.com/docs/usage/security#validating-requests
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from urllib.parse import parse_qsl
from uuid import UUID

from services.notify.domain.contacts import SMS
from services.notify.domain.messages import Receipt, Said
from services.notify.domain.sms import e164
from services.notify.inbound import Forged, Malformed, tidy

TWILIO: Final = "twilio"
SIGNATURE: Final = "x-twilio-signature"

_UNDER_WAY = frozenset({"accepted", "scheduled", "queued", "sending", "sent"})
_NEVER = frozenset({"undelivered", "failed", "canceled"})
_SID = re.compile("[A-Za-z0-9]{1,100}")


@dataclass(frozen=True, slots=True)
class TwilioReader:
    """Reads what comes to addresses below `public_url`."""

    public_url: str
    auth_token: str = field(repr=False)

    def receipt_url(self, message_id: UUID) -> str:
        """Where Twilio reports what became of one message."""
        return f"{self.public_url}/v1/hooks/sms/{TWILIO}/receipts/{message_id}"

    def receipt(self, message_id: UUID, path: str, body: bytes, signature: str, now: datetime) -> list[Receipt | Said]:
        """What the report says of the message; nothing while it is under way. Raises Forged and Malformed."""
        form = self._form(path, body, signature)
        status, sid = form.get("MessageStatus", ""), form.get("MessageSid", "")
        if not _SID.fullmatch(sid):
            raise Malformed("MessageSid")
        if status in _UNDER_WAY:
            return []
        if status == "delivered":
            return [Receipt(SMS, now, arrived=True, message_id=message_id, provider_id=sid)]
        if status not in _NEVER:
            raise Malformed("MessageStatus")
        code = form.get("ErrorCode", "")
        reason = f"twilio_{code}" if re.fullmatch("[0-9]{1,6}", code) else f"twilio_{status}"
        return [Receipt(SMS, now, arrived=False, message_id=message_id, provider_id=sid, reason=reason)]

    def reply(self, path: str, body: bytes, signature: str, now: datetime) -> list[Receipt | Said]:
        """What somebody wrote. Raises Forged and Malformed."""
        form = self._form(path, body, signature)
        sender, sid = e164(form.get("From", "")), form.get("MessageSid", "")
        if sender is None:
            raise Malformed("From")
        if not _SID.fullmatch(sid):
            raise Malformed("MessageSid")
        return [Said(SMS, sender, tidy(form.get("Body", "")), sid, now)]

    def _form(self, path: str, body: bytes, signature: str) -> dict[str, str]:
        """`path` is that of the request with its query, if any."""
        try:
            fields = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=200)
        except ValueError:
            raise Forged from None
        due = sign(self.public_url + path, fields, self.auth_token)
        if not hmac.compare_digest(due.encode(), signature.encode()):
            raise Forged
        return dict(fields)


def sign(url: str, fields: Iterable[tuple[str, str]], auth_token: str) -> str:
    """Twilio's signature."""
    signed = url + "".join(name + value for name, value in sorted(set(fields)))
    return base64.b64encode(hmac.digest(auth_token.encode(), signed.encode(), hashlib.sha1)).decode()
