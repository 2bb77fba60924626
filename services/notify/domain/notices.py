"""A notice: one fact that a household, a cooperative's staff or the union has to be told once.

Its business key makes it exist only once: household, delivery day and version for a basket. A notice to staff is
made in the transaction that changed what it is about.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from msgspec import Struct

from services.notify.domain.contacts import ALERTS, UNION, WORK
from services.notify.domain.facts import BasketFacts, EndpointFacts, Facts

BASKET = "basket"
"""To a household."""

ENDPOINT_DISABLED = "endpoint_disabled"
"""To a cooperative's staff."""

EMAIL = "email"

CALL = "call"
"""The channel of a person who calls."""

NO_CHANNEL = "none"
"""Stands for the channel of a notice that none could carry."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What a kind of notice says, and the purpose for which its recipients must have agreed to be told.

    `is_called`: a person tells it where no channel can. `gathers`: it waits for what else may change soon.
    """

    facts: type[Facts]
    purpose: str
    is_called: bool = False
    gathers: bool = False


KINDS: Mapping[str, Kind] = {
    BASKET: Kind(BasketFacts, WORK, is_called=True, gathers=True),
    ENDPOINT_DISABLED: Kind(EndpointFacts, ALERTS),
}
"""Kinds that do not stand here are for a newer version of this service to send."""

CALLED_KINDS = tuple(name for name, kind in KINDS.items() if kind.is_called)


class Notice(Struct, frozen=True):
    """`notice_id` is the id of the event that told of it, so that after a restore a receiver knows the notice again.

    `happened_at` is when the books changed. A household's notice has household, delivery day and version; one to staff
    has none of these; one to the union has no cooperative either.
    """

    notice_id: UUID
    cooperative_id: UUID | None
    kind: str
    facts: Facts
    happened_at: datetime
    traceparent: str | None = None
    household_id: UUID | None = None
    delivery_day: date | None = None
    version: int | None = None

    @property
    def recipient_id(self) -> UUID:
        """The household, the cooperative whose staff it is for, or the union."""
        return self.household_id or self.cooperative_id or UNION

    def deadlines(self, now: datetime) -> tuple[datetime | None, datetime | None]:
        """Until when an answer is asked for, and when the last goods must be there; None where there is no such thing.

        Of a notice that is made now.
        """
        facts = self.facts
        if not isinstance(facts, BasketFacts) or not facts.items:
            return None, None
        return facts.answerable_until(now), max(item.arrive_by_at for item in facts.items)
