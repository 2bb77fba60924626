"""Messages whose properties are written byte by byte, as no good client writes them."""

import struct

import aio_pika
from pamqp import commands as spec

from services.orders.amqp.content import JSON


class _Raw(spec.Basic.Properties):
    """`raw`: properties in the order of AMQP, by name, already encoded."""

    raw: dict[str, bytes]

    def marshal(self) -> bytes:
        """In place of what pamqp would write."""
        flags = sum(self.flags[name] for name in self.raw)
        return struct.pack(">H", flags) + b"".join(self.raw[name] for name in self.__slots__ if name in self.raw)


class RawMessage(aio_pika.Message):
    """One with a user and a content type, and these properties on top."""

    def __init__(self, body: bytes, user: str, **raw: bytes) -> None:
        super().__init__(body)
        self._raw = {"content_type": short(JSON.encode()), "user_id": short(user.encode())} | raw

    @property
    def properties(self) -> spec.Basic.Properties:
        """As they are to be sent."""
        found = _Raw()
        found.raw = self._raw
        return found


def short(raw: bytes) -> bytes:
    """A short string."""
    return bytes([len(raw)]) + raw


def table(*entries: bytes) -> bytes:
    """A table of entries that are encoded already."""
    raw = b"".join(entries)
    return struct.pack(">I", len(raw)) + raw
