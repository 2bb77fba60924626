"""Properties that the broker takes from a partner and pamqp cannot read: the message comes through nevertheless."""

import struct
from collections.abc import Iterator

import pytest
from pamqp import commands as spec
from pamqp import decode, frame
from pamqp.header import ContentHeader

from services.orders.amqp import lenient

MICROSECONDS = struct.pack(">Q", 1_790_000_000_000_000)
FLAGS = spec.Basic.Properties.flags


@pytest.fixture(autouse=True)
def installed() -> Iterator[None]:
    before = dict(decode.METHODS)
    lenient.install()
    yield
    decode.METHODS.update(before)


def short(raw: bytes) -> bytes:
    return bytes([len(raw)]) + raw


def table(*entries: bytes) -> bytes:
    raw = b"".join(entries)
    return struct.pack(">I", len(raw)) + raw


def deep(levels: int) -> bytes:
    raw = table()
    for _ in range(levels):
        raw = table(short(b"") + b"F" + raw)
    return raw


def read(**properties: bytes) -> spec.Basic.Properties:
    """What becomes of raw properties, and of a message id behind the first of them."""
    given = [name for name in spec.Basic.Properties.__slots__ if name in properties]
    flags = sum(FLAGS[name] for name in given)
    raw = struct.pack(">HHQH", 60, 0, 3, flags) + b"".join(properties[name] for name in given)
    _, _, found = frame.unmarshal(struct.pack(">BHI", 2, 1, len(raw)) + raw + b"\xce")
    assert isinstance(found, ContentHeader)
    return found.properties


BAD_TABLES = {
    "time": table(short(b"at") + b"T" + MICROSECONDS),
    "key": table(short(b"\xff\xfe") + b"t\x01"),
    "type": table(short(b"key") + b"?\x01"),
    "depth": deep(10_000),
}


@pytest.mark.parametrize("headers", BAD_TABLES.values(), ids=BAD_TABLES.keys())
def test_headers_that_cannot_be_read_are_as_none_and_what_follows_is_read(headers: bytes) -> None:
    found = read(headers=headers, message_id=short(b"m-1"))
    assert (found.headers, found.message_id) == ({}, "m-1")


def test_a_time_that_cannot_be_read_is_none_and_what_follows_is_read() -> None:
    found = read(timestamp=MICROSECONDS, user_id=short(b"partner"))
    assert (found.timestamp, found.user_id) == (None, "partner")


@pytest.mark.parametrize("name", ["content_type", "message_id", "user_id", "expiration"])
def test_text_that_is_not_utf_8_is_read_and_no_longer_than_before(name: str) -> None:
    found = read(**{name: short(b"a\xff" * 127), "app_id": short(b"app")})
    assert (getattr(found, name), found.app_id) == ("a?" * 127, "app")


def test_what_can_be_read_is_read_as_ever() -> None:
    given = {
        "content_type": short("chợ".encode()),
        "headers": table(short(b"traceparent") + b"S" + struct.pack(">I", 2) + b"00"),
        "timestamp": struct.pack(">Q", 1_790_000_000),
    }
    found = read(**given)
    assert (found.content_type, found.headers) == ("chợ", {"traceparent": "00"})
    assert found.timestamp is not None
    assert found.timestamp.year == 2026
