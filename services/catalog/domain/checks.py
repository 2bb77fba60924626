"""The checks that offers and standing offers share; each notes its faults and goes on, so that all are named.

`at` is where the thing stands in the request, such as `offers[0].`, and begins the names of faulty fields.
"""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from services.catalog.domain.eligibility import lacking
from services.catalog.domain.values import Books, Fault, Pledge, PledgeDraft, Product


def check_price(at: str, price_vnd: int, product: Product, faults: list[Fault]) -> None:
    """A step has a whole price, at least 1 VND: orders, shares and settlements are counted in steps."""
    per_step_milli_vnd = price_vnd * product.step_milliunits
    if price_vnd < 1:
        faults.append((f"{at}price_vnd", "must be at least 1 VND"))
    elif per_step_milli_vnd % 1000:
        faults.append(
            (
                f"{at}price_vnd",
                f"must make a whole price per step: {price_vnd} VND per {product.unit} is "
                f"{per_step_milli_vnd // 1000}.{per_step_milli_vnd % 1000:03} VND for a step of "
                f"{product.step_milliunits} thousandths of a {product.unit}",
            )
        )


def check_times(
    at: str, cut_off_at: datetime, arrive_by_at: datetime, delivery_day: date, zone: ZoneInfo, faults: list[Fault]
) -> None:
    """Intake ends before the goods must arrive, and they arrive on the delivery day, by the cooperative's clock."""
    if cut_off_at >= arrive_by_at:
        faults.append((f"{at}cut_off_at", "must lie before arrive_by_at"))
    local_day = arrive_by_at.astimezone(zone).date()
    if local_day != delivery_day:
        faults.append(
            (f"{at}arrive_by_at", f"must lie on the delivery day {delivery_day}; in {zone.key} it is {local_day}")
        )


def resolve_collection_point(at: str, given: UUID | None, books: Books, faults: list[Fault]) -> UUID | None:
    """The collection point that is meant: the given one, or the only one. None where a fault was noted."""
    if given in books.collection_points:
        return given
    if given is None and len(books.collection_points) == 1:
        return books.collection_points[0]
    fault = "is not a collection point of this cooperative" if given else "must name one of the collection points"
    faults.append((f"{at}collection_point_id", fault))
    return None


def resolve_pledges(
    at: str, drafts: Sequence[PledgeDraft], product: Product | None, books: Books, faults: list[Fault]
) -> tuple[Pledge, ...]:
    """The pledges in the order of household ids: known households that may pledge the product, each once.

    Without a product (it was named wrongly) all else is checked.
    """
    pledges: dict[str, Pledge] = {}
    for index, draft in enumerate(drafts):
        field = f"{at}pledges[{index}]"
        household = books.households.get(draft.household_code)
        if draft.household_code in pledges:
            faults.append((f"{field}.household_code", f"{draft.household_code} pledges twice"))
        elif household is None:
            faults.append((f"{field}.household_code", f"{draft.household_code} is no household of this cooperative"))
        else:
            pledges[draft.household_code] = Pledge(household.household_id, draft.quantity_steps)
            if product and (lacks := lacking(household, product)):
                faults.append((f"{field}.household_code", f"{draft.household_code} {' and '.join(lacks)}"))
        if draft.quantity_steps < 0:
            faults.append((f"{field}.quantity_steps", "must not be negative"))
    return tuple(sorted(pledges.values(), key=lambda pledge: pledge.household_id))
