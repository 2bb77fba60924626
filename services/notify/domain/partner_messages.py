"""A message to a partner: what became of one of its orders, told once to its endpoint, and what is needed to send it.

Its id is that of the event that told of it, so that after a restore the receiver knows the message again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from msgspec import Struct

from services.notify.domain.delivery import (
    Accepted,
    Failed,
    NotBegun,
    Outcome,
    Overtaken,
    Refused,
    Throttled,
    Unknown,
)
from services.notify.domain.endpoints import Endpoint
from services.notify.domain.facts import CancellationFacts, DeliveryFacts, PartnerFacts, PromiseFacts, ShortageFacts

ORDER_PROMISED, ORDER_CHANGED, ORDER_SHORTED, ORDER_CANCELLED, ORDER_DELIVERED = (
    "order_promised",
    "order_changed",
    "order_shorted",
    "order_cancelled",
    "order_delivered",
)

WHOLE = (ORDER_PROMISED, ORDER_CHANGED, ORDER_CANCELLED)
"""These say all there is to say about an order, so that what was said before need not be told any more."""

LASTING = ORDER_DELIVERED
"""This is told whatever is said of the order later: what was delivered stays so, and no promise speaks of it."""

FACTS: Mapping[str, type[PartnerFacts]] = {
    ORDER_PROMISED: PromiseFacts,
    ORDER_CHANGED: PromiseFacts,
    ORDER_SHORTED: ShortageFacts,
    ORDER_CANCELLED: CancellationFacts,
    ORDER_DELIVERED: DeliveryFacts,
}
"""What each kind of message says. Kinds that do not stand here are for a newer version of this service to send."""

TYPE_OF: Mapping[str, str] = {
    ORDER_PROMISED: "order.promised",
    ORDER_CHANGED: "order.changed",
    ORDER_SHORTED: "order.shorted",
    ORDER_CANCELLED: "order.cancelled",
    ORDER_DELIVERED: "order.delivered",
}
"""From the kind of a message to the type in its body."""

ENDPOINT_IS_DISABLED = "endpoint_disabled"
"""Why a message is undeliverable whose endpoint is given up."""


class PartnerMessage(Struct, frozen=True):
    """`happened_at` is when the books changed.

    `sequence` puts an order's messages in their order; a cancellation, which another service's stream tells of, has the
    place of the last one before it.
    """

    message_id: UUID
    cooperative_id: UUID
    partner_id: UUID
    order_id: UUID
    kind: str
    sequence: int
    facts: PartnerFacts
    happened_at: datetime
    traceparent: str | None = None


class MessageClaim(Struct, frozen=True):
    """A message of a batch that this process alone may send now; `claimed_at` is the token of the whole batch.

    `overtaken`: a newer message says all that this one does.
    """

    message: PartnerMessage
    endpoint: Endpoint
    attempts: int
    queued_at: datetime
    claimed_at: datetime
    overtaken: bool = False

    @property
    def id(self) -> UUID:
        """Of the message."""
        return self.message.message_id


# -- What follows from an attempt ----------------------------------------------------------------------------

WAITS = (
    timedelta(seconds=5), timedelta(minutes=5), timedelta(minutes=30), timedelta(hours=2), timedelta(hours=5),
    timedelta(hours=10), timedelta(hours=14), timedelta(hours=20), timedelta(hours=24),
)  # fmt: skip
"""The schedule of Standard Webhooks. `webhook-id` stays the same, so that a receiver knows a repetition, and an attempt
whose outcome is unknown is made again."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a message. `reason` is why it is undeliverable, `detail` what came of the attempt."""

    state: str
    attempts: int
    next_at: datetime
    reason: str | None = None
    detail: str | None = None
    receipt: str | None = None
    told_at: datetime | None = None


def decide(outcome: Outcome, attempts: int, now: datetime) -> Verdict:
    """`attempts` counts the one that came to this outcome."""
    match outcome:
        case Accepted(at, receipt):
            return Verdict("told", attempts, now, receipt=receipt, told_at=at)
        case Refused(reason):
            return Verdict("undeliverable", attempts, now, reason, reason)
        case NotBegun():
            return Verdict("queued", attempts - 1, now)
        case Overtaken():
            return Verdict("superseded", attempts - 1, now)
        case Throttled(reason, pause, asked=True):
            return Verdict("queued", attempts - 1, now + pause, detail=reason)
        case Unknown(reason) | Failed(reason) | Throttled(reason):
            if attempts > len(WAITS):
                return Verdict("undeliverable", attempts, now, "gave_up", reason)
            return Verdict("queued", attempts, now + WAITS[attempts - 1], detail=reason)
    raise AssertionError(outcome)
