"""A notice: one fact that somebody has to be told once, and what is needed to send it.

Its business key makes it exist only once: household, delivery day and version for a basket; order and event
for a partner. A notice to staff is made in the transaction that changed what it is about.
"""

from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

from msgspec import Struct

from services.notify.domain.endpoints import Endpoint
from services.notify.domain.facts import (
    ArrivalFacts,
    BasketFacts,
    CancellationFacts,
    ConfirmedFacts,
    DaySettlementFacts,
    EndpointFacts,
    MonthSettlementFacts,
    PromiseFacts,
    ReminderFacts,
    ShortageFacts,
)
from services.notify.domain.staff_facts import (
    CallListFacts,
    NotUnderstoodFacts,
    QuarantinedFacts,
    ShortfallFacts,
    SoldOutFacts,
    SummaryFacts,
)

BASKET, BASKET_CONFIRMED, REMINDER = "basket", "basket_confirmed", "reminder"
ARRIVAL, SETTLEMENT_DAY, SETTLEMENT_MONTH = "arrival", "settlement_day", "settlement_month"
"""To a household."""
ENDPOINT_DISABLED, SOLD_OUT, SHORTFALL = "endpoint_disabled", "sold_out", "shortfall"
CALL_LIST, QUARANTINED, NOT_UNDERSTOOD = "call_list", "quarantined", "not_understood"
"""To a cooperative's staff."""
DAILY_SUMMARY = "daily_summary"
"""To the union."""
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

PersonalFacts = (
    BasketFacts
    | ConfirmedFacts
    | ReminderFacts
    | ArrivalFacts
    | DaySettlementFacts
    | MonthSettlementFacts
    | EndpointFacts
    | SoldOutFacts
    | ShortfallFacts
    | CallListFacts
    | QuarantinedFacts
    | NotUnderstoodFacts
    | SummaryFacts
)
"""What people are told."""

Facts = PersonalFacts | PromiseFacts | ShortageFacts | CancellationFacts
"""What people and partners' servers are told."""

FACTS: dict[str, type[Facts]] = {
    BASKET: BasketFacts,
    BASKET_CONFIRMED: ConfirmedFacts,
    REMINDER: ReminderFacts,
    ARRIVAL: ArrivalFacts,
    SETTLEMENT_DAY: DaySettlementFacts,
    SETTLEMENT_MONTH: MonthSettlementFacts,
    ENDPOINT_DISABLED: EndpointFacts,
    SOLD_OUT: SoldOutFacts,
    SHORTFALL: ShortfallFacts,
    CALL_LIST: CallListFacts,
    QUARANTINED: QuarantinedFacts,
    NOT_UNDERSTOOD: NotUnderstoodFacts,
    DAILY_SUMMARY: SummaryFacts,
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

    `replaces` says that an earlier version may have reached the household; `overtaken`, that a newer message to the
    partner says all that this one does.
    """

    notice: Notice
    attempts: int
    queued_at: datetime
    claimed_at: datetime
    replaces: bool
    contact: Contact | None
    endpoint: Endpoint | None
    staff: StaffContact | None = None
    overtaken: bool = False
