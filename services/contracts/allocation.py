"""What `allocation` publishes: promises, what was taken back of them, what is left, and baskets.

Reasons are codes: `sold_out`, `no_offer`, `intake_closed`, `pledges_reduced`, `offer_withdrawn`, `below_minimum`
(something was there, but less than is useful to the line), `decided_at_cut_off` (nothing is promised before);
readers must accept codes that they do not know.
"""

from datetime import date
from typing import Annotated, ClassVar
from uuid import UUID

from msgspec import Meta

from services.contracts.base import AwareDatetime, Event, Value

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
    """What can still be promised of an offer, after all that this transaction changed."""

    type: ClassVar[str] = "allocation.offer_availability_changed.v1"

    offer_id: UUID
    supply_steps: Steps
    available_steps: Steps


class BasketItem(Value, frozen=True):
    """What to bring of one offer, where and by when."""

    offer_id: UUID
    product_id: UUID
    quantity_steps: Annotated[int, Meta(ge=1)]
    pledged_steps: Steps
    collection_point_id: UUID
    arrive_by_at: AwareDatetime


class BasketAssigned(Event, frozen=True):
    """What one household brings for one delivery day; no items means: nothing this time."""

    type: ClassVar[str] = "allocation.basket_assigned.v1"

    household_id: UUID
    delivery_day: date
    version: Annotated[int, Meta(ge=1)]
    items: tuple[BasketItem, ...]


class BasketChanged(Event, frozen=True):
    """The basket's whole new state; `version` grows by one with each change."""

    type: ClassVar[str] = "allocation.basket_changed.v1"

    household_id: UUID
    delivery_day: date
    version: Annotated[int, Meta(ge=2)]
    items: tuple[BasketItem, ...]
