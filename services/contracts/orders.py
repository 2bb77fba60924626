"""What `orders` publishes: what customers ordered through partners, and that an offer takes no more."""

from datetime import date
from typing import Annotated, ClassVar
from uuid import UUID

from msgspec import Meta

from services.contracts.base import Event, Value


class OrderLine(Value, frozen=True):
    """What was ordered of one offer, in steps of its product.

    `line_no` is the partner's lasting number of the line, or its position from 1 where it has none. `minimum_steps` is
    the least that is useful to the customer: the line gets so much, or nothing.
    """

    line_no: Annotated[int, Meta(ge=1)]
    offer_id: UUID
    product_id: UUID
    sku: str
    quantity_steps: Annotated[int, Meta(ge=1)]
    minimum_steps: Annotated[int, Meta(ge=1)] = 1


class RefusedLine(Value, frozen=True):
    """A line that reserves nothing, and why: `unknown_sku` (waits in the review queue and may be ordered
    later), `not_in_steps` (its quantity or its minimum), `no_offer`, `intake_closed`. Readers must accept codes that
    they do not know.
    """

    line_no: Annotated[int, Meta(ge=1)]
    sku: str
    reason: str


class OrderState(Value, frozen=True):
    """An order as it stands. `partner_ref` is the partner's own order number.

    `tier` says who is served first where not all can be, from 1 on; 5 is the open sale.
    """

    order_id: UUID
    partner_id: UUID
    partner_ref: str
    lines: tuple[OrderLine, ...]
    refused_lines: tuple[RefusedLine, ...] = ()
    tier: Annotated[int, Meta(ge=1, le=99)] = 5


class OrderPlaced(OrderState, Event, frozen=True):
    """A partner's order was taken in."""

    type: ClassVar[str] = "orders.order_placed.v1"


class OrderChanged(OrderState, Event, frozen=True):
    """The order's whole new state; a line that is no longer there is cancelled."""

    type: ClassVar[str] = "orders.order_changed.v1"


class OrderCancelled(Event, frozen=True):
    """Nothing is left of the order. Where a line stays because its offer is closed, order_changed says so instead."""

    type: ClassVar[str] = "orders.order_cancelled.v1"

    order_id: UUID


class IntakeClosed(Event, frozen=True):
    """The cut-off: no order for this offer stands behind this event in the stream.

    `closes_day` says that no other offer of the delivery day is open in the books of `orders`, and `withdrawn` that
    `catalog` withdrew it: so that is known also where a restored `catalog` lost its own word.
    """

    type: ClassVar[str] = "orders.intake_closed.v1"

    offer_id: UUID
    delivery_day: date
    closes_day: bool
    withdrawn: bool = False
