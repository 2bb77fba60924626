"""The things that catalog keeps, as plain values, and the two ways to say no."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Literal
from uuid import UUID
from zoneinfo import ZoneInfo

OfferState = Literal["open", "closed", "withdrawn"]
PromiseRule = Literal["first_come", "fair"]
Silence = Literal["yes", "re_offer"]
ShortfallRule = Literal["equal", "pro_rata"]

Fault = tuple[str, str]
"""A field by its path in the request, such as `offers[0].price_vnd`, and what is wrong with it."""


class Faulty(Exception):
    """What was asked cannot be right, whenever it is asked; `faults` names every wrong field."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(f"{field}: {fault}" for field, fault in faults))
        self.faults = tuple(faults)


class Refused(Exception):
    """What was asked does not fit the state of things; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class CollectionPoint:
    """Where households bring goods."""

    collection_point_id: UUID
    name: str


@dataclass(frozen=True, slots=True)
class Policies:
    """What a cooperative states in advance of how it shares out; allocation follows it.

    `buffer_permille` of the pledged supply is not promised, `fee_permille` of what is accepted is the cooperative's.
    Households answer their basket for `reply_minutes` after the cut-off, or after they were told of it if that is
    later, and are asked `reply_rounds` times, the first time included; `silence` is what no answer counts as. Income
    counts for `memory_days`; a delivery of less than `minimum_delivery_vnd` is not worth the way.
    """

    promise_rule: PromiseRule = "first_come"
    buffer_permille: int = 0
    memory_days: int = 30
    minimum_delivery_vnd: int = 0
    reply_minutes: int = 120
    silence: Silence = "yes"
    reply_rounds: int = 2
    shortfall_rule: ShortfallRule = "equal"
    fee_permille: int = 0


@dataclass(frozen=True, slots=True)
class Cooperative:
    """The tenant. `lane` is None while it lives on the shared lane of its hash."""

    cooperative_id: UUID
    slug: str
    name: str
    timezone: str
    lane: int | None
    collection_points: tuple[CollectionPoint, ...]
    policies: Policies = Policies()

    @property
    def zone(self) -> ZoneInfo:
        """The zone of its local days and times."""
        return ZoneInfo(self.timezone)


@dataclass(frozen=True, slots=True)
class Household:
    """A producing member of a cooperative. `crops` and `grades` that are empty mean all.

    `maximum_load_grams` is the most that it can bring at once; None: no limit is known.
    """

    household_id: UUID
    code: str
    name: str
    share_weight: int
    crops: tuple[str, ...] = ()
    grades: tuple[str, ...] = ()
    certificates: tuple[str, ...] = ()
    maximum_load_grams: int | None = None


@dataclass(frozen=True, slots=True)
class Product:
    """Crop, grade, unit and step. One step is `step_milliunits` thousandths of `unit` (500 of kg = 500 g).

    `step_grams` is its weight; None: no weight is known.
    """

    product_id: UUID
    code: str
    name: str
    crop: str
    grade: str
    unit: str
    step_milliunits: int
    ocop_stars: int | None
    certificates: tuple[str, ...]
    step_grams: int | None = None


@dataclass(frozen=True, slots=True)
class Pledge:
    """The most that one household offers toward one offer, in steps of the product."""

    household_id: UUID
    quantity_steps: int


@dataclass(frozen=True, slots=True)
class PledgeDraft:
    """A pledge as staff write it, by the household's code."""

    household_code: str
    quantity_steps: int


@dataclass(frozen=True, slots=True)
class OfferTerms:
    """All that an offer says. `price_vnd` is per unit, and whole per step."""

    product_id: UUID
    delivery_day: date
    price_vnd: int
    cut_off_at: datetime
    collection_point_id: UUID
    arrive_by_at: datetime
    pledges: tuple[Pledge, ...]


@dataclass(frozen=True, slots=True)
class Offer:
    """An offer that was published; it is live until it is withdrawn."""

    offer_id: UUID
    terms: OfferTerms
    withdrawn: bool = False

    def state(self, now: datetime) -> OfferState:
        """`open` while it can be changed and ordered, `closed` from its cut-off on, or `withdrawn`."""
        if self.withdrawn:
            return "withdrawn"
        return "open" if now < self.terms.cut_off_at else "closed"


@dataclass(frozen=True, slots=True)
class StandingOffer:
    """What is offered every day by itself: local times of the cooperative's zone, and standing pledges."""

    product_id: UUID
    price_vnd: int
    cut_off_time: time
    cut_off_days_before: int
    arrive_by_time: time
    collection_point_id: UUID
    pledges: tuple[Pledge, ...]


@dataclass(frozen=True, slots=True)
class Books:
    """What staff may refer to: their cooperative's zone, collection points, products and households by code."""

    zone: ZoneInfo
    collection_points: tuple[UUID, ...]
    products: Mapping[str, Product]
    households: Mapping[str, Household]
