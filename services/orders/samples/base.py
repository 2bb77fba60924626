"""What the samples of all platforms are made of."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from services.orders.adapters.base import Credentials

JSON = {"content-type": "application/json"}


class SampleOrder(Struct, frozen=True):
    """What is ordered: `quantity` whole items of a SKU. `number` tells one trial from the others."""

    number: int
    sku: str
    quantity: int
    cancelled: bool = False


class Shop(Struct, frozen=True):
    """Who pushes, and when: what the partner registered, and the address that its platform calls."""

    credentials: Credentials
    url: str
    now: datetime

    @property
    def secret(self) -> str:
        """The newest."""
        return self.credentials.secrets[0]

    def setting(self, name: str, otherwise: str = "") -> str:
        """What the partner registered under this name."""
        return self.credentials.settings.get(name, otherwise)


class Request(Struct, frozen=True):
    """What to POST to the partner's address, and under which reference the order will be known.

    `has_lines`: False where the platform only says that there is an order. `can_cancel`: False where it has no way to
    cancel one; the cancellation is then the same order with nothing left in it.
    """

    ref: str
    headers: Mapping[str, str]
    raw: bytes
    query: Mapping[str, str] = {}
    has_lines: bool = True
    can_cancel: bool = True


class NoSample(Exception):
    """There is no such sample; the message says why."""


def encoded(body: Any) -> bytes:
    """A body as JSON."""
    return json.dumps(body, ensure_ascii=False).encode()


def seconds(moment: datetime) -> int:
    """Since 1970."""
    return int(moment.timestamp())
