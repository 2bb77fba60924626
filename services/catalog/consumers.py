"""What catalog learns from other services: what allocation can still promise of each offer."""

from collections.abc import Mapping, Sequence

from services.catalog.store.offers import save_availability
from services.chassis.inbox import Handler, Received
from services.chassis.ledger import Transaction
from services.contracts.allocation import OfferAvailabilityChanged
from services.contracts.base import Event


async def take_in_availability(tx: Transaction, events: Sequence[Received[OfferAvailabilityChanged]]) -> None:
    """Keeps the last word on each offer."""
    last = {received.event.offer_id: received.event for received in events}
    said = [(event.offer_id, event.supply_steps, event.available_steps) for event in last.values()]
    await save_availability(tx.conn, sorted(said))


handlers: Mapping[type[Event], Handler] = {OfferAvailabilityChanged: take_in_availability}
