"""What a platform's API is to us: it hands out the orders that are asked for, and a new token for an old one.

Whatever goes wrong is one of a few kinds of trouble, named in words that hold no secret and nothing of a customer.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from services.orders.adapters.base import Malformed
from services.orders.domain.command import OrderCommand
from services.orders.domain.token import Token


class Access(Struct, frozen=True):
    """In whose name the API is asked: the app's secret, the seller's token, and what is no secret."""

    secret: str
    token: Token
    settings: Mapping[str, str]

    def __repr__(self) -> str:
        return f"Access({self.token}, {sorted(self.settings)})"


class Trouble(Exception):
    """The API did not give what was asked for; the text says why, in the platform's code or ours."""


class Expired(Trouble):
    """The token is not valid any more: get a new one and ask again."""


class Limited(Trouble):
    """Asked too often; `wait_s` is how long to wait, where the platform says so."""

    def __init__(self, reason: str, wait_s: float | None = None) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


class Unwell(Trouble):
    """No answer, or none that can be understood: ask again later."""


class Refused(Trouble):
    """The platform will not answer this as long as nobody changes something."""


class Unauthorised(Trouble):
    """No new token is to be had: the seller has to authorise the app again."""


class NoSuchOrder(Trouble):
    """One at least of the orders is not known, and so none is given."""


Found = Mapping[str, OrderCommand | Malformed]
"""By the platform's number of the order; what is not in it is not known to the platform."""


class Platform(Protocol):
    """One platform. Both calls raise Trouble."""

    @property
    def most(self) -> int:
        """How many orders are asked for at once."""

    def calls(self, orders: int) -> int:
        """How many requests it takes to get so many orders."""

    async def pull(self, access: Access, refs: Sequence[str], now: datetime) -> Found:
        """The orders as they are now. Raises Expired where the token is at fault."""

    async def refresh(self, access: Access, now: datetime) -> Token:
        """The next token. Raises Unauthorised where the seller is needed for it."""
