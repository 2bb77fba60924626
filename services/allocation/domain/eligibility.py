"""Which household may bring which product: by crop, grade and certificate.

A pledge of a household that may not bring the product counts as zero, both when supply is counted and when baskets
are made.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Eligibility:
    """What a household is registered for. Without crops or grades it may bring all of them; certificates it must hold.

    So a household of which nothing is registered may bring whatever demands no certificate.
    """

    crops: frozenset[str] = frozenset()
    grades: frozenset[str] = frozenset()
    certificates: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Demand:
    """What a product demands of those who bring it: its crop, its grade, and every one of its certificates."""

    crop: str
    grade: str
    certificates: frozenset[str] = frozenset()


def eligible(household: Eligibility, product: Demand) -> bool:
    """Whether the household may bring the product. Words are compared as they are written."""
    return (
        (not household.crops or product.crop in household.crops)
        and (not household.grades or product.grade in household.grades)
        and product.certificates <= household.certificates
    )


def eligible_pledges(
    pledges: Iterable[tuple[UUID, int]], product: Demand, households: Mapping[UUID, Eligibility]
) -> tuple[tuple[UUID, int], ...]:
    """The pledges (household_id, quantity_steps) of an offer that count, in their order.

    A household absent from `households` is one of which nothing is registered.
    """
    unknown = Eligibility()
    return tuple(
        (household_id, steps)
        for household_id, steps in pledges
        if eligible(households.get(household_id, unknown), product)
    )
