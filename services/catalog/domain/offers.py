"""Offers: what may be published, changed and withdrawn, and until when.

A day's offers are published together or not at all, so they are checked together: every fault of every offer is
named at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from uuid import UUID

from services.catalog.domain.checks import check_price, check_times, resolve_collection_point, resolve_pledges
from services.catalog.domain.standing import repeat_daily
from services.catalog.domain.values import (
    Books,
    Fault,
    Faulty,
    Offer,
    OfferTerms,
    PledgeDraft,
    Product,
    Refused,
    StandingOffer,
)


@dataclass(frozen=True, slots=True)
class OfferDraft:
    """An offer as staff write it; without a collection point the cooperative's only one is meant."""

    product_code: str
    delivery_day: date
    price_vnd: int
    cut_off_at: datetime
    collection_point_id: UUID | None
    arrive_by_at: datetime
    pledges: Sequence[PledgeDraft]
    repeats_daily: bool = False


@dataclass(frozen=True, slots=True)
class OfferChange:
    """What staff want to be different; None leaves a term as it is. `pledges` replace all pledges."""

    price_vnd: int | None = None
    cut_off_at: datetime | None = None
    arrive_by_at: datetime | None = None
    pledges: Sequence[PledgeDraft] | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What a request publishes, in its order, and what shall repeat daily from now on."""

    offers: tuple[OfferTerms, ...]
    standing: tuple[StandingOffer, ...]


def plan_offers(drafts: Sequence[OfferDraft], books: Books, now: datetime) -> Plan:
    """The offers and standing offers that staff ask for. Raises Faulty."""
    faults: list[Fault] = []
    offers: dict[tuple[UUID, date], OfferTerms] = {}
    standing: dict[UUID, StandingOffer] = {}
    for index, draft in enumerate(drafts):
        at = f"offers[{index}]."
        terms = _resolve(at, draft, books, now, faults)
        if terms is None:
            continue
        if (terms.product_id, terms.delivery_day) in offers:
            faults.append((f"{at}product_code", f"{draft.product_code} is offered twice for {draft.delivery_day}"))
        offers[terms.product_id, terms.delivery_day] = terms
        if draft.repeats_daily:
            if terms.product_id in standing:
                faults.append((f"{at}repeats_daily", f"{draft.product_code} can repeat daily in one way only"))
            standing[terms.product_id] = repeat_daily(at, terms, books.zone, faults)
    if faults:
        raise Faulty(faults)
    return Plan(tuple(offers.values()), tuple(standing.values()))


def _resolve(at: str, draft: OfferDraft, books: Books, now: datetime, faults: list[Fault]) -> OfferTerms | None:
    product = books.products.get(draft.product_code)
    if product is None:
        faults.append((f"{at}product_code", f"{draft.product_code} is no product of this cooperative"))
    else:
        check_price(at, draft.price_vnd, product, faults)
    if draft.cut_off_at <= now:
        faults.append((f"{at}cut_off_at", "must lie in the future"))
    check_times(at, draft.cut_off_at, draft.arrive_by_at, draft.delivery_day, books.zone, faults)
    point = resolve_collection_point(at, draft.collection_point_id, books, faults)
    pledges = resolve_pledges(at, draft.pledges, product, books, faults)
    if product is None or point is None:
        return None
    return OfferTerms(
        product.product_id,
        draft.delivery_day,
        draft.price_vnd,
        draft.cut_off_at,
        point,
        draft.arrive_by_at,
        pledges,
    )


def change_offer(offer: Offer, change: OfferChange, product: Product, books: Books, now: datetime) -> OfferTerms:
    """The offer's new terms. Raises Refused once it is closed or withdrawn, Faulty for what can never be.

    The cut-off may be moved to `now`, which is how staff close early, but not behind it: orders were taken since.
    """
    _must_be_open(offer, now)
    faults: list[Fault] = []
    terms = offer.terms
    if change.price_vnd is not None:
        check_price("", change.price_vnd, product, faults)
        terms = replace(terms, price_vnd=change.price_vnd)
    if change.cut_off_at is not None:
        if change.cut_off_at < now:
            faults.append(("cut_off_at", "must not lie in the past"))
        terms = replace(terms, cut_off_at=change.cut_off_at)
    if change.arrive_by_at is not None:
        terms = replace(terms, arrive_by_at=change.arrive_by_at)
    check_times("", terms.cut_off_at, terms.arrive_by_at, terms.delivery_day, books.zone, faults)
    if change.pledges is not None:
        terms = replace(terms, pledges=resolve_pledges("", change.pledges, product, books, faults))
    if faults:
        raise Faulty(faults)
    return terms


def withdraw_offer(offer: Offer, now: datetime) -> bool:
    """Whether the offer is to be taken back now; False if it was before. Raises Refused after its cut-off."""
    if offer.withdrawn:
        return False
    _must_be_open(offer, now)
    return True


def _must_be_open(offer: Offer, now: datetime) -> None:
    state = offer.state(now)
    if state == "withdrawn":
        raise Refused("The offer was withdrawn; publish a new one.")
    if state == "closed":
        raise Refused("The cut-off of the offer has passed: what is promised of it stands.")
