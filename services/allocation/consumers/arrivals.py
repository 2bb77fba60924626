"""What is weighed in, the truck's departure, and what is owed: the end of a delivery day."""

from collections.abc import Sequence

from services.allocation import announcements
from services.allocation.consumers.days import Days
from services.allocation.consumers.shortages import Shortage, shorten_offers
from services.allocation.domain.arrivals import Arrival
from services.allocation.domain.departure import (
    by_household,
    close_for_good,
    coming,
    deliveries,
    fill,
    remember,
    settle,
)
from services.allocation.domain.market_day import MarketDay
from services.allocation.domain.settlement import Entry
from services.allocation.store import Day
from services.allocation.store.arrivals import (
    RecordedArrival,
    list_accepted,
    list_bringing,
    save_arrivals,
    save_line_lots,
)
from services.allocation.store.books import list_travelling
from services.allocation.store.days import save_entries
from services.allocation.store.members import lock_cooperatives
from services.allocation.store.offers import save_settled
from services.allocation.store.settlements import insert_entries, list_booked
from services.chassis.inbox import Received
from services.chassis.ledger import Transaction
from services.contracts.allocation import ArrivalRecorded, SettlementCorrected, TruckDeparted


async def record_arrivals(tx: Transaction, events: Sequence[Received[ArrivalRecorded]]) -> None:
    """Keeps the last word on each arrival."""
    await lock_cooperatives(tx.conn, {received.stream for received in events})
    last = {(received.stream, received.event.arrival_id): received for received in events}
    await save_arrivals(tx.conn, [_recorded(received) for received in last.values()])


def _recorded(received: Received[ArrivalRecorded]) -> tuple[Day, RecordedArrival]:
    event = received.event
    arrival = Arrival(
        event.arrival_id,
        event.offer_id,
        event.household_id,
        event.accepted_steps,
        event.rejected_steps,
        event.reason,
        event.grams,
    )
    return (received.stream, event.delivery_day), RecordedArrival(arrival, event.lot, received.time)


async def depart(tx: Transaction, events: Sequence[Received[TruckDeparted]]) -> None:
    """What has not arrived does not come: it is taken from the orders, and each is told what came of it in the end.

    Then each household is settled with.
    """
    for received in events:
        await _depart(tx, received)


async def _depart(tx: Transaction, received: Received[TruckDeparted]) -> None:
    day = (received.stream, received.event.delivery_day)
    days = await Days.load(tx, [received])
    market_day = days.current[day]
    days.apply(received, close_for_good(market_day))
    await days.save()
    bringing = [one for one in await list_bringing(tx.conn, day) if not one.settled]
    offer_ids = {offer.offer_id for offer in market_day.asked.offers}  # those without any pledge too
    delivered = await list_accepted(tx.conn, day, offer_ids)
    await shorten_offers(tx, [Shortage(received, one) for one in coming(market_day, delivered)])
    places = await list_travelling(tx.conn, day, offer_ids)
    await save_line_lots(tx.conn, fill(delivered, [place for place in places if place.offer_id in offer_ids]))
    for order_id, lines in deliveries(places).items():
        tx.append(received.stream, announcements.order_delivered(order_id, day[1], lines), received.traceparent)
    asked = {(one.offer_id, one.household_id) for one in bringing if one.asked_steps}
    await _book(tx, received, market_day, settle(market_day, day[1], asked, delivered))
    await save_settled(tx.conn, offer_ids)


async def _book(
    tx: Transaction, received: Received[TruckDeparted], market_day: MarketDay, entries: Sequence[Entry]
) -> None:
    """The entries of one truck; what is said and remembered of the day is what all its trucks together brought."""
    delivery_day = received.event.delivery_day
    await insert_entries(tx.conn, received.stream, received.id, received.time, entries)
    booked = [one.entry for one in await list_booked(tx.conn, received.stream, delivery_day, delivery_day)]
    settled = by_household([entry for entry in booked if entry.reason is None])
    tx.append(received.stream, announcements.day_settled(delivery_day, settled), received.traceparent)
    memory = remember(market_day, booked)
    await save_entries(tx.conn, {(received.stream, delivery_day, entry.household_id): entry for entry in memory})


async def correct(tx: Transaction, events: Sequence[Received[SettlementCorrected]]) -> None:
    """Adds an entry for each correction."""
    await lock_cooperatives(tx.conn, {received.stream for received in events})
    for received in events:
        event: SettlementCorrected = received.event
        entry = Entry(event.household_id, event.delivery_day, 0, 0, event.amount_vnd, event.reason)
        await insert_entries(tx.conn, received.stream, received.id, received.time, [entry], event.correction_id)
