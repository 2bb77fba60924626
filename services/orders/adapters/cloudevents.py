"""CloudEvents 1.0: the envelopes around orders. In JSON one alone or many in batch mode, and over HTTP in headers.

    [{"specversion": "1.0", "id": "7f3…", "source": "/shops/31", "type": "vn.chophien.order.v1",
      "time": "2026-11-23T06:00:00+07:00", "datacontenttype": "application/json", "data": {"ref": "A-1001", …}}]

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md#4-json-batch-format
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import msgspec
from msgspec import Struct

from services.orders.adapters.base import Malformed

ONE = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
ORDER = "vn.chophien.order.v1"
BINARY = "ce-specversion"
"""The header by which a request says that it is one event whose data alone is the body."""
MOST_EVENTS = 500
MOST_EVENT_BYTES = 65_536
_MOST_ID = 200


class _Envelope(msgspec.Struct):
    """Extensions and what else is allowed are passed over."""

    id: str
    source: str
    type: str
    specversion: str
    data: msgspec.Raw = msgspec.Raw(b"")
    datacontenttype: str | None = None


_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_decoder = msgspec.json.Decoder(list[msgspec.Raw])
_envelope = msgspec.json.Decoder(_Envelope)


class Event(Struct, frozen=True):
    """One event: the JSON of its order, or what is wrong with the event. `id` may be empty then."""

    id: str
    data: bytes
    fault: Malformed | None = None


def kind(content_type: str) -> str:
    """The media type without its parameters, in lower case."""
    return content_type.partition(";")[0].strip().lower()


def event_schema(order: dict[str, Any]) -> dict[str, Any]:
    """The JSON Schema of an event whose order has this one."""
    text = {"type": "string"}
    return {
        "type": "object",
        "required": ["specversion", "id", "source", "type", "data"],
        "properties": {
            "specversion": {"const": "1.0"},
            "id": text,
            "source": text,
            "type": {"const": ORDER},
            "datacontenttype": {"const": "application/json"},
            "data": order,
        },
    }


def schema(order: dict[str, Any]) -> dict[str, Any]:
    """The JSON Schema of a batch whose orders have this one."""
    return {"type": "array", "minItems": 1, "maxItems": MOST_EVENTS, "items": event_schema(order)}


def read(raw: bytes) -> list[Event]:
    """The events of a batch, in its order. Raises Malformed where it is no list of at most MOST_EVENTS."""
    try:
        found = _decoder.decode(raw)
    except _UNREADABLE as error:
        raise Malformed([("body", f"is no CloudEvents batch: {error}")]) from None
    if not 1 <= len(found) <= MOST_EVENTS:
        raise Malformed([("body", f"has {len(found)} events; a batch has 1 to {MOST_EVENTS}")])
    return [read_one(one) for one in found]


def read_one(raw: bytes | msgspec.Raw) -> Event:
    """A single event."""
    try:
        event = _envelope.decode(raw)
    except _UNREADABLE as error:
        return Event("", b"", Malformed([("event", str(error))]))
    name = event.id[:_MOST_ID]
    faults = _faults(event)
    return Event(name, bytes(event.data), Malformed(faults) if faults else None)


def read_binary(headers: Mapping[str, str], raw: bytes) -> Event:
    """A single event whose attributes are in headers, percent-encoded in UTF-8.

    https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md#31-binary-content-mode
    """
    told = {name: unquote(headers.get(f"ce-{name}", "")) for name in ("id", "source", "type", "specversion")}
    event = _Envelope(**told, data=msgspec.Raw(raw), datacontenttype=kind(headers.get("content-type", "")) or None)
    faults = [(f"ce-{name}" if name in told else name, detail) for name, detail in _faults(event)]
    if not event.source:
        faults.append(("ce-source", "is missing"))
    return Event(event.id[:_MOST_ID], raw, Malformed(faults) if faults else None)


def _faults(event: _Envelope) -> list[tuple[str, str]]:
    faults = []
    if event.specversion != "1.0":
        faults.append(("specversion", "must be 1.0"))
    if not 1 <= len(event.id) <= _MOST_ID:
        faults.append(("id", f"must have 1 to {_MOST_ID} characters"))
    if event.type != ORDER:
        faults.append(("type", f"must be {ORDER}"))
    if event.datacontenttype not in (None, "application/json"):
        faults.append(("datacontenttype", "must be application/json"))
    if not 1 <= len(bytes(event.data)) <= MOST_EVENT_BYTES:
        faults.append(("data", f"must have 1 to {MOST_EVENT_BYTES} bytes"))
    return faults
