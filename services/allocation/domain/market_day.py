"""A delivery day from its cut-off to its settlement: what is asked, by which policies, until when it is answered."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from uuid import UUID

from services.allocation.domain.asked import AskedDay, AskedItem, AskedOffer
from services.allocation.domain.cut_off import Assigned, ClosedDay, Closing, Means
from services.allocation.domain.policies import DayPolicies, Policies
from services.allocation.domain.replies import ask
from services.allocation.domain.told import BasketVersion


@dataclass(frozen=True, slots=True)
class Footing:
    """On what a household shares that day: its means and its memory of past days, as they were when the day closed."""

    means: Means
    memory_vnd: int


@dataclass(frozen=True, slots=True)
class ReplyTime:
    """Until when a round is answered; and so many minutes has whoever is told too late for that."""

    by_at: datetime
    minutes: int


@dataclass(frozen=True, slots=True)
class MarketDay:
    """What is asked, by which policies, and of whom: of all offers with which no truck has left yet.

    `arrive_by_at` is the earliest of them, None where there are none. `reply_by_at` is until when the open round can
    be answered: it counts from the event that opened the round, as there is no other time than that of events. How long
    the way to the household was is not known then, so nobody is taken to be silent who was not told in time (see
    `list_due_days`).
    """

    asked: AskedDay
    policies: DayPolicies
    footings: Mapping[UUID, Footing]
    arrive_by_at: datetime | None
    reply_by_at: datetime | None = None

    @property
    def reply_time(self) -> ReplyTime | None:
        """Of the open round; None where none is open."""
        return ReplyTime(self.reply_by_at, self.policies.reply_minutes) if self.reply_by_at else None

    @property
    def weights(self) -> dict[UUID, int]:
        """Share weights by household."""
        return {household: footing.means.weight for household, footing in self.footings.items()}

    @property
    def memory_vnd(self) -> dict[UUID, int]:
        """Memory of past days by household."""
        return {household: footing.memory_vnd for household, footing in self.footings.items()}

    @property
    def load_grams(self) -> dict[UUID, int]:
        """What those can carry that have a limit."""
        loads = {household: footing.means.load_grams for household, footing in self.footings.items()}
        return {household: load_grams for household, load_grams in loads.items() if load_grams is not None}

    def with_asked(self, asked: AskedDay, now: datetime) -> "MarketDay":
        """The day with what is asked from `now` on; a new round has its time to answer, but not beyond the arrival."""
        if not asked.open:
            return replace(self, asked=asked, reply_by_at=None)
        if self.asked.open and asked.round_no == self.asked.round_no and self.reply_by_at is not None:
            return replace(self, asked=asked)
        return replace(self, asked=asked, reply_by_at=self._deadline(now))

    def _deadline(self, now: datetime) -> datetime:
        by_at = now + timedelta(minutes=self.policies.reply_minutes)
        return by_at if self.arrive_by_at is None else min(by_at, self.arrive_by_at)

    def asked_at(self, now: datetime) -> AskedDay:
        """What is asked; once the goods must be there, the open round is the last: nobody could bring more in time."""
        if not self.asked.open or self.arrive_by_at is None or now < self.arrive_by_at:
            return self.asked
        return replace(self.asked, last_round_no=self.asked.round_no)

    def as_asked(self, assigned: Assigned, delivery_day: date) -> BasketVersion:
        """What was assigned, with what the household has said of its items already where the day closed before."""
        (basket,) = (one for one in self.asked.baskets if one.household_id == assigned.household_id)
        asked = {item.offer_id: item for item in basket.items}
        items = tuple(
            replace(
                item,
                quantity_steps=asked[item.offer_id].quantity_steps,
                confirmed_steps=asked[item.offer_id].confirmed_steps,
                is_lowered=asked[item.offer_id].most_steps < item.pledged_steps,
            )
            for item in assigned.items
            if asked[item.offer_id].quantity_steps
        )
        return BasketVersion(
            assigned.household_id, delivery_day, basket.version, items, assigned.added, assigned.not_worthwhile
        )


def ask_closed(
    before: MarketDay | None,
    closing: Closing,
    closed: ClosedDay,
    now: datetime,
    policies: Policies,
    means: Mapping[UUID, Means],
) -> MarketDay:
    """Ask the households for what was just shared out, on a new day or in addition to what was asked before.

    `means` holds at least those who pledged. A day keeps the policies, and a household the footing, with which it was
    first asked. Raises ValueError as `ask` does.
    """
    missing = dict(closed.missing)
    offers = [
        AskedOffer(x.offer_id, x.product_code, x.step_value_vnd, x.promised_net_steps, missing.get(x.offer_id, 0),
                   x.step_grams)
        for x in closing.offers
    ]  # fmt: skip
    asked_steps = {
        (item.offer_id, basket.household_id): item.quantity_steps for basket in closed.baskets for item in basket.added
    }
    items: defaultdict[UUID, list[AskedItem]] = defaultdict(list)
    for offer in closing.offers:
        for household_id, pledged_steps in offer.pledges:
            if pledged_steps:
                steps = asked_steps.get((offer.offer_id, household_id), 0)
                items[household_id].append(AskedItem(offer.offer_id, steps, pledged_steps))
    arrive_by_at = min(offer.arrive_by_at for offer in closing.offers)
    if before is None:
        before = MarketDay(AskedDay(policies.reply), policies.day, {}, arrive_by_at)
    own = {household: Footing(means[household], closed.memory_vnd.get(household, 0)) for household in items}
    known = own | dict(before.footings)
    earliest = arrive_by_at if before.arrive_by_at is None else min(before.arrive_by_at, arrive_by_at)
    day = replace(before, footings=known, arrive_by_at=earliest).with_asked(ask(before.asked, offers, items), now)
    if day.reply_by_at is None:
        return day
    return replace(day, reply_by_at=max(day.reply_by_at, day._deadline(now)))  # there is time for what was added
