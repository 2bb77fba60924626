"""Cooperatives, households and products, as catalog tells of them."""

from collections.abc import Sequence

from services.allocation.store.members import insert_cooperatives, save_households, save_products
from services.chassis.inbox import Handler, Received
from services.chassis.lanes import place_streams
from services.chassis.ledger import Transaction
from services.contracts.catalog import (
    CooperativeChanged,
    CooperativeRegistered,
    HouseholdChanged,
    HouseholdRegistered,
    ProductListed,
)


def taking_in_cooperatives(shared_lanes: int) -> Handler:
    """A handler that makes cooperatives known and moves their streams to the lanes that catalog says."""

    async def take_in(tx: Transaction, events: Sequence[Received[CooperativeRegistered | CooperativeChanged]]) -> None:
        await insert_cooperatives(tx.conn, {received.stream for received in events})
        await place_streams(tx, {received.stream: received.event.lane for received in events}, shared_lanes)

    return take_in


async def take_in_households(
    tx: Transaction, events: Sequence[Received[HouseholdRegistered | HouseholdChanged]]
) -> None:
    """Keeps the last word on each household."""
    await save_households(
        tx.conn, {x.event.household_id: (x.stream, x.event.code, x.event.share_weight) for x in events}
    )


async def take_in_products(tx: Transaction, events: Sequence[Received[ProductListed]]) -> None:
    """Keeps the last word on each product. Offers that are published keep the step that they were published with."""
    await save_products(
        tx.conn, {x.event.product_id: (x.stream, x.event.code, x.event.step_milliunits) for x in events}
    )
