"""What an adapter is: it proves who sent a request, and turns the request into canonical commands. Nothing else.

Adapters are pure. They see the raw bytes, since every signature is over those, and header names in lower case.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

from msgspec import Struct
from pydantic import BaseModel, ValidationError

from services.chassis import problems
from services.chassis.standard_webhooks import BadSignature
from services.orders.domain.command import OrderCommand

MOST_LINES = 200
MOST_TEXT = 500


class Ping(Struct, frozen=True):
    """The platform tries whether we are there."""


class Ignored(Struct, frozen=True):
    """A push that says nothing about an order for us; answered 200, so that the platform is content."""

    reason: str


class Malformed(ValueError):
    """The body is not what the platform documents; `fields` are (name, what is wrong with it), all at once."""

    def __init__(self, fields: Sequence[tuple[str, str]]) -> None:
        super().__init__(", ".join(name for name, _ in fields))
        self.fields = tuple(fields)


@dataclass(frozen=True)
class Item:
    """One of a batch: what it is called, and its command or what is wrong with it."""

    id: str
    command: OrderCommand | Malformed


@dataclass(frozen=True)
class Batch:
    """Many orders in one push, each answered for itself."""

    items: tuple[Item, ...]


Read = OrderCommand | Batch | Ping | Ignored


class Adapter(Protocol):
    """One platform. `verify` returns the platform's own key of the push (empty where it has none)."""

    def verify(self, secrets: Sequence[str], headers: Mapping[str, str], raw: bytes, now: datetime) -> str:
        """Raises BadSignature unless one of the secrets signed exactly these bytes."""

    def read(self, headers: Mapping[str, str], raw: bytes) -> Read:
        """Raises Malformed. Called only with what `verify` let through."""


M = TypeVar("M", bound=BaseModel)


def parse(model: type[M], raw: bytes) -> M:
    """The body as the platform's model. Raises Malformed with every faulty field."""
    try:
        return model.model_validate_json(raw)
    except ValidationError as error:
        raise Malformed(problems.from_validation(error).fields) from None


__all__ = [
    "MOST_LINES",
    "MOST_TEXT",
    "Adapter",
    "BadSignature",
    "Batch",
    "Ignored",
    "Item",
    "Malformed",
    "Ping",
    "Read",
    "parse",
]
