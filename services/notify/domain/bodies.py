"""The bodies of webhooks to partners: the same for every attempt, since they depend on the facts alone.

To a partner `promised` is what will come and `short` what won't, so that ordered = promised + short + cancelled. Each
quantity stands twice: as exact decimal text in the unit, and as whole steps. Where a line gets less than it asked for,
the reason stands as a code, and as a sentence in `why_vi` and `why_en`. Fields are added, never changed.
"""

import inspect
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from msgspec import Meta, Struct

from services.notify.domain import partner_messages
from services.notify.domain.facts import (
    CancellationFacts,
    DeliveredLine,
    DeliveryFacts,
    Goods,
    PartnerFacts,
    PromisedLine,
    PromiseFacts,
    RefusedLine,
    ShortageFacts,
    ShortedLine,
)
from services.notify.domain.quantities import exact
from services.notify.domain.shortfalls import explain

Steps = Annotated[int, Meta(ge=0)]
Quantity = Annotated[str, Meta(pattern=r"^\d+(\.\d+)?$")]
Moment = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
Day = Annotated[str, Meta(extra_json_schema={"format": "date"})]


class Line(Struct, frozen=True):
    """One line of the order as it stands. `reason` says why something is short, `why_vi` and `why_en` in a sentence."""

    line_no: Annotated[int, Meta(ge=1)]
    sku: str
    product: str
    unit: str
    ordered: Quantity
    promised: Quantity
    short: Quantity
    cancelled: Quantity
    ordered_steps: Steps
    promised_steps: Steps
    short_steps: Steps
    cancelled_steps: Steps
    reason: str | None
    why_vi: str | None
    why_en: str | None


class Loss(Struct, frozen=True):
    """One line of which less will come than was promised: what was promised before, and what is left of it."""

    line_no: Annotated[int, Meta(ge=1)]
    sku: str
    product: str
    unit: str
    before: Quantity
    after: Quantity
    before_steps: Steps
    after_steps: Steps
    reason: str
    why_vi: str | None
    why_en: str | None


class Delivery(Struct, frozen=True):
    """One line of which something was promised for the day: what of it was really delivered, which may be nothing."""

    line_no: Annotated[int, Meta(ge=1)]
    sku: str
    product: str
    unit: str
    delivered: Quantity
    delivered_steps: Steps


class WholeOrder(Struct, frozen=True):
    """Everything that is promised of an order; of two messages the one with the greater `sequence` is the newer."""

    order_id: UUID
    partner_ref: str
    sequence: Annotated[int, Meta(ge=0)]
    lines: tuple[Line, ...]
    refused_lines: tuple[RefusedLine, ...]


class ShortedOrder(Struct, frozen=True):
    """Only the lines that lost; `sequence` as in the messages about the whole order."""

    order_id: UUID
    partner_ref: str
    sequence: Annotated[int, Meta(ge=0)]
    lines: tuple[Loss, ...]


class DeliveredOrder(Struct, frozen=True):
    """The lines of one delivery day; `sequence` as in the messages about the whole order."""

    order_id: UUID
    partner_ref: str
    sequence: Annotated[int, Meta(ge=0)]
    delivery_day: Day
    lines: tuple[Delivery, ...]


class CancelledOrder(Struct, frozen=True):
    """Nothing of it will come, until a later order.changed says otherwise."""

    order_id: UUID
    partner_ref: str


class OrderPromised(Struct, frozen=True):
    """The first word on an order: what will come of each line."""

    type: Literal["order.promised"]
    timestamp: Moment
    data: WholeOrder


class OrderChanged(Struct, frozen=True):
    """The whole promise as it stands now: the order was changed, goods came free, or the cut-off has decided."""

    type: Literal["order.changed"]
    timestamp: Moment
    data: WholeOrder


class OrderShorted(Struct, frozen=True):
    """Part of what was promised will not come."""

    type: Literal["order.shorted"]
    timestamp: Moment
    data: ShortedOrder


class OrderCancelled(Struct, frozen=True):
    """Nothing is left of the order."""

    type: Literal["order.cancelled"]
    timestamp: Moment
    data: CancelledOrder


class OrderDelivered(Struct, frozen=True):
    """The truck has left: what it brings of the order. Of two about one day the later stands in place of the other."""

    type: Literal["order.delivered"]
    timestamp: Moment
    data: DeliveredOrder


Message = OrderPromised | OrderChanged | OrderShorted | OrderCancelled | OrderDelivered

TYPES: Mapping[str, type[Message]] = {
    "order.promised": OrderPromised,
    "order.changed": OrderChanged,
    "order.shorted": OrderShorted,
    "order.cancelled": OrderCancelled,
    "order.delivered": OrderDelivered,
}
"""Every message by its type; `make docs` writes the JSON Schema of each to services/notify/webhooks."""


def json_schema(name: str) -> dict[str, Any]:
    """The JSON Schema of a type of message, with its parts in `$defs`. Raises KeyError for a type that there is not."""
    kind = TYPES[name]
    (_,), parts = msgspec.json.schema_components([kind], ref_template="#/$defs/{name}")
    for part in parts.values():
        part["description"] = inspect.cleandoc(part["description"])
    own: dict[str, Any] = parts.pop(kind.__name__)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$defs": parts, **own}


def message(kind: str, facts: PartnerFacts, happened_at: datetime) -> Message:
    """The body of a message of this kind."""
    timestamp = happened_at.isoformat()
    match facts:
        case PromiseFacts():
            lines = tuple(_line(line) for line in facts.lines)
            order = WholeOrder(facts.order_id, facts.partner_ref, facts.sequence, lines, facts.refused_lines)
            if kind == partner_messages.ORDER_CHANGED:
                return OrderChanged("order.changed", timestamp, order)
            return OrderPromised("order.promised", timestamp, order)
        case ShortageFacts():
            losses = tuple(_loss(line) for line in facts.lines)
            shorted = ShortedOrder(facts.order_id, facts.partner_ref, facts.sequence, losses)
            return OrderShorted("order.shorted", timestamp, shorted)
        case DeliveryFacts():
            brought = tuple(_delivery(line) for line in facts.lines)
            day = facts.delivery_day.isoformat()
            delivered = DeliveredOrder(facts.order_id, facts.partner_ref, facts.sequence, day, brought)
            return OrderDelivered("order.delivered", timestamp, delivered)
        case CancellationFacts():
            cancelled = CancelledOrder(facts.order_id, facts.partner_ref)
            return OrderCancelled("order.cancelled", timestamp, cancelled)


def _line(line: PromisedLine) -> Line:
    promised_steps = line.promised_steps - line.shorted_steps
    short_steps = line.short_steps + line.shorted_steps
    return Line(
        line.line_no, line.sku, line.goods.name, line.goods.unit,
        _units(line.ordered_steps, line.goods), _units(promised_steps, line.goods),
        _units(short_steps, line.goods), _units(line.cancelled_steps, line.goods),
        line.ordered_steps, promised_steps, short_steps, line.cancelled_steps, line.reason,
        *_why(line.reason),
    )  # fmt: skip


def _loss(line: ShortedLine) -> Loss:
    return Loss(
        line.line_no, line.sku, line.goods.name, line.goods.unit,
        _units(line.before_steps, line.goods), _units(line.after_steps, line.goods),
        line.before_steps, line.after_steps, line.reason, *_why(line.reason),
    )  # fmt: skip


def _delivery(line: DeliveredLine) -> Delivery:
    return Delivery(
        line.line_no, line.sku, line.goods.name, line.goods.unit,
        _units(line.delivered_steps, line.goods), line.delivered_steps,
    )  # fmt: skip


def _why(reason: str | None) -> tuple[str | None, str | None]:
    """In Vietnamese and English; None where nothing is short."""
    if reason is None:
        return None, None
    sentences = explain(reason)
    return sentences["vi"], sentences["en"]


def _units(steps: int, goods: Goods) -> str:
    return exact(steps, goods.step_milliunits)
