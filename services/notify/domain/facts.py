"""What a notice or a message says, as facts and not as text: complete, so that wording it later needs nothing else.

Names, units and zones are those of the moment in which the books changed.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from uuid import UUID

from msgspec import Struct


class Goods(Struct, frozen=True):
    """A product as one names and measures it: a step is `step_milliunits` thousandths of `unit`."""

    name: str
    unit: str
    step_milliunits: int


class BasketItem(Struct, frozen=True):
    """What to bring, where and by when, and why so much; `confirmed_steps` of it are settled with the household.

    Facts from before households could answer name no offer.
    """

    product_id: UUID
    goods: Goods
    quantity_steps: int
    collection_point: str
    arrive_by_at: datetime
    offer_id: UUID | None = None
    confirmed_steps: int = 0
    why_vi: str = ""
    why_en: str = ""


class BasketFacts(Struct, frozen=True):
    """One household's basket; without items there is nothing to bring this time.

    `reply_by_at` is until when it may answer; None: nothing is asked of it. Told late, it has `reply_minutes` from then
    on. `empty_reason` is the code of why there is nothing to bring, where there is more to say.
    """

    cooperative: str
    timezone: str
    delivery_day: date
    items: tuple[BasketItem, ...]
    reply_by_at: datetime | None = None
    empty_reason: str | None = None
    reply_minutes: int | None = None

    def answerable_until(self, told_at: datetime | None) -> datetime | None:
        """Until when the household may answer that was told then (None: not yet), as `allocation` counts it."""
        if self.reply_by_at is None or self.reply_minutes is None or told_at is None:
            return self.reply_by_at
        in_time = told_at + timedelta(minutes=self.reply_minutes)
        arrive_by_at = min((item.arrive_by_at for item in self.items), default=in_time)
        return max(self.reply_by_at, min(in_time, arrive_by_at))


class PromisedLine(Struct, frozen=True):
    """One line as the books of `allocation` have it; `shorted` is the part of promised that was taken back."""

    line_no: int
    sku: str
    goods: Goods
    ordered_steps: int
    promised_steps: int
    short_steps: int
    cancelled_steps: int
    shorted_steps: int
    reason: str | None


class RefusedLine(Struct, frozen=True):
    """A line that reserves nothing, and why."""

    line_no: int
    sku: str
    reason: str


class PromiseFacts(Struct, frozen=True):
    """The whole promise of an order; a greater `sequence` is the newer word about it."""

    order_id: UUID
    partner_ref: str
    sequence: int
    lines: tuple[PromisedLine, ...]
    refused_lines: tuple[RefusedLine, ...]


class ShortedLine(Struct, frozen=True):
    """A promise that was reduced."""

    line_no: int
    sku: str
    goods: Goods
    before_steps: int
    after_steps: int
    reason: str


class ShortageFacts(Struct, frozen=True):
    """What will not come of an order, although it was promised."""

    order_id: UUID
    partner_ref: str
    sequence: int
    lines: tuple[ShortedLine, ...]


class DeliveredLine(Struct, frozen=True):
    """What of a line left with the truck; 0 where it was promised and did not come."""

    line_no: int
    sku: str
    goods: Goods
    delivered_steps: int


class DeliveryFacts(Struct, frozen=True):
    """What was delivered of an order on one day."""

    order_id: UUID
    partner_ref: str
    sequence: int
    delivery_day: date
    lines: tuple[DeliveredLine, ...]


class CancellationFacts(Struct, frozen=True):
    """Nothing is left of an order."""

    order_id: UUID
    partner_ref: str


class EndpointFacts(Struct, frozen=True):
    """An endpoint to which nothing is sent any more. Of its address only the host: the rest may hold a secret."""

    cooperative: str
    timezone: str
    partner_id: UUID
    host: str
    reason: str
    last_failure: str
    failures: int
    failing_since: datetime
    disabled_at: datetime


class ConfirmedFacts(Struct, frozen=True):
    """What is settled with a household: `by` is `reply`, `silence` or `staff`; without items it brings nothing."""

    cooperative: str
    timezone: str
    delivery_day: date
    by: str
    items: tuple[BasketItem, ...]


class ReminderFacts(Struct, frozen=True):
    """What a household is about to bring."""

    cooperative: str
    timezone: str
    delivery_day: date
    items: tuple[BasketItem, ...]


class ArrivedLine(Struct, frozen=True):
    """What was weighed in of one product; `reason` is the staff's own words on what was rejected."""

    goods: Goods
    lot: str
    accepted_steps: int
    rejected_steps: int = 0
    reason: str | None = None


class ArrivalFacts(Struct, frozen=True):
    """What was received from a household at the collection point."""

    cooperative: str
    timezone: str
    delivery_day: date
    lines: tuple[ArrivedLine, ...]


class SettledDay(Struct, frozen=True):
    """What a household is owed for one day; net = gross - fee."""

    delivery_day: date
    gross_vnd: int
    fee_vnd: int
    net_vnd: int


class DaySettlementFacts(Struct, frozen=True):
    """One household and one day."""

    cooperative: str
    timezone: str
    settled: SettledDay


class MonthSettlementFacts(Struct, frozen=True):
    """One household and one month, of which `month` is the first day. The sums are those of the days."""

    cooperative: str
    timezone: str
    month: date
    days: tuple[SettledDay, ...]

    @property
    def day_count(self) -> int:
        """How many days there are; one that was corrected stands here more than once."""
        return len({day.delivery_day for day in self.days})

    @property
    def gross_vnd(self) -> int:
        """Of all days."""
        return sum(day.gross_vnd for day in self.days)

    @property
    def fee_vnd(self) -> int:
        """Of all days."""
        return sum(day.fee_vnd for day in self.days)

    @property
    def net_vnd(self) -> int:
        """Of all days."""
        return sum(day.net_vnd for day in self.days)


PartnerFacts = PromiseFacts | ShortageFacts | DeliveryFacts | CancellationFacts


class Load(Struct, frozen=True):
    """All of one product that goes to one collection point: one item for each offer."""

    goods: Goods
    items: tuple[BasketItem, ...]

    @property
    def quantity_steps(self) -> int:
        """Of all items together."""
        return sum(item.quantity_steps for item in self.items)


class Stop(Struct, frozen=True):
    """One collection point, by when to be there, and what to bring."""

    collection_point: str
    arrive_by_at: datetime
    loads: tuple[Load, ...]


def stops(items: Iterable[BasketItem]) -> list[Stop]:
    """The items by place and time, earliest first; a product that stands in two offers is one load."""
    found: defaultdict[tuple[datetime, str], defaultdict[tuple[UUID, Goods], list[BasketItem]]]
    found = defaultdict(lambda: defaultdict(list))
    for item in items:
        found[item.arrive_by_at, item.collection_point][item.product_id, item.goods].append(item)
    return [
        Stop(
            place,
            arrive_by_at,
            tuple(
                Load(goods, tuple(own))
                for (product_id, goods), own in sorted(
                    loads.items(), key=lambda entry: (entry[0][1].name, entry[0][0], entry[0][1].step_milliunits)
                )
            ),
        )
        for (arrive_by_at, place), loads in sorted(found.items())
    ]
