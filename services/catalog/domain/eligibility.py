"""Which household may pledge which product.

The one rule: its crops and its grades contain the product's (or name none, which means all), and it holds every
certificate of the product. Certificates have to be registered: one that nobody registered is not held.
"""

from collections.abc import Iterable, Mapping
from uuid import UUID

from services.catalog.domain.values import Household, Pledge, Product


def lacking(household: Household, product: Product) -> list[str]:
    """What keeps the household from pledging the product, such as `does not hold VietGAP`; nothing if it may."""
    lacks = []
    if household.crops and product.crop not in household.crops:
        lacks.append(f"does not grow {product.crop}")
    if household.grades and product.grade not in household.grades:
        lacks.append(f"does not bring grade {product.grade}")
    missing = [certificate for certificate in product.certificates if certificate not in household.certificates]
    if missing:
        lacks.append(f"does not hold {', '.join(missing)}")
    return lacks


def allowed_pledges(
    pledges: Iterable[Pledge], product: Product, households: Mapping[UUID, Household]
) -> tuple[Pledge, ...]:
    """Those of the pledges whose households may pledge the product."""
    return tuple(pledge for pledge in pledges if not lacking(households[pledge.household_id], product))
