"""What is weighed in, the truck's departure, and what is owed: the end of a delivery day."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from services.allocation import announcements
from services.allocation.consumers.days import Days
from services.allocation.consumers.shortages import Shortage, shorten_offers
from services.allocation.domain.arrivals import Arrival, Place
from services.allocation.domain.asked import Missed, Outcome, ReplyPolicy, Silence
from services.allocation.domain.books import Line
from services.allocation.domain.lots import Demand, Lot, Part, fill_lines
from services.allocation.domain.market_day import MarketDay
from services.allocation.domain.replies import close_round
from services.allocation.domain.settlement import Accepted, Entry, settle_day
from services.allocation.domain.sharing import FairnessEntry, day_entries
from services.allocation.domain.shortening import Coming
from services.allocation.store import Day
from services.allocation.store.arrivals import (
    Bringing,
    RecordedArrival,
    list_accepted,
    list_bringing,
    save_arrivals,
    save_line_lots,
)
from services.allocation.store.books import list_coming
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
    """What has not arrived does not come: it is taken from the orders. Then each household is settled with."""
    for received in events:
        await _depart(tx, received)


async def _depart(tx: Transaction, received: Received[TruckDeparted]) -> None:
    day = (received.stream, received.event.delivery_day)
    days = await Days.load(tx, [received])
    market_day = days.current[day]
    days.apply(received, _final(market_day))
    await days.save()
    bringing = [one for one in await list_bringing(tx.conn, day) if not one.settled]
    offer_ids = {offer.offer_id for offer in market_day.asked.offers}  # those without any pledge too
    accepted = await list_accepted(tx.conn, day, offer_ids)
    rule = market_day.policies.shortfall_rule
    coming = [Coming(offer_id, _sum(accepted, offer_id), rule) for offer_id in sorted(offer_ids)]
    await shorten_offers(tx, [Shortage(received, one) for one in coming])
    await save_line_lots(tx.conn, _lots(accepted, (await list_coming(tx.conn, offer_ids)).lines))
    await _settle(tx, received, market_day, bringing, accepted)
    await save_settled(tx.conn, offer_ids)


def _final(day: MarketDay) -> Outcome:
    """There is no time to ask anybody else. Whoever has not answered is taken to have agreed: what it brings shows.

    What is missing is told with what has not arrived.
    """
    policy = ReplyPolicy(Silence.YES, day.asked.policy.rounds)
    asked = replace(day.asked, policy=policy, last_round_no=day.asked.round_no)
    outcome = close_round(asked, asked.round_no, day.weights, day.memory_vnd, day.load_grams)
    effects = tuple(effect for effect in outcome.effects if not isinstance(effect, Missed))
    return replace(outcome, day=replace(outcome.day, policy=day.asked.policy), effects=effects)


def _sum(accepted: Mapping[Place, tuple[str, int]], offer_id: UUID) -> int:
    return sum(steps for (of_offer, _), (_, steps) in accepted.items() if of_offer == offer_id)


def _lots(accepted: Mapping[Place, tuple[str, int]], lines: Sequence[Line]) -> dict[UUID, tuple[Part, ...]]:
    """Which lots fill the lines of each offer, from as few households for a line as the quantities allow."""
    lots: defaultdict[UUID, list[Lot]] = defaultdict(list)
    for (offer_id, _), (lot, steps) in accepted.items():
        lots[offer_id].append(Lot(lot, steps))
    net_steps: defaultdict[UUID, defaultdict[tuple[UUID, int], int]] = defaultdict(lambda: defaultdict(int))
    for line in lines:
        net_steps[line.offer_id][line.order_id, line.line_no] += line.net_steps
    return {
        offer_id: fill_lines(lots[offer_id], [Demand(*key, steps) for key, steps in own.items()])
        for offer_id, own in net_steps.items()
    }


# -- Settlement ----------------------------------------------------------------------------------------------


async def _settle(
    tx: Transaction,
    received: Received[TruckDeparted],
    market_day: MarketDay,
    bringing: Sequence[Bringing],
    accepted: Mapping[Place, tuple[str, int]],
) -> None:
    """An entry for each household of whom something was asked or accepted; and what its memory keeps of the day."""
    delivery_day = received.event.delivery_day
    value_vnd = {offer.offer_id: offer.step_value_vnd for offer in market_day.asked.offers}
    goods = [
        Accepted(one.household_id, accepted.get((one.offer_id, one.household_id), ("", 0))[1], value_vnd[one.offer_id])
        for one in bringing
        if one.asked_steps or (one.offer_id, one.household_id) in accepted
    ]
    entries = settle_day(delivery_day, goods, market_day.policies.fee_permille)
    await insert_entries(tx.conn, received.stream, received.id, received.time, entries)
    booked = await list_booked(tx.conn, received.stream, delivery_day, delivery_day)  # a day may end in several trucks
    settled = _by_household([one.entry for one in booked if one.entry.reason is None])
    tx.append(received.stream, announcements.day_settled(delivery_day, settled), received.traceparent)
    memory = _remembered(market_day, [one.entry for one in booked])
    await save_entries(tx.conn, {(received.stream, delivery_day, entry.household_id): entry for entry in memory})


def _by_household(entries: Sequence[Entry]) -> list[Entry]:
    """One for each household, with what it gets for the whole day."""
    sums: dict[UUID, Entry] = {}
    for entry in entries:
        had = sums.get(entry.household_id)
        gross_vnd = entry.gross_vnd + (had.gross_vnd if had else 0)
        fee_vnd = entry.fee_vnd + (had.fee_vnd if had else 0)
        sums[entry.household_id] = Entry(entry.household_id, entry.delivery_day, gross_vnd, fee_vnd)
    return list(sums.values())


def _remembered(market_day: MarketDay, entries: Sequence[Entry]) -> list[FairnessEntry]:
    """What was accepted takes the place of what was planned. Nobody's fair part is above what it could have brought."""
    value_vnd = {offer.offer_id: offer.step_value_vnd for offer in market_day.asked.offers}
    gross_vnd: defaultdict[UUID, int] = defaultdict(int)
    for entry in entries:
        gross_vnd[entry.household_id] += entry.gross_vnd
    most_vnd = {
        basket.household_id: max(
            gross_vnd[basket.household_id],
            sum(item.most_steps * value_vnd[item.offer_id] for item in basket.items),
        )
        for basket in market_day.asked.baskets
    }
    of_those = {household_id: gross_vnd[household_id] for household_id in most_vnd}  # who did not pledge has no memory
    return day_entries(of_those, most_vnd, market_day.weights)


async def correct(tx: Transaction, events: Sequence[Received[SettlementCorrected]]) -> None:
    """Adds an entry for each correction."""
    await lock_cooperatives(tx.conn, {received.stream for received in events})
    for received in events:
        event: SettlementCorrected = received.event
        entry = Entry(event.household_id, event.delivery_day, 0, 0, event.amount_vnd, event.reason)
        await insert_entries(tx.conn, received.stream, received.id, received.time, [entry], event.correction_id)
