"""Offers as they are written in requests and answers."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field, StrictBool

from services.catalog.domain.offers import OfferChange, OfferDraft
from services.catalog.domain.values import OfferState
from services.catalog.http.fields import Body, Code, Day, Moment, PledgeAnswer, Pledges, PriceVnd
from services.catalog.store.offers import ListedOffer


class OfferBody(Body):
    """One product for one delivery day."""

    product_code: Code
    delivery_day: Day
    price_vnd: PriceVnd
    cut_off_at: Annotated[Moment, Field(description="When intake ends; in the future, before arrive_by_at.")]
    collection_point_id: Annotated[UUID | None, Field(description="Null: the cooperative's only collection point.")] = (
        None
    )
    arrive_by_at: Annotated[Moment, Field(description="On the delivery day, by the cooperative's clock.")]
    pledges: Pledges
    repeats_daily: Annotated[
        StrictBool, Field(description="Also make this the product's standing offer, with standing pledges.")
    ] = False

    def draft(self) -> OfferDraft:
        """For the domain."""
        return OfferDraft(
            self.product_code,
            self.delivery_day,
            self.price_vnd,
            self.cut_off_at,
            self.collection_point_id,
            self.arrive_by_at,
            [pledge.draft() for pledge in self.pledges],
            self.repeats_daily,
        )


class OffersBody(Body):
    """Offers that are published together or not at all."""

    offers: Annotated[list[OfferBody], Field(min_length=1, max_length=200)]


class OfferChangeBody(Body):
    """What shall be different; what is absent or null stays. `pledges` is the whole new list."""

    price_vnd: PriceVnd | None = None
    cut_off_at: Annotated[
        Moment | None, Field(description="Not before now; a moment from now closes intake early.")
    ] = None
    arrive_by_at: Moment | None = None
    pledges: Pledges | None = None

    def change(self) -> OfferChange:
        """For the domain."""
        pledges = None if self.pledges is None else [pledge.draft() for pledge in self.pledges]
        return OfferChange(self.price_vnd, self.cut_off_at, self.arrive_by_at, pledges)


class PublishedAnswer(BaseModel):
    """One offer that was published."""

    offer_id: UUID
    product_code: str
    delivery_day: date


class PublishedOffersAnswer(BaseModel):
    """The published offers, in the order of the request."""

    offers: list[PublishedAnswer]


class OfferAnswer(BaseModel):
    """An offer as it stands."""

    offer_id: UUID
    product_id: UUID
    product_code: str
    delivery_day: date
    price_vnd: int
    cut_off_at: datetime
    collection_point_id: UUID
    arrive_by_at: datetime
    state: Annotated[OfferState, Field(description="Closed from the cut-off on.")]
    pledges: list[PledgeAnswer]
    supply_steps: Annotated[
        int | None, Field(description="What is pledged, in the books of allocation; null at first.")
    ]
    available_steps: Annotated[int | None, Field(description="What can still be promised; null at first.")]

    @classmethod
    def of(cls, listed: ListedOffer, now: datetime) -> "OfferAnswer":
        """As stored, with its state at `now`."""
        terms = listed.offer.terms
        return cls(
            offer_id=listed.offer.offer_id,
            product_id=terms.product_id,
            product_code=listed.product_code,
            delivery_day=terms.delivery_day,
            price_vnd=terms.price_vnd,
            cut_off_at=terms.cut_off_at,
            collection_point_id=terms.collection_point_id,
            arrive_by_at=terms.arrive_by_at,
            state=listed.offer.state(now),
            pledges=PledgeAnswer.of_all(terms.pledges, listed.household_codes),
            supply_steps=listed.supply_steps,
            available_steps=listed.available_steps,
        )


class OffersAnswer(BaseModel):
    """The offers of one delivery day, by product code."""

    offers: list[OfferAnswer]
