"""The cooperatives and households of the run, and how each is reached; made from a seed, without any service."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

from services.contracts.allocation import BasketAssigned, BasketChanged, BasketItem
from services.contracts.base import Event
from services.contracts.catalog import CollectionPoint, CooperativeRegistered, HouseholdRegistered, ProductListed

ZONE = "Asia/Ho_Chi_Minh"
PRODUCT = "Cải mèo"
WITHOUT_CONTACT = 0.03
"""The part of households of which nobody knows how to reach them."""
CHANGED, CHANGED_AGAIN = 0.3, 0.1
"""The parts of households whose basket changes once, and once more."""


@dataclass(frozen=True)
class Household:
    """One household; `number` makes its addresses. Without `reachable` it has none."""

    household_id: UUID
    code: str
    number: int
    reachable: bool

    @property
    def phone(self) -> str:
        """E.164."""
        return f"+8498{self.number:07d}"

    @property
    def email(self) -> str:
        """Of its mailbox."""
        return f"ho{self.number}@bancon.example"

    @property
    def contact(self) -> dict[str, Any]:
        """As staff write it down: Zalo first, then SMS, then mail."""
        consent = {"purposes": ["work"], "source": "signed form"}
        ways = (("zalo", self.phone), ("sms", self.phone), ("email", self.email))
        addresses = [{"channel": name, "address": address, "consent": consent} for name, address in ways]
        return {"display_name": f"Hộ {self.code}", "language": "vi", "addresses": addresses}


@dataclass(frozen=True)
class Cooperative:
    """One cooperative with its households."""

    cooperative_id: UUID
    slug: str
    point: UUID
    product: UUID
    offer: UUID
    households: tuple[Household, ...]

    def opening(self) -> list[Event]:
        """What catalog says of it."""
        points = (CollectionPoint(collection_point_id=self.point, name="Nhà văn hóa bản Hua Tạt"),)
        return [
            CooperativeRegistered(
                cooperative_id=self.cooperative_id, slug=self.slug, name=f"Hợp tác xã {self.slug}", timezone=ZONE,
                collection_points=points,
            ),
            ProductListed(
                product_id=self.product, code="cai-meo", name=PRODUCT, crop=PRODUCT, grade="1", unit="kg",
                step_milliunits=1000,
            ),
            *(HouseholdRegistered(household_id=h.household_id, code=h.code, share_weight=1) for h in self.households),
        ]  # fmt: skip

    def basket(self, household: Household, version: int, day: "Day") -> Event:
        """What allocation says: as many kilograms as the version counts, so that a text shows which change it tells."""
        item = BasketItem(
            offer_id=self.offer, product_id=self.product, quantity_steps=version, pledged_steps=99,
            collection_point_id=self.point, arrive_by_at=day.arrive_by_at,
        )  # fmt: skip
        kind = BasketAssigned if version == 1 else BasketChanged
        return kind(
            household_id=household.household_id,
            delivery_day=day.arrive_by_at.date(),
            version=version,
            items=(item,),
            reply_by_at=day.arrive_by_at - timedelta(hours=6),
        )


@dataclass(frozen=True)
class Day:
    """When the goods must be there."""

    arrive_by_at: datetime


def tomorrow() -> Day:
    """A delivery day whose truck leaves in a day."""
    return Day((datetime.now(UTC) + timedelta(days=1)).replace(microsecond=0))


def make(cooperatives: int, households: int, rng: random.Random) -> list[Cooperative]:
    """So many, with so many households each; at least one household of all has no contact."""
    numbers = count(1)

    def members(slug: str) -> Iterator[Household]:
        for place in range(1, households + 1):
            number = next(numbers)
            reachable = number > 1 and rng.random() >= WITHOUT_CONTACT
            yield Household(_uuid(rng), f"{slug}-{place:02d}", number, reachable)

    def one(slug: str) -> Cooperative:
        return Cooperative(_uuid(rng), slug, _uuid(rng), _uuid(rng), _uuid(rng), tuple(members(slug)))

    return [one(f"ban-{number:02d}") for number in range(1, cooperatives + 1)]


def _uuid(rng: random.Random) -> UUID:
    return UUID(int=rng.getrandbits(128), version=4)
