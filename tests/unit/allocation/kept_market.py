"""All that allocation keeps, in memory: events and commands are applied as its handlers apply them, without a database.

The handlers load, let the domain decide, save and say; here the same functions decide, and dictionaries are kept.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import groupby
from typing import Any
from uuid import UUID

from services.allocation.commands import (
    Run,
    check_owners,
    closing_events,
    closings,
    commands_of,
    last_offered,
    reply_of,
    terms_of,
    up_to_closings,
)
from services.allocation.consumers.members import policies_of
from services.allocation.domain.arrivals import Arrival, Expected, Place, accepted_steps, find_faults
from services.allocation.domain.asked import AskedBasket, Changed, Missed, Outcome
from services.allocation.domain.baskets import DayOffer
from services.allocation.domain.books import Decision, LinePromise, Shorted
from services.allocation.domain.cut_off import (
    BasketKey,
    ClosedDay,
    Closing,
    EntryKey,
    Means,
    close_days,
    first_day_of_memory,
)
from services.allocation.domain.departure import close_for_good, coming, deliveries, fill, remember, settle
from services.allocation.domain.lots import Part, lot_code
from services.allocation.domain.market_day import MarketDay, ask_closed
from services.allocation.domain.policies import Policies
from services.allocation.domain.replies import answer, close_round
from services.allocation.domain.settlement import Entry
from services.allocation.domain.sharing import FairnessEntry
from services.allocation.domain.shortening import Coming, shorten
from services.allocation.domain.terms import OfferTerms
from services.allocation.domain.told import BasketVersion, ToldItem
from services.chassis.inbox import Received
from services.contracts.allocation import RepliesClosed
from services.contracts.catalog import CooperativeRegistered, HouseholdRegistered, ProductListed
from services.contracts.notify import HouseholdReplied
from tests.unit.allocation.kept_books import Books

Day = tuple[UUID, date]
Words = tuple[Any, ...]


@dataclass(frozen=True)
class Weighed:
    """Staff weigh in: an arrival, and whether more than was asked is accepted."""

    arrival: Arrival
    may_exceed: bool = False


@dataclass(frozen=True)
class Departed:
    """The truck of a day leaves."""


@dataclass
class Market:
    """What is kept of every cooperative, and in `said` how often each thing was said."""

    policies: dict[UUID, Policies] = field(default_factory=dict)
    households: dict[UUID, HouseholdRegistered] = field(default_factory=dict)
    products: dict[UUID, ProductListed] = field(default_factory=dict)
    terms: dict[UUID, OfferTerms] = field(default_factory=dict)
    promises: Books = field(default_factory=Books)
    assigned: set[UUID] = field(default_factory=set)
    settled: set[UUID] = field(default_factory=set)
    days: dict[Day, MarketDay] = field(default_factory=dict)
    told: dict[BasketKey, BasketVersion] = field(default_factory=dict)
    entries: dict[UUID, dict[EntryKey, FairnessEntry]] = field(default_factory=lambda: defaultdict(dict))
    arrivals: dict[UUID, tuple[Day, Arrival]] = field(default_factory=dict)
    booked: dict[Day, list[Entry]] = field(default_factory=lambda: defaultdict(list))
    parts: dict[UUID, tuple[Part, ...]] = field(default_factory=dict)
    delivered: dict[tuple[Day, UUID], tuple[LinePromise, ...]] = field(default_factory=dict)
    said: Counter[Words] = field(default_factory=Counter)
    load_all: bool = True
    """False: only as much of the promises is looked at as the bounds in `reach` ask for."""

    # Events, in runs as the inbox hands them out

    def take_in(self, *events: Received[Any]) -> None:
        for kind, run in groupby(events, key=_kind):
            {"members": self._members, "replies": self._replies, "market": self._market}[kind](list(run))

    def _members(self, run: Run) -> None:
        for received in run:
            event = received.event
            if isinstance(event, CooperativeRegistered):
                self.policies[received.stream] = policies_of(event.policies)
            elif isinstance(event, HouseholdRegistered):
                self.households[event.household_id] = event
            else:
                self.products[event.product_id] = event

    def _market(self, events: Run) -> None:
        for run in up_to_closings(events):
            commands = commands_of(run, self.policies)
            owners = {offer_id: terms.cooperative_id for offer_id, terms in self.terms.items()}
            check_owners(run, commands, owners)
            closed = {book.offer_id for book in self.promises.books.values() if not book.open}
            self._say_shorted(self.promises.apply(*commands, load_all=self.load_all), ("promise", *(x.id for x in run)))
            steps = {one.product_id: (one.step_milliunits, one.step_grams) for one in self.products.values()}
            self.terms |= {terms.offer_id: terms for terms in (terms_of(x, steps) for x in last_offered(run, closed))}
            self._close_days(run, closed)

    def _close_days(self, run: Run, closed: set[UUID]) -> None:
        causes = closing_events(run)
        waiting = self._waiting({(x.stream, x.event.delivery_day) for x in causes})
        if not waiting:
            return
        found = closings(run, closed, waiting, self.policies)
        means = {h: Means(one.share_weight, one.maximum_load_grams) for h, one in self.households.items()}
        earliest = min(first_day_of_memory(one.delivery_day, one.memory_days) for one in found)
        entries = {c: {key: x for key, x in own.items() if key[0] >= earliest} for c, own in self.entries.items()}
        items = {key: self._items(key) for key in self.told}
        for cause, closing, day in zip(causes, found, close_days(found, means, entries, items), strict=True):
            self.entries[cause.stream] |= {(closing.delivery_day, x.household_id): x for x in day.entries}
            self.assigned |= {offer.offer_id for offer in closing.offers}
            if closing.offers:
                self._ask(cause, closing, day, means)

    def _ask(self, cause: Received[Any], closing: Closing, closed: ClosedDay, means: Mapping[UUID, Means]) -> None:
        key = (closing.cooperative_id, closing.delivery_day)
        day = ask_closed(self.days.get(key), closing, closed, cause.time, self.policies[cause.stream], means)
        self.days[key] = day
        for assigned in closed.baskets:
            self._say_basket(day.as_asked(assigned, closing.delivery_day))
        missing = []
        for offer_id, _ in closed.missing:
            (offer,) = (one for one in day.asked.offers if one.offer_id == offer_id)
            available_steps = offer.promised_net_steps - offer.missing_steps
            missing.append(Coming(offer_id, available_steps, day.policies.shortfall_rule))
        self._shorten(cause, missing)

    def _waiting(self, days: set[Day]) -> dict[Day, list[DayOffer]]:
        waiting: dict[Day, list[DayOffer]] = {}
        for terms in sorted(self.terms.values(), key=lambda one: one.offer_id):
            book, key = self.promises.books[terms.offer_id], (terms.cooperative_id, terms.delivery_day)
            if key in days and book.listed and not book.open and terms.offer_id not in self.assigned:
                code = self.products[terms.product_id].code
                offer = DayOffer(
                    terms.offer_id, terms.product_id, code, terms.step_value_vnd, terms.collection_point_id,
                    terms.arrive_by_at, book.promised_net_steps, terms.pledges, terms.step_grams,
                )  # fmt: skip
                waiting.setdefault(key, []).append(offer)
        return waiting

    def _replies(self, run: Run) -> None:
        for received in run:
            key = (received.stream, received.event.delivery_day)
            if day := self.days.get(key):
                asked = day.asked_at(received.time)
                outcome = answer(asked, [reply_of(received.event)], day.weights, day.memory_vnd, day.load_grams)
                self._go_on(key, received, outcome)

    # Commands

    def command(self, key: Day, received: Received[Any]) -> bool:
        """Executes a command as the routes and jobs do; False where it is refused or there is nothing to do."""
        day = self.days.get(key)
        match received.event:
            case RepliesClosed(round=number) if day is not None and day.asked.open and day.asked.round_no == number:
                asked = day.asked_at(received.time)
                outcome = close_round(asked, number, day.weights, day.memory_vnd, day.load_grams)
                self._go_on(key, received, outcome)
                return True
            case Weighed(arrival, may_exceed) if self._may_arrive(key, arrival, may_exceed):
                self.arrivals[arrival.arrival_id] = key, arrival
                return True
            case Departed() if day is not None and day.asked.offers and not self._unassigned(key):
                self._depart(key, day, received)
                return True
        return False

    def _may_arrive(self, key: Day, arrival: Arrival, may_exceed: bool) -> bool:
        asked = self.asked_steps(key)
        known = {id: one for id, (_, one) in self.arrivals.items()}
        offered = arrival.place in asked and arrival.offer_id not in self.settled
        return offered and not find_faults(Expected(asked, known), [arrival], may_exceed)

    def _unassigned(self, key: Day) -> bool:
        own = [t.offer_id for t in self.terms.values() if (t.cooperative_id, t.delivery_day) == key]
        return any(self.promises.books[offer_id].listed and offer_id not in self.assigned for offer_id in own)

    def _depart(self, key: Day, day: MarketDay, cause: Received[Any]) -> None:
        self._go_on(key, cause, close_for_good(day))
        offer_ids = {offer.offer_id for offer in day.asked.offers}
        arrived = accepted_steps(one for of, one in self.arrivals.values() if of == key and one.offer_id in offer_ids)
        delivered = {place: (self._lot(place), steps) for place, steps in arrived.items()}
        self._shorten(cause, coming(day, delivered))
        self.parts |= fill(delivered, [x for x in self.promises.lines.values() if x.offer_id in offer_ids])
        self._deliver(key, offer_ids)
        asked = {place for place, steps in self.asked_steps(key).items() if steps and place[0] in offer_ids}
        self.booked[key] += settle(day, key[1], asked, delivered)
        self.entries[key[0]] |= {(key[1], x.household_id): x for x in remember(day, self.booked[key])}
        self.settled |= offer_ids
        gone = self.days[key].asked
        baskets = tuple(replace(basket, items=()) for basket in gone.baskets)
        self.days[key] = replace(self.days[key], asked=replace(gone, offers=(), baskets=baskets), arrive_by_at=None)

    def _deliver(self, key: Day, offer_ids: set[UUID]) -> None:
        """The orders that the truck brings something of, or should have, with all their places of the day."""
        held = [line for line in self.promises.lines.values() if line.promised_steps]
        order_ids = {line.order_id for line in held if line.offer_id in offer_ids}
        of_day = {x for x, terms in self.terms.items() if terms.delivery_day == key[1]}
        places = [line for line in held if line.order_id in order_ids and line.offer_id in of_day]
        self.delivered |= {(key, order_id): lines for order_id, lines in deliveries(places).items()}

    def _lot(self, place: Place) -> str:
        terms = self.terms[place[0]]
        return lot_code(self.households[place[1]].code, self.products[terms.product_id].code, terms.delivery_day)

    # What all of them come to

    def _go_on(self, key: Day, cause: Received[Any], outcome: Outcome) -> None:
        self.days[key] = day = self.days[key].with_asked(outcome.day, cause.time)
        missing: Counter[UUID] = Counter()
        offers = {offer.offer_id: offer for offer in day.asked.offers}
        for effect in outcome.effects:
            if isinstance(effect, Changed):
                items = tuple(self._item(item) for item in effect.basket.items if item.quantity_steps)
                self._say_basket(BasketVersion(effect.basket.household_id, key[1], effect.basket.version, items))
            elif isinstance(effect, Missed):
                missing[effect.offer_id] += effect.steps
        available = {x: offers[x].promised_net_steps - offers[x].missing_steps for x in missing}
        self._shorten(cause, [Coming(x, steps, day.policies.shortfall_rule) for x, steps in available.items()])

    def _shorten(self, cause: Received[Any], missing: Sequence[Coming]) -> None:
        decision = shorten(missing, self.promises.books, self.promises.lines.values())
        self.promises.books |= {book.offer_id: book for book in decision.books}
        self.promises.lines |= {(line.offer_id, line.position): line for line in decision.lines}
        self._say_shorted(decision, ("shortage", cause.id))

    def _say_shorted(self, decision: Decision, cause: Words) -> None:
        self.said.update(("shorted", x.order_id, *cause) for x in decision.effects if isinstance(x, Shorted))

    def _say_basket(self, version: BasketVersion) -> None:
        """All items that were ever told are kept; `_items` knows what has become of them."""
        key = (version.household_id, version.delivery_day)
        before = self.told[key].items if key in self.told else ()
        kept = {item.offer_id: item for item in before} | {item.offer_id: item for item in version.items}
        self.told[key] = replace(version, items=tuple(kept.values()))
        self.said["basket", *key, version.version] += 1

    def _item(self, asked: Any) -> ToldItem:
        terms = self.terms[asked.offer_id]
        return ToldItem(
            asked.offer_id, terms.product_id, asked.quantity_steps, asked.most_steps, terms.collection_point_id,
            terms.arrive_by_at, None, terms.step_grams, asked.confirmed_steps,
        )  # fmt: skip

    def _items(self, key: BasketKey) -> tuple[ToldItem, ...]:
        """What a household is asked for now, but for what trucks have left with."""
        asked = {i.offer_id: i for basket in self._baskets() if basket[0] == key for i in basket[1].items}
        return tuple(
            replace(item, quantity_steps=asked[item.offer_id].quantity_steps)
            for item in self.told[key].items
            if item.offer_id in asked and asked[item.offer_id].quantity_steps
        )

    def _baskets(self) -> list[tuple[BasketKey, AskedBasket]]:
        return [((b.household_id, day), b) for (_, day), of in self.days.items() for b in of.asked.baskets]

    def asked_steps(self, key: Day) -> dict[Place, int]:
        """What is asked of the households for a day, by offer and household; 0 for a pledge of which nothing is."""
        day = self.days.get(key)
        baskets = day.asked.baskets if day else ()
        return {(item.offer_id, x.household_id): item.quantity_steps for x in baskets for item in x.items}


def _kind(received: Received[Any]) -> str:
    if isinstance(received.event, CooperativeRegistered | HouseholdRegistered | ProductListed):
        return "members"
    return "replies" if isinstance(received.event, HouseholdReplied) else "market"
