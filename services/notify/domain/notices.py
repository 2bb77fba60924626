"""A notice: one fact that a household, or a cooperative's staff, has to be told once, and what is needed to send it.

Its business key makes it exist only once: household, delivery day and version for a basket. A notice to staff is made
in the transaction that changed what it is about.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

from msgspec import Struct

from services.notify.domain.facts import BasketFacts, EndpointFacts, Facts

BASKET, ENDPOINT_DISABLED = "basket", "endpoint_disabled"
"""To a household, and to a cooperative's staff."""

EMAIL = "email"
"""The channel by which households and staff are told."""

NO_CHANNEL = "none"
"""Stands for the channel of a notice that no channel could be tried for."""

FACTS: Mapping[str, type[Facts]] = {BASKET: BasketFacts, ENDPOINT_DISABLED: EndpointFacts}
"""What each kind of notice says. Kinds that do not stand here are for a newer version of this service to send."""


class Notice(Struct, frozen=True):
    """`notice_id` is the id of the event that told of it, so that after a restore a receiver knows the notice again.

    `happened_at` is when the books changed. A household's notice has household, delivery day and version; one to staff
    has none of these.
    """

    notice_id: UUID
    cooperative_id: UUID
    kind: str
    facts: Facts
    happened_at: datetime
    traceparent: str | None = None
    household_id: UUID | None = None
    delivery_day: date | None = None
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Contact:
    """How a household is reached; its address is never printed."""

    household_id: UUID
    email: str = field(repr=False)
    display_name: str = field(repr=False)
    language: str


@dataclass(frozen=True, slots=True)
class StaffContact:
    """Whom a cooperative wants to be told of what its staff must see to; the address is never printed."""

    cooperative_id: UUID
    email: str = field(repr=False)
    display_name: str = field(repr=False)
    language: str


@dataclass(frozen=True, slots=True)
class Claim:
    """A notice that this process alone may send now; `claimed_at` is its token when the result is saved.

    `replaces` says that an earlier version may have reached the household.
    """

    notice: Notice
    attempts: int
    queued_at: datetime
    claimed_at: datetime
    replaces: bool
    contact: Contact | None
    staff: StaffContact | None = None

    @property
    def id(self) -> UUID:
        """Of the notice."""
        return self.notice.notice_id
