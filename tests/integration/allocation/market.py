"""The streams of a small market as allocation receives them: two cooperatives, three households and two products each.

Ids follow from numbers, so that the same day can be played twice.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from msgspec.structs import replace

from services.chassis.inbox import Received
from services.contracts.base import Event
from services.contracts.catalog import (
    CollectionPoint,
    CooperativeRegistered,
    HouseholdRegistered,
    OfferChanged,
    OfferPublished,
    OfferWithdrawn,
    Pledge,
    Policies,
    ProductListed,
)
from services.contracts.notify import HouseholdReplied, NoticeDelivered, NoticeUndeliverable, RepliedItem
from services.contracts.orders import IntakeClosed, OrderCancelled, OrderChanged, OrderLine, OrderPlaced

DAY = date(2025, 11, 20)
NOON = datetime(2025, 11, 19, 5, 0, tzinfo=UTC)
CAI_MEO, SU_SU = "cai-meo", "su-su"
PRICES_VND = {CAI_MEO: 30_000, SU_SU: 8_000}  # per kg and per bunch
STEP_VALUES_VND = {CAI_MEO: 15_000, SU_SU: 8_000}
PARTNER = UUID(int=77)


class Stream:
    """One cooperative. Each method returns an event as received, with a trace of its own."""

    def __init__(self, number: int = 1, households: int = 3) -> None:
        self.cooperative_id = UUID(int=number << 64)
        self.households = [self.id_of(100 + n) for n in range(households)]
        self.products = {CAI_MEO: self.id_of(200), SU_SU: self.id_of(201)}
        self.collection_point_id = self.id_of(300)
        self._sequences: dict[str, int] = {}

    def id_of(self, number: int) -> UUID:
        """An id that no other cooperative has."""
        return UUID(int=self.cooperative_id.int + number)

    def received(self, event: Event) -> Received[Any]:
        """The next event of its producer in this stream."""
        producer = event.type.partition(".")[0]
        sequence = self._sequences[producer] = self._sequences.get(producer, 0) + 1
        span = sum(self._sequences.values())
        traceparent = f"00-{self.cooperative_id.hex[:16]}{span:016x}-{span:016x}-01"
        return Received(self.cooperative_id, sequence, UUID(int=span), NOON, traceparent, event)

    def registered(self, weights: Sequence[int] = (1, 1, 1), **policies: Any) -> list[Received[Any]]:
        """The cooperative with all its members and products."""
        point = CollectionPoint(collection_point_id=self.collection_point_id, name="Chợ phiên Vân Hồ")
        cooperative = CooperativeRegistered(
            cooperative_id=self.cooperative_id,
            slug="van-ho",
            name="HTX Rau hữu cơ Vân Hồ",
            timezone="Asia/Ho_Chi_Minh",
            collection_points=(point,),
            policies=Policies(**policies),
        )
        households = [
            HouseholdRegistered(household_id=household, code=f"VH-{n + 1:02}", share_weight=weights[n % len(weights)])
            for n, household in enumerate(self.households)
        ]
        products = [
            ProductListed(
                product_id=product_id,
                code=code,
                name=code,
                crop=code,
                grade="A",
                unit="kg" if code == CAI_MEO else "bó",
                step_milliunits=500 if code == CAI_MEO else 1000,
            )
            for code, product_id in self.products.items()
        ]
        return [self.received(event) for event in (cooperative, *households, *products)]

    def _offer(self, number: int, code: str, pledges: Mapping[int, int], day: date) -> dict[str, Any]:
        return {
            "offer_id": self.id_of(number),
            "product_id": self.products[code],
            "delivery_day": day,
            "price_vnd": PRICES_VND[code],
            "cut_off_at": NOON,
            "collection_point_id": self.collection_point_id,
            "arrive_by_at": datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=2),
            "pledges": tuple(
                Pledge(household_id=self.households[household], quantity_steps=steps)
                for household, steps in pledges.items()
            ),
        }

    def published(self, number: int, pledges: Mapping[int, int], code: str = CAI_MEO, day: date = DAY) -> Received[Any]:
        """An offer; pledges in steps by the number of the household."""
        return self.received(OfferPublished(**self._offer(number, code, pledges, day)))

    def changed(self, number: int, pledges: Mapping[int, int], code: str = CAI_MEO, day: date = DAY) -> Received[Any]:
        """The offer's whole new state."""
        return self.received(OfferChanged(**self._offer(number, code, pledges, day)))

    def withdrawn(self, number: int) -> Received[Any]:
        """The offer is taken back."""
        return self.received(OfferWithdrawn(offer_id=self.id_of(number)))

    def _order(self, number: int, lines: Sequence[tuple[int, int]], tier: int, minimum: int) -> dict[str, Any]:
        return {
            "tier": tier,
            "order_id": self.id_of(number),
            "partner_id": PARTNER,
            "partner_ref": f"#{number}",
            "lines": tuple(
                OrderLine(
                    line_no=n + 1,
                    offer_id=self.id_of(offer),
                    product_id=self.products[CAI_MEO],
                    sku="x",
                    quantity_steps=steps,
                    minimum_steps=minimum,
                )
                for n, (offer, steps) in enumerate(lines)
            ),
        }

    def placed(self, number: int, *lines: tuple[int, int], tier: int = 5, minimum: int = 1) -> Received[Any]:
        """An order of (offer, steps)."""
        return self.received(OrderPlaced(**self._order(number, lines, tier, minimum)))

    def reordered(self, number: int, *lines: tuple[int, int], tier: int = 5, minimum: int = 1) -> Received[Any]:
        """The order as it shall be now."""
        return self.received(OrderChanged(**self._order(number, lines, tier, minimum)))

    def cancelled(self, number: int) -> Received[Any]:
        """The order is given back."""
        return self.received(OrderCancelled(order_id=self.id_of(number)))

    def closed(self, number: int, closes_day: bool = True, day: date = DAY, withdrawn: bool = False) -> Received[Any]:
        """The offer's cut-off, or its closing because it was withdrawn."""
        event = IntakeClosed(offer_id=self.id_of(number), delivery_day=day, closes_day=closes_day, withdrawn=withdrawn)
        return self.received(event)

    def told(self, household: int, version: int = 1, at: datetime = NOON, day: date = DAY) -> Received[Any]:
        """The receipt for a basket's notice."""
        about: dict[str, Any] = {"household_id": self.households[household], "delivery_day": day, "version": version}
        return self.received(
            NoticeDelivered(notice_id=self.id_of(900), kind="basket", channel="email", told_at=at, **about)
        )

    def untold(self, household: int, version: int = 1, at: datetime = NOON, day: date = DAY) -> Received[Any]:
        """No channel can tell a household of its basket, as is known since then."""
        about: dict[str, Any] = {"household_id": self.households[household], "delivery_day": day, "version": version}
        event = NoticeUndeliverable(
            notice_id=self.id_of(900), kind="basket", channel="none", reason="no_contact", **about
        )
        return replace(self.received(event), time=at)

    def replied(
        self, household: int, answer: str, version: int = 1, less: Mapping[int, int] | None = None, day: date = DAY
    ) -> Received[Any]:
        """What a household answered its basket; `less` in steps by offer."""
        items = tuple(
            RepliedItem(offer_id=self.id_of(offer), quantity_steps=steps) for offer, steps in (less or {}).items()
        )
        return self.received(
            HouseholdReplied(
                household_id=self.households[household],
                delivery_day=day,
                version=version,
                answer=answer,
                channel="page",
                items=items,
                reason="sold_out" if answer == "cannot" else None,
            )
        )
