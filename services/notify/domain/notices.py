"""A notice: one fact that somebody has to be told once, and what is needed to send it.

Its business key makes it exist only once: household, delivery day and version for a basket; order and event
for a partner. A notice to staff is made in the transaction that changed what it is about.
"""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from msgspec import Struct

from services.notify.domain.contacts import Step
from services.notify.domain.endpoints import Endpoint
from services.notify.domain.facts import (
    BasketFacts,
    CancellationFacts,
    EndpointFacts,
    Facts,
    PromiseFacts,
    ShortageFacts,
)

BASKET, ENDPOINT_DISABLED = "basket", "endpoint_disabled"
"""To a household, and to a cooperative's staff."""
ORDER_PROMISED, ORDER_CHANGED, ORDER_SHORTED, ORDER_CANCELLED = (
    "order_promised",
    "order_changed",
    "order_shorted",
    "order_cancelled",
)
"""To a partner."""

WHOLE = (ORDER_PROMISED, ORDER_CHANGED, ORDER_CANCELLED)
"""These say all there is to say about an order, so that what was said before need not be told any more."""

EMAIL, WEBHOOK = "email", "webhook"
"""The channels: households and staff are told by e-mail, partners by webhook."""

NO_CHANNEL = "none"
"""Stands for the channel of a notice that no channel could be tried for."""

ENDPOINT_IS_DISABLED = "endpoint_disabled"
"""Why a message to a partner is undeliverable whose endpoint is given up."""

FACTS: dict[str, type[Facts]] = {
    BASKET: BasketFacts,
    ENDPOINT_DISABLED: EndpointFacts,
    ORDER_PROMISED: PromiseFacts,
    ORDER_CHANGED: PromiseFacts,
    ORDER_SHORTED: ShortageFacts,
    ORDER_CANCELLED: CancellationFacts,
}
"""What each kind of notice says."""


class Notice(Struct, frozen=True):
    """`notice_id` is the id of the event that told of it, so that after a restore a receiver knows the notice again.

    `happened_at` is when the books changed. A partner's notice has partner, order, event and sequence; a household's
    has household, delivery day and version; one to staff has none of these. `sequence` puts an order's notices in
    their order; a cancellation, which another service's stream tells of, has the place of the last one before it.
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
class Claim:
    """A notice that this process alone may send now; `claimed_at` is its token when the result is saved.

    `replaces` says that an earlier version may have reached the household; `overtaken`, that a newer message to the
    partner says all that this one does.
    """

    notice: Notice
    attempts: int
    queued_at: datetime
    claimed_at: datetime
    replaces: bool
    contact: Step | None
    endpoint: Endpoint | None
    overtaken: bool = False
