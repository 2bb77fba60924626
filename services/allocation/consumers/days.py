"""From the cut-off to the truck: what households answer, and what follows when a round of asking closes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from uuid import UUID

from services.allocation import announcements
from services.allocation.consumers.shortages import Shortage
from services.allocation.domain.asked import AskedBasket, Changed, Confirmed, Missed, Outcome, Raise
from services.allocation.domain.cut_off import BasketKey
from services.allocation.domain.market_day import MarketDay
from services.allocation.domain.shortening import Coming
from services.allocation.domain.told import BasketVersion, ToldItem
from services.allocation.store import Day
from services.allocation.store.asked import list_market_days, save_changes, save_market_days
from services.allocation.store.days import list_told_items
from services.allocation.store.members import lock_cooperatives
from services.allocation.store.offers import OfferGoods, list_goods
from services.chassis.inbox import Received
from services.chassis.ledger import Transaction


@dataclass(frozen=True, slots=True)
class Step:
    """What one event did to a day: the day before and after it, with what there is to say."""

    cause: Received[Any]
    day: Day
    before: MarketDay
    after: MarketDay
    outcome: Outcome
    by: str
    """Whose word confirms: `reply`, `staff`; silence says so itself."""


class Days:
    """The days that a run of events is about, as they are while the events are applied one after the other."""

    def __init__(self, tx: Transaction, loaded: Mapping[Day, MarketDay]) -> None:
        self._tx, self._loaded = tx, loaded
        self.current = dict(loaded)
        self._steps: list[Step] = []

    @classmethod
    async def load(cls, tx: Transaction, events: Sequence[Received[Any]]) -> "Days":
        """Locks the cooperatives; of the events each names its `delivery_day`."""
        await lock_cooperatives(tx.conn, {received.stream for received in events})
        days = {(received.stream, received.event.delivery_day) for received in events}
        return cls(tx, await list_market_days(tx.conn, days))

    def apply(self, cause: Received[Any], outcome: Outcome, by: str = "reply") -> None:
        """Goes on with the day that comes of the event."""
        day = (cause.stream, cause.event.delivery_day)
        before = self.current[day]
        after = self.current[day] = before.with_asked(outcome.day, cause.time)
        self._steps.append(Step(cause, day, before, after, outcome, by))

    async def save(self) -> list[Shortage]:
        """Stores the days and tells the households; returns what nobody brings, to be taken from the orders."""
        effects = [(step, effect) for step in self._steps for effect in step.outcome.effects]
        said = [step.day for step, effect in effects if not isinstance(effect, Missed)]
        known = await list_told_items(self._tx.conn, set(said)) if said else {}
        await save_market_days(self._tx.conn, self._loaded, self.current)
        changes = [(step.day, effect) for step, effect in effects if isinstance(effect, Changed)]
        if changes:
            await save_changes(self._tx.conn, changes)
        goods = await list_goods(self._tx.conn, _offers_of(self.current, set(said))) if said else {}
        voice = _Voice(self._tx, known, goods)
        for step, effect in effects:
            if isinstance(effect, Changed):
                voice.say_changed(step, effect)
            elif isinstance(effect, Confirmed):
                voice.say_confirmed(step, effect)
        return [_shortage(step, effect) for step, effect in effects if isinstance(effect, Missed)]


def _offers_of(days: Mapping[Day, MarketDay], wanted: set[Day]) -> set[UUID]:
    return {offer.offer_id for day in wanted for offer in days[day].asked.offers}


def _is_of(cause: Received[Any], household_id: UUID) -> bool:
    """Whether the event is this household's own answer."""
    return getattr(cause.event, "household_id", None) == household_id


def _shortage(step: Step, effect: Missed) -> Shortage:
    """What is coming is what was shared out, without all that is known to be missing by then."""
    missing_steps = 0
    for other in step.outcome.effects:
        if isinstance(other, Missed) and other.offer_id == effect.offer_id:
            missing_steps += other.steps
            if other is effect:
                break
    (offer,) = (offer for offer in step.before.asked.offers if offer.offer_id == effect.offer_id)
    available_steps = offer.promised_net_steps - offer.missing_steps - missing_steps
    return Shortage(step.cause, Coming(effect.offer_id, available_steps, step.after.policies.shortfall_rule))


class _Voice:
    """Tells households what their baskets are after each step."""

    def __init__(
        self, tx: Transaction, known: Mapping[BasketKey, Sequence[ToldItem]], goods: Mapping[UUID, OfferGoods]
    ) -> None:
        self._tx, self._goods = tx, goods
        self._named = {offer_id: of.goods for offer_id, of in goods.items()}
        self._items = {
            (household_id, delivery_day, item.offer_id): item
            for (household_id, delivery_day), items in known.items()
            for item in items
        }

    def say_changed(self, step: Step, effect: Changed) -> None:
        version = self._version(step.day[1], effect.basket, effect.raised)
        reply_time = step.after.reply_time if effect.raised else None  # who is not raised is not asked again
        event = announcements.basket(version, self._named, reply_time)
        self._tx.append(step.cause.stream, event, step.cause.traceparent)

    def say_confirmed(self, step: Step, effect: Confirmed) -> None:
        """Where the last answer closes the round, the basket may have gone on since; it is told as it was confirmed."""
        (now,) = (one for one in step.after.asked.baskets if one.household_id == effect.household_id)
        (before,) = (one for one in step.before.asked.baskets if one.household_id == effect.household_id)
        version = self._version(step.day[1], now if now.version == effect.version else before, ())
        items = tuple(replace(item, confirmed_steps=item.quantity_steps) for item in version.items)
        version = replace(version, items=items)
        by = "silence" if effect.silent else step.by if _is_of(step.cause, effect.household_id) else "reply"
        self._tx.append(
            step.cause.stream, announcements.basket_confirmed(version, self._named, by), step.cause.traceparent
        )

    def _version(self, delivery_day: date, basket: AskedBasket, raised: Sequence[Raise]) -> BasketVersion:
        more = {one.offer_id: one for one in raised}
        items = []
        for asked in basket.items:
            if asked.quantity_steps:
                place = (basket.household_id, delivery_day, asked.offer_id)
                before = self._items.get(place)
                raises = before.raises if before else ()
                if asked.offer_id in more:
                    raises = (*raises, more[asked.offer_id])
                of = self._goods[asked.offer_id]
                item = ToldItem(
                    asked.offer_id,
                    of.product_id,
                    asked.quantity_steps,
                    before.pledged_steps if before else asked.most_steps,
                    of.collection_point_id,
                    of.arrive_by_at,
                    before.why if before else None,
                    of.step_grams,
                    asked.confirmed_steps,
                    raises,
                    before is not None and asked.most_steps < before.pledged_steps,
                )
                self._items[place] = item
                items.append(item)
        items.sort(key=lambda item: (self._goods[item.offer_id].product_code, item.offer_id.int))
        return BasketVersion(basket.household_id, delivery_day, basket.version, tuple(items))
