"""What catalog says about its state: one function per event, from the values that were saved."""

from dataclasses import asdict
from typing import TypeVar
from uuid import UUID

from services.catalog.domain.values import Cooperative, Household, Offer, Product
from services.contracts import catalog as contract

AboutCooperative = TypeVar("AboutCooperative", contract.CooperativeRegistered, contract.CooperativeChanged)
AboutHousehold = TypeVar("AboutHousehold", contract.HouseholdRegistered, contract.HouseholdChanged)
AboutOffer = TypeVar("AboutOffer", contract.OfferPublished, contract.OfferChanged)


def cooperative_registered(cooperative: Cooperative) -> contract.CooperativeRegistered:
    """A cooperative joined."""
    return _cooperative(contract.CooperativeRegistered, cooperative)


def cooperative_changed(cooperative: Cooperative) -> contract.CooperativeChanged:
    """The cooperative's whole new state."""
    return _cooperative(contract.CooperativeChanged, cooperative)


def _cooperative(kind: type[AboutCooperative], cooperative: Cooperative) -> AboutCooperative:
    return kind(
        cooperative_id=cooperative.cooperative_id,
        slug=cooperative.slug,
        name=cooperative.name,
        timezone=cooperative.timezone,
        lane=cooperative.lane,
        collection_points=tuple(
            contract.CollectionPoint(collection_point_id=point.collection_point_id, name=point.name)
            for point in cooperative.collection_points
        ),
        policies=contract.Policies(**asdict(cooperative.policies)),
    )


def household_registered(household: Household) -> contract.HouseholdRegistered:
    """A household joined; its name stays here."""
    return _household(contract.HouseholdRegistered, household)


def household_changed(household: Household) -> contract.HouseholdChanged:
    """The household's whole new state; its name stays here."""
    return _household(contract.HouseholdChanged, household)


def _household(kind: type[AboutHousehold], household: Household) -> AboutHousehold:
    return kind(
        household_id=household.household_id,
        code=household.code,
        share_weight=household.share_weight,
        crops=household.crops,
        grades=household.grades,
        certificates=household.certificates,
        maximum_load_grams=household.maximum_load_grams,
    )


def product_listed(product: Product) -> contract.ProductListed:
    """A product can be offered from now on."""
    return contract.ProductListed(
        product_id=product.product_id,
        code=product.code,
        name=product.name,
        crop=product.crop,
        grade=product.grade,
        unit=product.unit,
        step_milliunits=product.step_milliunits,
        ocop_stars=product.ocop_stars,
        certificates=product.certificates,
        step_grams=product.step_grams,
    )


def offer_published(offer: Offer) -> contract.OfferPublished:
    """An offer is open."""
    return _offer(contract.OfferPublished, offer)


def offer_changed(offer: Offer) -> contract.OfferChanged:
    """The offer's whole new state."""
    return _offer(contract.OfferChanged, offer)


def _offer(kind: type[AboutOffer], offer: Offer) -> AboutOffer:
    terms = offer.terms
    return kind(
        offer_id=offer.offer_id,
        product_id=terms.product_id,
        delivery_day=terms.delivery_day,
        price_vnd=terms.price_vnd,
        cut_off_at=terms.cut_off_at,
        collection_point_id=terms.collection_point_id,
        arrive_by_at=terms.arrive_by_at,
        pledges=tuple(
            contract.Pledge(household_id=pledge.household_id, quantity_steps=pledge.quantity_steps)
            for pledge in terms.pledges
        ),
    )


def offer_withdrawn(offer_id: UUID) -> contract.OfferWithdrawn:
    """Nothing more is sold of the offer."""
    return contract.OfferWithdrawn(offer_id=offer_id)
