"""What a household is told that it brings of one offer: the plan of the cut-off, and what has happened to it since."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from services.allocation.domain.asked import Raise
from services.allocation.domain.baskets import Item, Why


@dataclass(frozen=True, slots=True)
class ToldItem:
    """So much of one offer, to be brought to the collection point by the given time.

    `why` is the plan of the cut-off; None where nothing was asked then. `raises` say how much more was asked when
    others could not bring theirs, `is_lowered` that the household cannot bring more than this, and `confirmed_steps`
    what it has said that it brings.
    """

    offer_id: UUID
    product_id: UUID
    quantity_steps: int
    pledged_steps: int
    collection_point_id: UUID
    arrive_by_at: datetime
    why: Why | None
    step_grams: int | None = None  # the weight of a step; None: not known, and does not count
    confirmed_steps: int = 0
    raises: tuple[Raise, ...] = ()
    is_lowered: bool = False

    @property
    def grams(self) -> int:
        """The weight that counts."""
        return self.quantity_steps * (self.step_grams or 0)


@dataclass(frozen=True, slots=True)
class BasketVersion:
    """A basket as a household is told of it; `added` is what the cut-off has just added. No items: nothing to bring.

    `not_worthwhile`: because what it would have had to bring was not worth the way.
    """

    household_id: UUID
    delivery_day: date
    version: int
    items: tuple[ToldItem, ...]
    added: tuple[Item, ...] = ()
    not_worthwhile: bool = False


def as_planned(item: Item) -> ToldItem:
    """What is told at the cut-off."""
    return ToldItem(
        item.offer_id,
        item.product_id,
        item.quantity_steps,
        item.pledged_steps,
        item.collection_point_id,
        item.arrive_by_at,
        item.why,
        item.step_grams,
    )
