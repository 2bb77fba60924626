"""What a platform is to the tests: a shop on it, and the story of one order there as it tells it, in the right order.

Bodies are written to the documented shapes; signatures are computed here by hand, not by the adapters' own code.
"""

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from services.orders.adapters.base import Batch, Credentials, Pull, Request, Thin
from services.orders.domain.command import OrderCommand

URL = "https://orders.example.vn/v1/partners/01890a5d-ac96-774b-bcce-b302099a8057/orders"
NOW = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
SECRET = "whsec_c29tZSBvdGhlciBzZWNyZXQgb2YgMzIgYnl0ZXMuLi4="

Headers = Mapping[str, str]


def asked(raw: bytes = b"", headers: Headers | None = None, **query: str) -> Request:
    """A POST with this body; header names in lower case."""
    return Request("POST", URL, query, headers or {}, raw, NOW)


def tried(**query: str) -> Request:
    """A GET with these parameters."""
    return Request("GET", URL, query, {}, b"", NOW)


def who(*secrets: str, **settings: str) -> Credentials:
    """What a partner registered; the newest secret first."""
    return Credentials(secrets, settings)


def hmac_sha256(key: bytes, message: bytes) -> bytes:
    """RFC 2104 written out: the tests must not lean on what the adapters use."""
    padded = (key if len(key) <= 64 else hashlib.sha256(key).digest()).ljust(64, b"\0")
    inner = hashlib.sha256(bytes(one ^ 0x36 for one in padded) + message).digest()
    return hashlib.sha256(bytes(one ^ 0x5C for one in padded) + inner).digest()


def in_base64(raw: bytes) -> str:
    """HMAC-SHA256 with the shop's secret, in base64."""
    return base64.b64encode(hmac_sha256(SECRET.encode(), raw)).decode()


def in_hex(raw: bytes) -> str:
    """The same in hexadecimal."""
    return hmac_sha256(SECRET.encode(), raw).hex()


@dataclass(frozen=True)
class Told:
    """One push of a story: what the platform puts into headers, and the body."""

    body: Any
    headers: Headers = field(default_factory=dict)


@dataclass(frozen=True)
class Platform:
    """A shop on a platform. `sign`: the headers and the query with which the platform proves a body."""

    name: str
    credentials: Credentials
    story: tuple[Told, ...]
    sign: Callable[[bytes], tuple[Headers, Mapping[str, str]]]

    def push(self, told: Told) -> Request:
        """The push of the story as it comes."""
        return self.push_raw(json.dumps(told.body, ensure_ascii=False).encode(), told.headers)

    def push_raw(self, raw: bytes, headers: Headers) -> Request:
        """Any bytes as the platform would sign them."""
        signed, query = self.sign(raw)
        return asked(raw, {"content-type": "application/json", **headers, **signed}, **query)


def in_header(name: str, value: Callable[[bytes], str]) -> Callable[[bytes], tuple[Headers, Mapping[str, str]]]:
    """The `sign` of a platform that puts its signature into this header."""
    return lambda raw: ({name: value(raw)}, {})


def pulls(read: object) -> list[Pull]:
    """The orders that are to be pulled."""
    return [*read.pulls] if isinstance(read, Thin) else []


def commands(read: object) -> list[OrderCommand]:
    """The orders that were read."""
    if isinstance(read, Batch):
        return [item.command for item in read.items if isinstance(item.command, OrderCommand)]
    return [read] if isinstance(read, OrderCommand) else []
