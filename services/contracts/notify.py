"""What `notify` publishes: who has really been told, who could not be, and what households answered."""

from datetime import date
from typing import Annotated, ClassVar
from uuid import UUID

from msgspec import Meta

from services.contracts.base import AwareDatetime, Event, Value


class NoticeDelivered(Event, frozen=True):
    """The channel's receipt for a notice: SMTP acceptance, webhook 2xx.

    `kind` is to a household `basket`, `basket_confirmed`, `reminder`, `arrival`, `settlement_day` or
    `settlement_month`; to staff `endpoint_disabled`, `sold_out`, `shortfall`, `call_list`, `not_understood` or
    `quarantined`; to a partner `order_promised`, `order_changed`, `order_shorted`, `order_cancelled` or
    `order_delivered`. A basket notice names the household, the delivery day and the basket's version; a partner notice
    names the order. A message that staff have resent can be told a second time.
    """

    type: ClassVar[str] = "notify.notice_delivered.v1"

    notice_id: UUID
    kind: str
    channel: str
    told_at: AwareDatetime
    household_id: UUID | None = None
    delivery_day: date | None = None
    version: Annotated[int, Meta(ge=1)] | None = None
    order_id: UUID | None = None


class NoticeUndeliverable(Event, frozen=True):
    """No channel could carry the notice, or its outcome is unknown; a person has to tell."""

    type: ClassVar[str] = "notify.notice_undeliverable.v1"

    notice_id: UUID
    kind: str
    channel: str
    reason: str
    household_id: UUID | None = None
    delivery_day: date | None = None
    version: Annotated[int, Meta(ge=1)] | None = None
    order_id: UUID | None = None


class RepliedItem(Value, frozen=True):
    """What the household brings of one offer."""

    offer_id: UUID
    quantity_steps: Annotated[int, Meta(ge=0)]


class HouseholdReplied(Event, frozen=True):
    """A household answered its basket of this version.

    `answer` is `confirm` (all of it), `less` (as in `items`; what is not named there is confirmed) or `cannot`
    (nothing; `reason` is a code: `sold_out`, `damaged`, `cannot_come`, `other`). `channel` is by which way it came.
    """

    type: ClassVar[str] = "notify.household_replied.v1"

    household_id: UUID
    delivery_day: date
    version: Annotated[int, Meta(ge=1)]
    answer: str
    channel: str
    items: tuple[RepliedItem, ...] = ()
    reason: str | None = None
