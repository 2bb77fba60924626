"""A notice: one fact that somebody has to be told once, and what is needed to send it.

Its business key makes it exist only once: household, delivery day and version for a basket; order and event
for a partner.
"""

from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

from msgspec import Struct

from services.notify.domain.facts import BasketFacts, Facts, PromiseFacts, ShortageFacts

BASKET, ORDER_PROMISED, ORDER_SHORTED = "basket", "order_promised", "order_shorted"

EMAIL, WEBHOOK = "email", "webhook"
"""The channels: households are told by e-mail, partners by webhook."""

NO_CHANNEL = "none"
"""Stands for the channel of a notice that no channel could be tried for."""

FACTS: dict[str, type[BasketFacts] | type[PromiseFacts] | type[ShortageFacts]] = {
    BASKET: BasketFacts,
    ORDER_PROMISED: PromiseFacts,
    ORDER_SHORTED: ShortageFacts,
}
"""What each kind of notice says."""


class Notice(Struct, frozen=True):
    """`notice_id` is the id of the event that told of it, so that after a restore a receiver knows the notice again.

    `happened_at` is when the books changed. A partner's notice has partner, order, event and sequence; a household's
    has household, delivery day and version.
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
    partner_id: UUID | None = None
    order_id: UUID | None = None
    event_id: UUID | None = None
    sequence: int | None = None


@dataclass(frozen=True, slots=True)
class Contact:
    """How a household is reached; its address is never printed."""

    household_id: UUID
    email: str = field(repr=False)
    display_name: str = field(repr=False)
    language: str


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a partner takes messages about the orders of one cooperative, and what they are signed with."""

    cooperative_id: UUID
    partner_id: UUID
    url: str = field(repr=False)
    secret: str = field(repr=False)
    disabled: bool = False


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
    endpoint: Endpoint | None
