"""The truck departs: nobody is asked any more, what arrived fills the orders, and each household has its entry."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from uuid import UUID

from services.allocation.domain.arrivals import Place
from services.allocation.domain.asked import Missed, Outcome, ReplyPolicy, Silence
from services.allocation.domain.books import Line, LinePromise, line_promises
from services.allocation.domain.lots import Demand, Lot, Part, fill_lines
from services.allocation.domain.market_day import MarketDay
from services.allocation.domain.replies import close_round
from services.allocation.domain.settlement import Accepted, Entry, settle_day
from services.allocation.domain.sharing import FairnessEntry, day_entries
from services.allocation.domain.shortening import Coming

Delivered = Mapping[Place, tuple[str, int]]
"""By offer and household: the lot, and what was accepted of it in all, in steps."""


def close_for_good(day: MarketDay) -> Outcome:
    """There is no time to ask anybody else. Whoever has not answered is taken to have agreed: what it brings shows.

    What is missing is told with what has not arrived.
    """
    policy = ReplyPolicy(Silence.YES, day.asked.policy.rounds)
    asked = replace(day.asked, policy=policy, last_round_no=day.asked.round_no)
    outcome = close_round(asked, asked.round_no, day.weights, day.memory_vnd, day.load_grams)
    effects = tuple(effect for effect in outcome.effects if not isinstance(effect, Missed))
    return replace(outcome, day=replace(outcome.day, policy=day.asked.policy), effects=effects)


def coming(day: MarketDay, delivered: Delivered) -> list[Coming]:
    """What of each offer leaves with the truck."""
    steps: defaultdict[UUID, int] = defaultdict(int)
    for (offer_id, _), (_, accepted_steps) in delivered.items():
        steps[offer_id] += accepted_steps
    offer_ids = sorted(offer.offer_id for offer in day.asked.offers)
    return [Coming(offer_id, steps[offer_id], day.policies.shortfall_rule) for offer_id in offer_ids]


def fill(delivered: Delivered, lines: Iterable[Line]) -> dict[UUID, tuple[Part, ...]]:
    """Which lots fill the lines of each offer, from as few households for a line as the quantities allow."""
    lots: defaultdict[UUID, list[Lot]] = defaultdict(list)
    for (offer_id, _), (lot, steps) in delivered.items():
        lots[offer_id].append(Lot(lot, steps))
    net_steps: defaultdict[UUID, defaultdict[tuple[UUID, int], int]] = defaultdict(lambda: defaultdict(int))
    for line in lines:
        net_steps[line.offer_id][line.order_id, line.line_no] += line.net_steps
    return {
        offer_id: fill_lines(lots[offer_id], [Demand(*key, steps) for key, steps in own.items()])
        for offer_id, own in net_steps.items()
    }


def deliveries(places: Iterable[Line]) -> dict[UUID, tuple[LinePromise, ...]]:
    """What was delivered of each order, given all its places of the day: the lines of which something was promised.

    A line of which nothing came after all is among them. To be asked when what is missing has been taken back, so the
    net promise is what left with the truck.
    """
    orders: defaultdict[UUID, list[Line]] = defaultdict(list)
    for place in places:
        if place.promised_steps:
            orders[place.order_id].append(place)
    return {order_id: line_promises(own) for order_id, own in sorted(orders.items())}


# -- Settlement ----------------------------------------------------------------------------------------------


def settle(day: MarketDay, delivery_day: date, asked: Collection[Place], delivered: Delivered) -> tuple[Entry, ...]:
    """An entry for each household of whom something was asked or accepted."""
    value_vnd = _step_values(day)
    goods = [
        Accepted(household_id, delivered.get((offer_id, household_id), ("", 0))[1], value_vnd[offer_id])
        for offer_id, household_id in {*asked, *delivered}
    ]
    return settle_day(delivery_day, goods, day.policies.fee_permille)


def by_household(entries: Sequence[Entry]) -> list[Entry]:
    """One for each household, with what it gets for the whole day, which may end in several trucks."""
    sums: dict[UUID, Entry] = {}
    for entry in entries:
        had = sums.get(entry.household_id)
        gross_vnd = entry.gross_vnd + (had.gross_vnd if had else 0)
        fee_vnd = entry.fee_vnd + (had.fee_vnd if had else 0)
        sums[entry.household_id] = Entry(entry.household_id, entry.delivery_day, gross_vnd, fee_vnd)
    return list(sums.values())


def remember(day: MarketDay, entries: Sequence[Entry]) -> list[FairnessEntry]:
    """What was accepted takes the place of what was planned. Nobody's fair part is above what it could have brought."""
    value_vnd = _step_values(day)
    gross_vnd: defaultdict[UUID, int] = defaultdict(int)
    for entry in entries:
        gross_vnd[entry.household_id] += entry.gross_vnd
    most_vnd = {
        basket.household_id: max(
            gross_vnd[basket.household_id],
            sum(item.most_steps * value_vnd[item.offer_id] for item in basket.items),
        )
        for basket in day.asked.baskets
    }
    of_those = {household_id: gross_vnd[household_id] for household_id in most_vnd}  # who did not pledge has no memory
    return day_entries(of_those, most_vnd, day.weights)


def _step_values(day: MarketDay) -> dict[UUID, int]:
    return {offer.offer_id: offer.step_value_vnd for offer in day.asked.offers}
