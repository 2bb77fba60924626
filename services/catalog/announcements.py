"""What catalog says about its state: one function per event, from the values that were saved."""

from uuid import UUID

from services.catalog.domain.values import Cooperative, Household, Offer, Product
from services.contracts import catalog as contract


def cooperative_registered(cooperative: Cooperative) -> contract.CooperativeRegistered:
    """A cooperative joined."""
    return contract.CooperativeRegistered(
        cooperative_id=cooperative.cooperative_id,
        slug=cooperative.slug,
        name=cooperative.name,
        timezone=cooperative.timezone,
        lane=cooperative.lane,
        collection_points=_collection_points(cooperative),
    )


def cooperative_changed(cooperative: Cooperative) -> contract.CooperativeChanged:
    """The cooperative's whole new state."""
    return contract.CooperativeChanged(
        cooperative_id=cooperative.cooperative_id,
        slug=cooperative.slug,
        name=cooperative.name,
        timezone=cooperative.timezone,
        lane=cooperative.lane,
        collection_points=_collection_points(cooperative),
    )


def _collection_points(cooperative: Cooperative) -> tuple[contract.CollectionPoint, ...]:
    return tuple(
        contract.CollectionPoint(collection_point_id=point.collection_point_id, name=point.name)
        for point in cooperative.collection_points
    )


def household_registered(household: Household) -> contract.HouseholdRegistered:
    """A household joined; its name stays here."""
    return contract.HouseholdRegistered(
        household_id=household.household_id, code=household.code, share_weight=household.share_weight
    )


def household_changed(household: Household) -> contract.HouseholdChanged:
    """The household's whole new state; its name stays here."""
    return contract.HouseholdChanged(
        household_id=household.household_id, code=household.code, share_weight=household.share_weight
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
    )


def offer_published(offer: Offer) -> contract.OfferPublished:
    """An offer is open."""
    terms = offer.terms
    return contract.OfferPublished(
        offer_id=offer.offer_id,
        product_id=terms.product_id,
        delivery_day=terms.delivery_day,
        price_vnd=terms.price_vnd,
        cut_off_at=terms.cut_off_at,
        collection_point_id=terms.collection_point_id,
        arrive_by_at=terms.arrive_by_at,
        pledges=_pledges(offer),
    )


def offer_changed(offer: Offer) -> contract.OfferChanged:
    """The offer's whole new state."""
    terms = offer.terms
    return contract.OfferChanged(
        offer_id=offer.offer_id,
        product_id=terms.product_id,
        delivery_day=terms.delivery_day,
        price_vnd=terms.price_vnd,
        cut_off_at=terms.cut_off_at,
        collection_point_id=terms.collection_point_id,
        arrive_by_at=terms.arrive_by_at,
        pledges=_pledges(offer),
    )


def _pledges(offer: Offer) -> tuple[contract.Pledge, ...]:
    return tuple(
        contract.Pledge(household_id=pledge.household_id, quantity_steps=pledge.quantity_steps)
        for pledge in offer.terms.pledges
    )


def offer_withdrawn(offer_id: UUID) -> contract.OfferWithdrawn:
    """Nothing more is sold of the offer."""
    return contract.OfferWithdrawn(offer_id=offer_id)
