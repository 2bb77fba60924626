"""What the routes say of an order, in the units of its products; steps are our own business.

Plain dataclasses: hundreds of them are made and encoded for one batch.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import msgspec
from fastapi import Response

from services.orders.domain.command import decimal_text
from services.orders.domain.intake import Reason
from services.orders.domain.order import Line, LineState, Order, OrderState


@dataclass(slots=True)
class PromiseAnswer:
    """In the unit of the line. `reason` says why some of it is short, if it is."""

    promised: str
    short: str
    reason: str | None


@dataclass(slots=True)
class LineAnswer:
    """`sold_quantity` is as pushed; `quantity` is in `unit` and stands where the line is in whole steps.

    `promise` stands as soon as it is known. `too_late` in `reason`: the offer is closed, the line stays as it was.
    """

    line_no: int
    sku: str
    sold_quantity: str
    state: LineState
    quantity: str | None
    unit: str | None
    offer_id: UUID | None
    delivery_day: date | None
    reason: str | None
    promise: PromiseAnswer | None


@dataclass(slots=True)
class OrderAnswer:
    """An order as it stands."""

    order_id: UUID
    url: str
    partner_ref: str
    state: OrderState
    lines: list[LineAnswer]


@dataclass(slots=True)
class Customer:
    """The customer as the partner gave it; shown to the cooperative's staff only."""

    name: str | None
    phone: str | None
    address: str | None
    email: str | None = None
    platform_id: str | None = None


@dataclass(slots=True, kw_only=True)
class OrderDetail(OrderAnswer):
    """One order, as its partner or the cooperative's staff may see it."""

    partner_id: UUID
    received_at: datetime
    promised_at: datetime | None
    contact: Customer | None = None


@dataclass(slots=True, kw_only=True)
class PartAnswer(OrderAnswer):
    """One cooperative's part: an order of its own, with its own id, which webhooks name."""

    cooperative_id: UUID


@dataclass(slots=True)
class PooledOrderAnswer:
    """`lines` are as pushed, over all cooperatives together; `parts` say who brings what."""

    campaign_id: UUID
    url: str
    partner_ref: str
    state: OrderState
    lines: list[LineAnswer]
    parts: list[PartAnswer]


@dataclass(slots=True)
class FieldFault:
    """What is wrong with one field."""

    field: str
    detail: str


@dataclass(slots=True)
class ItemAnswer:
    """What became of one order of a batch: `status` is what it would have been answered with by itself.

    `order` stands where it was taken, `errors` where it was not.
    """

    id: str
    status: int
    order: OrderAnswer | PooledOrderAnswer | None = None
    errors: list[FieldFault] | None = None


@dataclass(slots=True)
class BatchAnswer:
    """One answer for each event of a batch, in its order."""

    answers: list[ItemAnswer]


@dataclass(slots=True)
class Passed:
    """A push that concerns no order: a ping, or a topic or status that means nothing here."""

    answer: str
    reason: str | None = None


def response(answer: Any, status: int, headers: dict[str, str] | None = None) -> Response:
    """The answer as JSON."""
    return Response(msgspec.json.encode(answer), status, headers, media_type="application/json")


def url_of(order_id: UUID) -> str:
    """The path under which the order can be read."""
    return f"/v1/orders/{order_id}"


def of_order(order: Order, late_lines: frozenset[int] = frozenset()) -> OrderAnswer:
    """The answer to a push; `late_lines` could not follow it."""
    return OrderAnswer(
        order_id=order.order_id,
        url=url_of(order.order_id),
        partner_ref=order.command.partner_ref if order.command else "",
        state=order.state,
        lines=of_lines(order, late_lines),
    )


def of_lines(order: Order, late_lines: frozenset[int] = frozenset()) -> list[LineAnswer]:
    """The lines of an order in the order of their numbers."""
    return [of_line(line, line.line_no in late_lines) for line in order.lines]


def of_line(line: Line, late: bool = False) -> LineAnswer:
    """One line; `late` where it could not follow the push."""
    product = line.product
    ordered = line.state is LineState.ORDERED
    reason = Reason.TOO_LATE if late else None if ordered else line.reason
    return LineAnswer(
        line_no=line.line_no,
        sku=line.sku,
        sold_quantity=decimal_text(line.sold_quantity),
        state=line.state,
        quantity=product.quantity_text(line.quantity_steps) if product and line.quantity_steps else None,
        unit=product.unit if product else None,
        offer_id=line.offer_id,
        delivery_day=line.delivery_day,
        reason=reason,
        promise=_of_promise(line) if ordered and line.is_decided else None,
    )


def _of_promise(line: Line) -> PromiseAnswer:
    assert line.product is not None
    return PromiseAnswer(
        promised=line.product.quantity_text(line.promised_steps),
        short=line.product.quantity_text(line.short_steps),
        reason=line.reason,
    )
