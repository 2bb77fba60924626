"""The ids of what staff name: the same name has the same id for ever (UUID version 5, RFC 9562).

A catalog that was set back to a backup has forgotten what was entered since, and the other services have not. Entered
again, or renewed by itself, it is to them what it was, and no second household, product or offer beside the first.
Slugs and codes never change; an offer is the first, second, … of its product for its day.
"""

from datetime import date
from uuid import UUID, uuid5

_COOPERATIVES = UUID("6f1d3c2e-9a0b-4c57-8d14-52c07bb0a9e1")
"""The namespace of slugs; any constant of our own."""


def cooperative_id(slug: str) -> UUID:
    """Of the cooperative with this slug."""
    return uuid5(_COOPERATIVES, slug)


def household_id(cooperative_id: UUID, code: str) -> UUID:
    """Of the cooperative's household with this code."""
    return uuid5(cooperative_id, f"household {code}")


def product_id(cooperative_id: UUID, code: str) -> UUID:
    """Of the cooperative's product with this code."""
    return uuid5(cooperative_id, f"product {code}")


def offer_id(product_id: UUID, delivery_day: date, before: int) -> UUID:
    """Of the product's offer for the day, `before` which there were so many, withdrawn by now."""
    return uuid5(product_id, f"offer {delivery_day} {before}")
