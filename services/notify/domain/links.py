"""The signed link by which a household answers. Whoever holds it may answer for that household and day, nobody else.

It names the household and the day and no notice, so that the link of an older version leads to the basket as it
stands now. A token is 56 characters of base64url: one byte for the layout, 16 for the household, 3 for the day's
ordinal, 6 for the second in which the link ends, and the first 16 of HMAC-SHA256 over all that (RFC 2104, section 5).
"""

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

READABLE_FOR = timedelta(hours=48)
"""How long after the last moment to answer the page still shows the basket."""

_LAYOUT = b"\x01"
_PURPOSE = b"cho-phien reply link\x00"
_CALLS_LAYOUT = b"\x02"
_CALLS_PURPOSE = b"cho-phien call list\x00"
_NAMED_BYTES, _MAC_BYTES = 26, 16
_TOKEN = re.compile("[A-Za-z0-9_-]{56}")
_CALLS_NAMED_BYTES = 23
_CALLS_TOKEN = re.compile("[A-Za-z0-9_-]{52}")


class BadLink(ValueError):
    """It was cut, changed, or signed by somebody else."""


class ExpiredLink(ValueError):
    """It was ours, and its time is over."""


@dataclass(frozen=True, slots=True)
class Link:
    """Whose basket of which day it opens, and until when."""

    household_id: UUID
    delivery_day: date
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Links:
    """Makes and opens links below `public_url`. The first secret signs and all of them open, so one can be replaced."""

    public_url: str
    secrets: tuple[str, ...] = field(repr=False)

    def url(self, household_id: UUID, delivery_day: date, reply_by_at: datetime) -> str:
        """Where the household answers its basket of the day; it ends `READABLE_FOR` after the time to answer."""
        return f"{self.public_url}/r/{self.token(Link(household_id, delivery_day, reply_by_at + READABLE_FOR))}"

    def token(self, link: Link) -> str:
        """The link's token; fractions of a second are dropped."""
        day, second = link.delivery_day.toordinal(), int(link.expires_at.timestamp())
        named = _LAYOUT + link.household_id.bytes + day.to_bytes(3) + second.to_bytes(6)
        return base64.urlsafe_b64encode(named + _mac(self.secrets[0], named)).decode()

    def open(self, token: str, now: datetime) -> Link:
        """What the token names. Raises BadLink or ExpiredLink; compares in constant time, with every secret."""
        if not _TOKEN.fullmatch(token):
            raise BadLink("not the form of a token")
        content = base64.urlsafe_b64decode(token)
        named, mac = content[:_NAMED_BYTES], content[_NAMED_BYTES:]
        matches = [hmac.compare_digest(_mac(secret, named), mac) for secret in self.secrets]
        if not any(matches) or named[:1] != _LAYOUT:
            raise BadLink("no secret signed this")
        expires_at = datetime.fromtimestamp(int.from_bytes(named[20:]), UTC)
        if now >= expires_at:
            raise ExpiredLink(f"ended at {expires_at:%Y-%m-%dT%H:%M:%SZ}")
        return Link(UUID(bytes=named[1:17]), date.fromordinal(int.from_bytes(named[17:20])), expires_at)

    def calls_url(self, cooperative_id: UUID, expires_at: datetime) -> str:
        """Where a cooperative's staff see whom they have to call, and mark it; with names and numbers."""
        named = _CALLS_LAYOUT + cooperative_id.bytes + int(expires_at.timestamp()).to_bytes(6)
        mac = _mac(self.secrets[0], named, _CALLS_PURPOSE)
        return f"{self.public_url}/c/{base64.urlsafe_b64encode(named + mac).decode()}"

    def open_calls(self, token: str, now: datetime) -> UUID:
        """Whose call list it is. Raises BadLink or ExpiredLink; compares in constant time, with every secret."""
        if not _CALLS_TOKEN.fullmatch(token):
            raise BadLink("not the form of a token")
        content = base64.urlsafe_b64decode(token)
        named, mac = content[:_CALLS_NAMED_BYTES], content[_CALLS_NAMED_BYTES:]
        matches = [hmac.compare_digest(_mac(secret, named, _CALLS_PURPOSE), mac) for secret in self.secrets]
        if not any(matches) or named[:1] != _CALLS_LAYOUT:
            raise BadLink("no secret signed this")
        if now >= datetime.fromtimestamp(int.from_bytes(named[17:]), UTC):
            raise ExpiredLink("its day is over")
        return UUID(bytes=named[1:17])


def _mac(secret: str, named: bytes, purpose: bytes = _PURPOSE) -> bytes:
    return hmac.digest(secret.encode(), purpose + named, hashlib.sha256)[:_MAC_BYTES]
