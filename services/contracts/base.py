"""The base of every event contract: an immutable value with a name, read tolerantly.

An event carries what happened and references to it, never phone numbers, addresses or customer names.
"""

from typing import ClassVar
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict

UNION_STREAM = UUID(int=0)
"""The stream of what belongs to the union and to no cooperative: the access keys of its operators."""

type_registry: dict[str, type["Event"]] = {}
"""Every contract by its CloudEvents type, e.g. `orders.order_placed.v1`."""


class Value(BaseModel):
    """A part of an event: immutable; fields that a later version added are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Event(Value):
    """One fact, in the past tense. `type` is `<publisher>.<name>.v<version>`."""

    type: ClassVar[str]

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: object) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        if cls.type in type_registry:
            raise TypeError(f"two contracts are named {cls.type}")
        type_registry[cls.type] = cls


__all__ = ["UNION_STREAM", "AwareDatetime", "Event", "Value", "type_registry"]
