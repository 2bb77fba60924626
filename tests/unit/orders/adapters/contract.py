"""How the contract tests ask an adapter."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from services.orders.adapters import ADAPTERS
from services.orders.adapters.base import BadSignature, Batch, Malformed, Read
from services.orders.domain.command import OrderCommand
from tests.support.platforms.base import NOW, Platform, asked


def read(platform: Platform, body: Any, headers: Mapping[str, str] | None = None) -> Read:
    """What the adapter reads out of a body."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return ADAPTERS[platform.name].read(platform.credentials, asked(raw, headers))


def command(platform: Platform, body: Any, headers: Mapping[str, str] | None = None) -> OrderCommand:
    """The one order of a body."""
    found = read(platform, body, headers)
    if isinstance(found, Batch):
        (item,) = found.items
        found = item.command  # type: ignore[assignment]
    assert isinstance(found, OrderCommand), found
    return found


def faulty(platform: Platform, body: Any, headers: Mapping[str, str] | None = None) -> list[str]:
    """The fields that are named as faulty, of the body or of its one order."""
    try:
        found = read(platform, body, headers)
    except Malformed as error:
        return [name for name, _ in error.fields]
    assert isinstance(found, Batch), found
    (item,) = found.items
    assert isinstance(item.command, Malformed), item
    return [name for name, _ in item.command.fields]


def refuses(platform: Platform, raw: bytes, headers: Mapping[str, str], **query: str) -> None:
    """The signature does not fit."""
    with pytest.raises(BadSignature):
        ADAPTERS[platform.name].verify(platform.credentials, asked(raw, headers, **query), NOW)


def believes(platform: Platform, raw: bytes, headers: Mapping[str, str], **query: str) -> None:
    """The signature fits."""
    ADAPTERS[platform.name].verify(platform.credentials, asked(raw, headers, **query), NOW)
