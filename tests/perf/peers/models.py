"""The bodies that partners push, and the events between the services of a peer.

Pushes are strict, since nobody knows who wrote them; events are read leniently, so that their writers can grow.
"""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter

from services.chassis.ids import uuid7

BATCH_TYPE = "application/cloudevents-batch+json"

Text = Annotated[str, Field(min_length=1, max_length=100)]
LongText = Annotated[str, Field(max_length=500)]
Quantity = Annotated[str, Field(pattern=r"^[0-9]{1,6}(\.[0-9]{1,6})?$")]
"""Text, so that no float ever comes near it."""


class Strict(BaseModel):
    """Unknown fields and wrong types are errors."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class PushedLine(Strict):
    """So many items of a SKU."""

    sku: Text
    quantity: Quantity
    price_vnd: Annotated[int, Field(ge=0, le=10**12)]

    @property
    def sold(self) -> Decimal:
        """The exact quantity."""
        return Decimal(self.quantity)


class Contact(Strict):
    """The customer."""

    name: LongText | None = None
    phone: LongText | None = None
    address: LongText | None = None


class PushedOrder(Strict):
    """One order of a customer. What is measured is new orders; changes and cancellations are not taken here."""

    ref: Text
    updated_at: AwareDatetime
    status: Literal["placed"]
    delivery_day: date
    contact: Contact
    lines: Annotated[tuple[PushedLine, ...], Field(min_length=1, max_length=200)]


class Push(Strict):
    """The body with one order."""

    order: PushedOrder


class PushedEvent(Strict):
    """One CloudEvent of the body with many orders."""

    specversion: Literal["1.0"]
    id: Text
    source: Text
    type: Literal["vn.chophien.order.v1"]
    time: AwareDatetime
    datacontenttype: Literal["application/json"]
    data: PushedOrder


class AmqpPush(Strict):
    """One order as a message; the broker has made sure who sent it."""

    partner_id: UUID
    order: PushedOrder


_BATCH = TypeAdapter(Annotated[list[PushedEvent], Field(min_length=1, max_length=500)])


def read_push(content_type: str, raw: bytes) -> list[PushedOrder]:
    """The orders of a body. Raises pydantic.ValidationError."""
    if content_type == BATCH_TYPE:
        return [event.data for event in _BATCH.validate_json(raw)]
    return [Push.model_validate_json(raw).order]


class Answer(BaseModel):
    """What a partner is told of one order."""

    order_id: UUID
    ref: str
    state: str


ANSWERS = TypeAdapter(list[Answer])


class Event(BaseModel):
    """Something that happened; `event_id` tells a second delivery from a second event."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    event_id: UUID = Field(default_factory=uuid7)
    occurred_at: datetime


class OrderedLine(BaseModel):
    """What was ordered of one offer, in steps of its product."""

    model_config = ConfigDict(frozen=True)

    line_no: int
    offer_id: UUID
    product_id: UUID
    sku: str
    steps: int


class RefusedLine(BaseModel):
    """A line that reserves nothing."""

    model_config = ConfigDict(frozen=True)

    line_no: int
    sku: str
    reason: str


class OrderPlaced(Event):
    """`orders` has stored an order."""

    order_id: UUID
    cooperative_id: UUID
    partner_id: UUID
    partner_ref: str
    lines: tuple[OrderedLine, ...]
    refused_lines: tuple[RefusedLine, ...] = ()


class PromisedLine(BaseModel):
    """ordered = promised + short."""

    model_config = ConfigDict(frozen=True)

    line_no: int
    offer_id: UUID
    product_id: UUID
    sku: str
    ordered_steps: int
    promised_steps: int
    short_steps: int
    reason: str | None = None


class OrderPromised(Event):
    """`allocation` has decided. Carries the names that readers need, so that no reader waits for another event."""

    order_id: UUID
    cooperative_id: UUID
    partner_id: UUID
    partner_ref: str
    lines: tuple[PromisedLine, ...]
    refused_lines: tuple[RefusedLine, ...] = ()

    @property
    def state(self) -> str:
        """The state of the order that follows."""
        if not any(line.promised_steps for line in self.lines):
            return "not_promised"
        if self.refused_lines or any(line.short_steps for line in self.lines):
            return "part_promised"
        return "promised"
