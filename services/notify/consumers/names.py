"""How things are called, and who belongs to whom: what notify has to know before it can say anything."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.chassis.inbox import Received
from services.chassis.lanes import place_streams
from services.chassis.ledger import Transaction
from services.contracts.catalog import (
    CooperativeChanged,
    CooperativeRegistered,
    HouseholdChanged,
    HouseholdRegistered,
    OfferChanged,
    OfferPublished,
    ProductListed,
)
from services.notify.domain.facts import Goods
from services.notify.store import books


@dataclass(frozen=True, slots=True)
class Names:
    """`shared_lanes` is how many there are."""

    shared_lanes: int

    async def on_cooperatives(
        self, tx: Transaction, received: Sequence[Received[CooperativeRegistered | CooperativeChanged]]
    ) -> None:
        """Names, zones, collection points, and the lane on which the cooperative lives."""
        last = {r.stream: r.event for r in received}
        await books.save_cooperatives(tx.conn, {s: books.Cooperative(c.name, c.timezone) for s, c in last.items()})
        points = {p.collection_point_id: p.name for c in last.values() for p in c.collection_points}
        await books.save_collection_points(tx.conn, points)
        await place_streams(tx, {stream: event.lane for stream, event in last.items()}, self.shared_lanes)

    async def on_households(
        self, tx: Transaction, received: Sequence[Received[HouseholdRegistered | HouseholdChanged]]
    ) -> None:
        """Whose contact may be written down, and by whom."""
        await books.save_households(tx.conn, {r.event.household_id: (r.stream, r.event.code) for r in received})

    async def on_products(self, tx: Transaction, received: Sequence[Received[ProductListed]]) -> None:
        """How goods are named and measured."""
        listed = [r.event for r in received]
        await books.save_products(tx.conn, {p.product_id: Goods(p.name, p.unit, p.step_milliunits) for p in listed})

    async def on_offers(self, tx: Transaction, received: Sequence[Received[OfferPublished | OfferChanged]]) -> None:
        """Which product of which day."""
        await books.save_offers(
            tx.conn, {r.event.offer_id: (r.event.product_id, r.event.delivery_day) for r in received}
        )
