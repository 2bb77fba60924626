"""What `catalog` publishes: cooperatives, households, products, offers, and the hashes of access keys.

`…_registered`, `…_listed` and `…_published` open something; `…_changed` carries its whole new state.
"""

from datetime import date
from typing import Annotated, ClassVar
from uuid import UUID

from msgspec import Meta

from services.contracts.base import AwareDatetime, Event, Value

Steps = Annotated[int, Meta(ge=0)]
Vnd = Annotated[int, Meta(ge=0)]


class CollectionPoint(Value, frozen=True):
    """Where households bring goods; the name is that of a public place."""

    collection_point_id: UUID
    name: str


class Policies(Value, frozen=True):
    """What a cooperative states in advance. Readers must accept codes that they do not know.

    `promise_rule` is `first_come` or `fair`: who is promised what there is. `buffer_permille` of the pledged supply
    is not promised. `memory_days`: how far back a household's income counts. `minimum_delivery_vnd`: the least
    worthwhile delivery of a household for a day. `reply_minutes` after the cut-off households may still answer
    their basket, and so long after they were told of it if that is later; `silence` is `yes` or `re_offer`: what no
    answer counts as; `reply_rounds`: how often households are asked for a day, the first time included.
    `shortfall_rule` is `equal` or `pro_rata`: how what is missing is shared among orders. `fee_permille`: the
    cooperative's part of what is accepted.
    """

    promise_rule: str = "first_come"
    buffer_permille: Annotated[int, Meta(ge=0, le=900)] = 0
    memory_days: Annotated[int, Meta(ge=1, le=366)] = 30
    minimum_delivery_vnd: Vnd = 0
    reply_minutes: Annotated[int, Meta(ge=1, le=1440)] = 120
    silence: str = "yes"
    reply_rounds: Annotated[int, Meta(ge=1, le=5)] = 2
    shortfall_rule: str = "equal"
    fee_permille: Annotated[int, Meta(ge=0, le=1000)] = 0


class CooperativeState(Value, frozen=True):
    """A cooperative as it stands. `lane` is null while it lives on the shared lane of its hash."""

    cooperative_id: UUID
    slug: str
    name: str
    timezone: str
    collection_points: tuple[CollectionPoint, ...]
    lane: Annotated[int, Meta(ge=0)] | None = None
    policies: Policies = Policies()


class CooperativeRegistered(CooperativeState, Event, frozen=True):
    """A cooperative joined."""

    type: ClassVar[str] = "catalog.cooperative_registered.v1"


class CooperativeChanged(CooperativeState, Event, frozen=True):
    """The cooperative's whole new state; a new `lane` moves its streams."""

    type: ClassVar[str] = "catalog.cooperative_changed.v1"


class HouseholdState(Value, frozen=True):
    """A household as it stands; `code` is the cooperative's own short reference.

    It pledges products of its `crops` and `grades` only (empty: of all), and certified ones only if it holds all of
    their certificates. `maximum_load_grams` is the most that it can bring at once; null: no limit is known.
    """

    household_id: UUID
    code: str
    share_weight: Annotated[int, Meta(ge=1)]
    crops: tuple[str, ...] = ()
    grades: tuple[str, ...] = ()
    certificates: tuple[str, ...] = ()
    maximum_load_grams: Annotated[int, Meta(ge=1)] | None = None


class HouseholdRegistered(HouseholdState, Event, frozen=True):
    """A producing household joined its cooperative."""

    type: ClassVar[str] = "catalog.household_registered.v1"


class HouseholdChanged(HouseholdState, Event, frozen=True):
    """The household's whole new state."""

    type: ClassVar[str] = "catalog.household_changed.v1"


class ProductListed(Event, frozen=True):
    """A product, or its new state. One step is `step_milliunits` thousandths of `unit` (500 of kg = 500 g).

    `step_grams` is the weight of one step; null where no weight is known, as in events from before this field.
    """

    type: ClassVar[str] = "catalog.product_listed.v1"

    product_id: UUID
    code: str
    name: str
    crop: str
    grade: str
    unit: str
    step_milliunits: Annotated[int, Meta(ge=1)]
    ocop_stars: Annotated[int, Meta(ge=3, le=5)] | None = None
    certificates: tuple[str, ...] = ()
    step_grams: Annotated[int, Meta(ge=1)] | None = None


class Pledge(Value, frozen=True):
    """The most that one household offers toward one offer, in steps of the product."""

    household_id: UUID
    quantity_steps: Steps


class OfferState(Value, frozen=True):
    """One product offered for one delivery day. `price_vnd` is per unit and whole per step."""

    offer_id: UUID
    product_id: UUID
    delivery_day: date
    price_vnd: Vnd
    cut_off_at: AwareDatetime
    collection_point_id: UUID
    arrive_by_at: AwareDatetime
    pledges: tuple[Pledge, ...]


class OfferPublished(OfferState, Event, frozen=True):
    """An offer takes orders from now on."""

    type: ClassVar[str] = "catalog.offer_published.v1"


class OfferChanged(OfferState, Event, frozen=True):
    """The offer's whole new state: price, cut-off, collection or pledges."""

    type: ClassVar[str] = "catalog.offer_changed.v1"


class OfferWithdrawn(Event, frozen=True):
    """The cooperative took the offer back; nothing more is sold of it."""

    type: ClassVar[str] = "catalog.offer_withdrawn.v1"

    offer_id: UUID


class AccessKeyIssued(Event, frozen=True):
    """A bearer key, by the SHA-256 of its secret.

    `role` is `staff` or `operator`; `scope` is a cooperative, or null for the whole union.
    """

    type: ClassVar[str] = "catalog.access_key_issued.v1"

    key_id: UUID
    secret_sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]
    role: str
    scope: UUID | None
    label: str


class AccessKeyRevoked(Event, frozen=True):
    """The key opens nothing any more, in any service."""

    type: ClassVar[str] = "catalog.access_key_revoked.v1"

    key_id: UUID
