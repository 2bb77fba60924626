"""A notice: one fact that a household, a cooperative's staff or the union has to be told once.

Its business key makes it exist only once: household, delivery day and version for a basket. A notice to staff is
made in the transaction that changed what it is about.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from msgspec import Struct

from services.notify.domain.contacts import ALERTS, MONEY, SUMMARY, UNION, WORK
from services.notify.domain.facts import (
    ArrivalFacts,
    BasketFacts,
    ConfirmedFacts,
    DaySettlementFacts,
    EndpointFacts,
    MonthSettlementFacts,
    ReminderFacts,
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

Facts = (
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

CALL = "call"
"""The channel of a person who calls."""

NO_CHANNEL = "none"
"""Stands for the channel of a notice that none could carry."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What a kind of notice says, and the purpose for which its recipients must have agreed to be told.

    `is_called`: a person tells it where no channel can. `gather`: how long it waits for what else may change soon, so
    that several changes make one notice; None: as long as the cooperative wants. `of_basket`: a newer basket of the
    household and day says all that it could.
    """

    facts: type[Facts]
    purpose: str
    is_called: bool = False
    gather: timedelta | None = timedelta(0)
    of_basket: bool = False


KINDS: Mapping[str, Kind] = {
    BASKET: Kind(BasketFacts, WORK, is_called=True, gather=None, of_basket=True),
    BASKET_CONFIRMED: Kind(ConfirmedFacts, WORK, of_basket=True),
    REMINDER: Kind(ReminderFacts, WORK, of_basket=True),
    ARRIVAL: Kind(ArrivalFacts, WORK, gather=timedelta(minutes=5)),
    SETTLEMENT_DAY: Kind(DaySettlementFacts, MONEY),
    SETTLEMENT_MONTH: Kind(MonthSettlementFacts, MONEY, gather=timedelta(minutes=10)),
    ENDPOINT_DISABLED: Kind(EndpointFacts, ALERTS),
    SOLD_OUT: Kind(SoldOutFacts, ALERTS, gather=timedelta(minutes=5)),
    SHORTFALL: Kind(ShortfallFacts, ALERTS, gather=timedelta(minutes=5)),
    CALL_LIST: Kind(CallListFacts, ALERTS),
    QUARANTINED: Kind(QuarantinedFacts, ALERTS),
    NOT_UNDERSTOOD: Kind(NotUnderstoodFacts, ALERTS),
    DAILY_SUMMARY: Kind(SummaryFacts, SUMMARY),
}
"""Kinds that do not stand here are for a newer version of this service to send."""

CALLED_KINDS = tuple(name for name, kind in KINDS.items() if kind.is_called)


class Notice(Struct, frozen=True):
    """`notice_id` is the id of the event that told of it, or made from it, so that a receiver knows it after a restore.

    `happened_at` is when the books changed. A household's notice has a household, one to the union no cooperative.
    Of one recipient, day and kind the greater `version` is the newer word.
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

    @property
    def about(self) -> str:
        """The same for all notices of which only the newest need be read."""
        if self.delivery_day is None or self.version is None:
            return str(self.notice_id)
        return f"{self.recipient_id} {self.delivery_day} {BASKET if KINDS[self.kind].of_basket else self.kind}"

    def deadlines(self, now: datetime) -> tuple[datetime | None, datetime | None]:
        """Until when an answer is asked for, and when the last goods must be there; None where there is no such thing.

        Of a notice that is made now.
        """
        facts = self.facts
        if not isinstance(facts, BasketFacts | ReminderFacts) or not facts.items:
            return None, None
        answer_by_at = facts.answerable_until(now) if isinstance(facts, BasketFacts) else None
        return answer_by_at, max(item.arrive_by_at for item in facts.items)
