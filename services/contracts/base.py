"""The base of every event contract: an immutable value with a name, read tolerantly.

An event carries what happened and references to it, never phone numbers, addresses or customer names. Contracts are
msgspec structs, since every event is read by several services: limits are checked where an event is read, and by
`encode` before it is written.
"""

import inspect
from datetime import datetime
from functools import cache
from typing import Annotated, Any, ClassVar, Self
from uuid import UUID

import msgspec

UNION_STREAM = UUID(int=0)
"""The stream of what belongs to the union and to no cooperative: the access keys of its operators."""

AwareDatetime = Annotated[datetime, msgspec.Meta(tz=True)]

type_registry: dict[str, type["Event"]] = {}
"""Every contract by its CloudEvents type, e.g. `orders.order_placed.v1`."""

_encoder = msgspec.json.Encoder()


class Value(msgspec.Struct, frozen=True):
    """A part of an event: immutable; fields that a later version added are ignored."""


class Event(Value, frozen=True):
    """One fact, in the past tense. `type` is `<publisher>.<name>.v<version>`."""

    type: ClassVar[str]

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if cls.type in type_registry:
            raise TypeError(f"two contracts are named {cls.type}")
        type_registry[cls.type] = cls

    def encode(self) -> bytes:
        """The event's JSON. Raises msgspec.ValidationError where a reader would refuse it."""
        body = _encoder.encode(self)
        self.decode(body)
        return body

    @classmethod
    def decode(cls, body: bytes) -> Self:
        """The event of this JSON. Raises msgspec.DecodeError that names the field which is wrong, and no value."""
        found: Self = _decoder(cls).decode(body)
        return found

    @classmethod
    def json_schema(cls, ref_template: str = "#/$defs/{name}") -> dict[str, Any]:
        """The JSON Schema of the event's data, with its parts in `$defs`."""
        (_,), parts = msgspec.json.schema_components([cls], ref_template=ref_template)
        for part in parts.values():
            part["description"] = inspect.cleandoc(part["description"])
        own: dict[str, Any] = parts.pop(cls.__name__)
        return {"$defs": parts, **own} if parts else own


@cache
def _decoder(kind: type[Any]) -> "msgspec.json.Decoder[Any]":
    return msgspec.json.Decoder(kind)


__all__ = ["UNION_STREAM", "AwareDatetime", "Event", "Value", "type_registry"]
