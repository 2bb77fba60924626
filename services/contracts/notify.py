"""What `notify` publishes: who has really been told, and who could not be."""

from datetime import date
from typing import Annotated, ClassVar
from uuid import UUID

from msgspec import Meta

from services.contracts.base import AwareDatetime, Event


class NoticeDelivered(Event, frozen=True):
    """The channel's receipt for a notice: SMTP acceptance, webhook 2xx.

    `kind` is `basket`, `order_promised` or `order_shorted`. A basket notice names the household, the delivery
    day and the basket's version; a partner notice names the order.
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
