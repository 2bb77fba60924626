"""What notices to a cooperative's staff and to the union say, as facts. Nothing in them names a household."""

from datetime import date, datetime

from msgspec import Struct

from services.notify.domain.facts import Goods


class SoldOutFacts(Struct, frozen=True):
    """Offers of one day of which nothing is left to be promised, by the names of their products."""

    cooperative: str
    timezone: str
    delivery_day: date
    products: tuple[str, ...]


class ShortOffer(Struct, frozen=True):
    """What was promised of one offer and does not come, and how many orders get less because of it."""

    goods: Goods
    missing_steps: int
    orders: int


class ShortfallFacts(Struct, frozen=True):
    """What does not come on one day although it was promised."""

    cooperative: str
    timezone: str
    delivery_day: date
    offers: tuple[ShortOffer, ...]


class CallListFacts(Struct, frozen=True):
    """How many households have to be called; the first of them must know before `first_by_at`."""

    cooperative: str
    timezone: str
    households: int
    first_by_at: datetime | None = None


class QuarantinedFacts(Struct, frozen=True):
    """Events of a cooperative that a service could not apply: all that comes after them waits."""

    cooperative: str
    timezone: str
    service: str
    events: int


class NotUnderstoodFacts(Struct, frozen=True):
    """A household wrote something that the system did not understand. What it wrote stands where staff read it."""

    cooperative: str
    timezone: str
    said_at: datetime


class CooperativeDay(Struct, frozen=True):
    """One cooperative's day in numbers. Of its orders some got all that was promised, and the others less."""

    cooperative: str
    orders: int
    whole_orders: int
    shorted_orders: int
    households_told: int
    households_to_call: int
    settled_vnd: int


class SummaryFacts(Struct, frozen=True):
    """What the union reads in the evening."""

    union: str
    timezone: str
    day: date
    cooperatives: tuple[CooperativeDay, ...]

    @property
    def total(self) -> CooperativeDay:
        """All cooperatives together, under the name of the union."""
        days = self.cooperatives
        return CooperativeDay(
            self.union,
            sum(one.orders for one in days),
            sum(one.whole_orders for one in days),
            sum(one.shorted_orders for one in days),
            sum(one.households_told for one in days),
            sum(one.households_to_call for one in days),
            sum(one.settled_vnd for one in days),
        )
