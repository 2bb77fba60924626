"""What `allocation` publishes: promises, baskets, what households answered, what arrived, and what it is worth.

Reasons of shortfalls are codes: `sold_out`, `no_offer`, `intake_closed`, `below_minimum` (something was there, but
less than is useful to the line), `decided_at_cut_off` (nothing is promised before), `pledges_reduced`,
`offer_withdrawn`, `not_delivered`; readers must accept codes that they do not know.
"""

from datetime import date
from typing import Annotated, ClassVar
from uuid import UUID

from msgspec import Meta

from services.contracts.base import AwareDatetime, Event, Value
from services.contracts.notify import RepliedItem

Steps = Annotated[int, Meta(ge=0)]


class PromisedLine(Value, frozen=True):
    """ordered = promised + short + cancelled, in steps; `shorted` is the part of promised taken back since."""

    line_no: Annotated[int, Meta(ge=1)]
    offer_id: UUID
    ordered_steps: Steps
    promised_steps: Steps
    short_steps: Steps
    cancelled_steps: Steps = 0
    shorted_steps: Steps = 0
    reason: str | None = None


class OrderPromised(Event, frozen=True):
    """The whole promise of an order as it stands now; sent again whenever it changes."""

    type: ClassVar[str] = "allocation.order_promised.v1"

    order_id: UUID
    lines: tuple[PromisedLine, ...]


class ShortedLine(Value, frozen=True):
    """One promise that was reduced, net steps before and after."""

    line_no: Annotated[int, Meta(ge=1)]
    offer_id: UUID
    before_steps: Steps
    after_steps: Steps
    reason: str


class OrderShorted(Event, frozen=True):
    """Part of what was promised will not come."""

    type: ClassVar[str] = "allocation.order_shorted.v1"

    order_id: UUID
    lines: Annotated[tuple[ShortedLine, ...], Meta(min_length=1)]


class OfferAvailabilityChanged(Event, frozen=True):
    """What can still be promised of an offer, after all that this transaction changed.

    Nothing is once its intake is closed (`open`), whatever is left of it.
    """

    type: ClassVar[str] = "allocation.offer_availability_changed.v1"

    offer_id: UUID
    supply_steps: Steps
    available_steps: Steps
    open: bool = True


# -- Baskets ---------------------------------------------------------------------------------------------------


class BasketItem(Value, frozen=True):
    """What to bring of one offer, where and by when; and why so much, as a sentence for the household."""

    offer_id: UUID
    product_id: UUID
    quantity_steps: Annotated[int, Meta(ge=1)]
    pledged_steps: Steps
    collection_point_id: UUID
    arrive_by_at: AwareDatetime
    confirmed_steps: Steps = 0
    why_vi: str = ""
    why_en: str = ""


class Basket(Value, frozen=True):
    """What one household brings for one delivery day; no items means: nothing this time.

    `reply_by_at` is until when the household may answer; null: nothing is asked of it. Whoever is told later than
    `reply_minutes` before that has `reply_minutes` from then on, but no longer than until the goods must be there.

    `empty_reason` says why there are no items where there is more to say than that nothing of what it pledged was
    ordered: `not_worthwhile` (its part would not have been worth the way, and others bring it). Readers must accept
    codes that they do not know.
    """

    household_id: UUID
    delivery_day: date
    version: Annotated[int, Meta(ge=1)]
    items: tuple[BasketItem, ...]
    reply_by_at: AwareDatetime | None = None
    empty_reason: str | None = None
    reply_minutes: Annotated[int, Meta(ge=1)] | None = None


class BasketAssigned(Basket, Event, frozen=True):
    """The first word on the household's day."""

    type: ClassVar[str] = "allocation.basket_assigned.v1"


class BasketChanged(Basket, Event, frozen=True):
    """The basket's whole new state; `version` grows by one with each change."""

    type: ClassVar[str] = "allocation.basket_changed.v1"

    version: Annotated[int, Meta(ge=2)]


class BasketConfirmed(Basket, Event, frozen=True):
    """The household has answered, or its silence counts; nothing of this is taken from it any more.

    `by` is `reply`, `silence` or `staff`.
    """

    type: ClassVar[str] = "allocation.basket_confirmed.v1"

    by: str = "reply"


class ReplyRecorded(Event, frozen=True):
    """Staff wrote down what a household answered them: as `notify.household_replied.v1`."""

    type: ClassVar[str] = "allocation.reply_recorded.v1"

    household_id: UUID
    delivery_day: date
    version: Annotated[int, Meta(ge=1)]
    answer: str
    items: tuple[RepliedItem, ...] = ()
    reason: str | None = None


class RepliesClosed(Event, frozen=True):
    """The time to answer is over: no reply to this round of the day stands behind this event in the stream."""

    type: ClassVar[str] = "allocation.replies_closed.v1"

    delivery_day: date
    round: Annotated[int, Meta(ge=1)]


# -- Arrivals and settlement -----------------------------------------------------------------------------------


class ArrivalRecorded(Event, frozen=True):
    """What was received from a household at the collection point, weighed in by staff.

    `lot` names it on its further way. A later record with the same `arrival_id` stands in place of this one. `grams` is
    what the scale showed, where it was weighed.
    """

    type: ClassVar[str] = "allocation.arrival_recorded.v1"

    arrival_id: UUID
    household_id: UUID
    delivery_day: date
    offer_id: UUID
    product_id: UUID
    lot: str
    accepted_steps: Steps
    rejected_steps: Steps = 0
    reason: str | None = None
    grams: Steps | None = None


class TruckDeparted(Event, frozen=True):
    """The day is closed: what has not arrived by now does not come."""

    type: ClassVar[str] = "allocation.truck_departed.v1"

    delivery_day: date


class DeliveredLine(Value, frozen=True):
    """What left with the truck of one line: promised - shorted, 0 where nothing of it came."""

    line_no: Annotated[int, Meta(ge=1)]
    offer_id: UUID
    delivered_steps: Steps


class OrderDelivered(Event, frozen=True):
    """What was really delivered of an order on one day: every line of that day of which something was promised.

    Said once, when the truck departs and all of the day is shared out. Only where offers of a day are published after
    its truck has left does another truck follow; the orders that it brings something of are told again, and the later
    word stands in place of the earlier one. Nothing else changes it: nothing is weighed in after the truck has left, a
    closed offer's lines keep what is coming of them, and a corrected settlement is about money.

    Lots are not named here: there may be as many in a line as there are households, and each names its household.
    """

    type: ClassVar[str] = "allocation.order_delivered.v1"

    order_id: UUID
    delivery_day: date
    lines: Annotated[tuple[DeliveredLine, ...], Meta(min_length=1)]


class SettledHousehold(Value, frozen=True):
    """net = gross - fee."""

    household_id: UUID
    gross_vnd: int
    fee_vnd: int
    net_vnd: int


class DaySettled(Event, frozen=True):
    """What each household is owed for the day; sums are exact to the đồng."""

    type: ClassVar[str] = "allocation.day_settled.v1"

    delivery_day: date
    households: tuple[SettledHousehold, ...]


class SettlementCorrected(Event, frozen=True):
    """A new entry beside those of a settled day; those stay as they are."""

    type: ClassVar[str] = "allocation.settlement_corrected.v1"

    correction_id: UUID
    household_id: UUID
    delivery_day: date
    amount_vnd: int
    reason: Annotated[str, Meta(min_length=1)]
