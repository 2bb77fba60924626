"""What an offer says, as far as sharing needs it, and what one step of it is worth."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class OfferTerms:
    """One offer of one cooperative. Its cut-off is no part of it: that comes as an event."""

    offer_id: UUID
    cooperative_id: UUID
    product_id: UUID
    delivery_day: date
    price_vnd: int
    step_value_vnd: int
    collection_point_id: UUID
    arrive_by_at: datetime
    pledges: tuple[tuple[UUID, int], ...]  # (household_id, quantity_steps)
    step_grams: int | None = None  # the weight of a step; None: not known


def step_value_vnd(price_vnd: int, step_milliunits: int) -> int:
    """What one step is worth at this price per unit; whole, as catalog publishes no other price.

    Raises ValueError where it is not.
    """
    value_vnd, rest = divmod(price_vnd * step_milliunits, 1000)
    if rest:
        raise ValueError(f"{price_vnd} VND per unit is not whole per step of {step_milliunits} thousandths")
    return value_vnd
