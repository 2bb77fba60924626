"""What an adapter is: it proves who sent a request, and turns the request into canonical commands. Nothing else.

Adapters are pure. They see the raw bytes, since every signature is over those, and header names in lower case.
Each states in its `DECLARATION` how its platform pushes; the door acts on that, and README's table is made from it.
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


class Request(Struct, frozen=True):
    """One request as it came. `url` is as the platform calls it; header names are in lower case.

    `received_at` is for a platform that tells no time at all and waits for each answer before it sends anew.
    """

    method: str
    url: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    raw: bytes
    received_at: datetime | None = None


class Credentials(Struct, frozen=True):
    """What the partner registered: its secrets, newest first and at most two, and what is no secret."""

    secrets: tuple[str, ...]
    settings: Mapping[str, str]

    def __repr__(self) -> str:  # no log may repeat a secret
        return f"Credentials({len(self.secrets)} secrets, {sorted(self.settings)})"


class Declaration(Struct, frozen=True):
    """How a platform pushes. The texts from `title` to `tested_against` are the columns of the table "Platforms".

    `settings`: what a partner must register beside its secret; what it may leave out ends in "?".
    """

    name: str
    title: str
    format: str
    signature: str
    dedupe_key: str
    answer_within: str
    tested_against: str
    settings: tuple[str, ...] = ()
    on_bad_signature: int = 401
    """The answer to a POST that proves nothing; 200 where the platform would stop sending: counted, nothing stored."""
    on_malformed: int = 422
    """The answer to a signed body that is faulty or comes to too much; 200 where the platform would stop sending: kept
    for an operator to see."""
    on_taken: int = 202
    """The answer to an order that is new or changed."""
    empty_answer: bool = False
    """Whether the platform wants 200 and no body at all."""
    large: bool = False
    """Whether a push may be as large as any request may (http_max_body_bytes), not only as one order of ours."""
    answers_each: bool = False
    """Whether each order of a batch is answered for itself; else 200 for all, and what is faulty is set aside."""
    answers_get: bool = False
    """Whether the platform tries the address with a GET first."""


class Ping(Struct, frozen=True):
    """The platform tries whether we are there."""


class Challenge(Struct, frozen=True):
    """The platform wants this text back, to know that the address is ours."""

    text: str


class Ignored(Struct, frozen=True):
    """A push that says nothing about an order for us; answered 200, so that the platform is content."""

    reason: str


class Pull(Struct, frozen=True):
    """An order that changed. `key` tells this push from the platform's others for ever.

    `updated_at`: when the order did, by the clock that its details have; None where the push does not say.
    """

    partner_ref: str
    key: str
    updated_at: datetime | None
    status: str


class Thin(Struct, frozen=True):
    """A push that names orders and says nothing of them: they are to be pulled."""

    pulls: tuple[Pull, ...]


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


Read = OrderCommand | Batch | Thin | Challenge | Ping | Ignored


class Adapter(Protocol):
    """One platform."""

    @property
    def DECLARATION(self) -> Declaration:  # noqa: N802 - adapters are modules, and there it is a constant
        """How the platform pushes."""

    def verify(self, credentials: Credentials, request: Request, now: datetime) -> None:
        """Raises BadSignature unless one of the secrets signed exactly these bytes."""

    def read(self, credentials: Credentials, request: Request) -> Read:
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
    "Challenge",
    "Credentials",
    "Declaration",
    "Ignored",
    "Item",
    "Malformed",
    "Ping",
    "Pull",
    "Read",
    "Request",
    "Thin",
    "parse",
]
