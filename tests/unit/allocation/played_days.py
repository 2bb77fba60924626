"""Whole days from the first pledge to the settlement, played on a market: whatever happens, and in whatever order.

Offers change and are withdrawn, orders come before their offer and after its cut-off, households answer, decline, keep
silent and answer too late, goods arrive short, rejected, twice and more than asked, trucks leave, and late offers begin
a day again.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random
from typing import Any
from uuid import UUID

from hypothesis import strategies as st
from msgspec.structs import replace

from services.allocation.domain.arrivals import Arrival
from services.chassis.inbox import Received
from services.contracts.allocation import RepliesClosed, TruckDeparted
from tests.integration.allocation.market import CAI_MEO, DAY, NOON, SU_SU, Stream
from tests.unit.allocation.kept_market import Day, Departed, Market, Weighed

HOUSEHOLDS = 4
DAYS = (DAY, DAY + timedelta(days=1))
MOMENTS = (timedelta(), timedelta(), timedelta(hours=1), timedelta(days=3))
"""Of answers and deadlines; after three days the goods had to be there long ago."""
PHASES = (
    ["order"] * 6 + ["publish", "change", "reorder", "reorder", "cancel", "withdraw"],
    ["close"] * 3 + ["order", "change"],
    ["reply"] * 6 + ["deadline"],
    ["arrive"] * 5 + ["reply", "depart"],
)
"""What mostly happens one after the other; and now and then anything at any time."""
ANYTHING = sorted({move for phase in PHASES for move in phase})

Act = tuple[Day | None, Received[Any]]
"""What happened: an event, or a command for a day."""


@dataclass
class Played:
    """One cooperative's days, while they are played on a market; `acts` is all that came of it, to be played again."""

    stream: Stream
    market: Market
    random: Random
    acts: list[Act] = field(default_factory=list)
    offers: dict[int, tuple[str, date]] = field(default_factory=dict)
    open: set[int] = field(default_factory=set)
    orders: list[int] = field(default_factory=list)

    @property
    def key(self) -> UUID:
        return self.stream.cooperative_id

    def hear(self, *events: Received[Any]) -> None:
        self.market.take_in(*events)
        self.acts += [(None, event) for event in events]

    def do(self, day: date, what: Any) -> bool:
        place = self.stream.received(TruckDeparted(delivery_day=day))  # of whatever command
        command = replace(place, time=self._moment(), event=what)
        done = self.market.command((self.key, day), command)
        if done:
            self.acts.append(((self.key, day), command))
        return done

    def _moment(self) -> Any:
        return NOON + self.random.choice(MOMENTS)

    # Moves

    def begin(self) -> None:
        r = self.random
        policies = {
            "promise_rule": r.choice(["first_come", "first_come", "fair"]),
            "buffer_permille": r.choice([0, 0, 100]),
            "minimum_delivery_vnd": r.choice([0, 0, 0, 40_000]),
            "silence": r.choice(["yes", "re_offer"]),
            "reply_rounds": r.choice([1, 2, 2, 3]),
            "shortfall_rule": r.choice(["equal", "pro_rata"]),
            "fee_permille": r.choice([0, 35, 333]),
        }
        weights = [r.choice([1, 1, 2, 3]) for _ in range(HOUSEHOLDS)]
        self.hear(*self._with_loads(self.stream.registered(weights, **policies)))
        self.publish()
        self.publish()

    def _with_loads(self, events: Sequence[Received[Any]]) -> list[Received[Any]]:
        """Some weeks a step weighs half a kilogram, and one household cannot carry much."""
        if self.random.random() < 0.7:
            return list(events)
        carried = {self.stream.households[0]: self.random.randint(1, 8) * 500}
        heavy = []
        for received in events:
            event = received.event
            if hasattr(event, "step_grams"):
                event = replace(event, step_grams=500)
            elif hasattr(event, "maximum_load_grams"):
                event = replace(event, maximum_load_grams=carried.get(event.household_id))
            heavy.append(replace(received, event=event))
        return heavy

    def publish(self) -> None:
        number = len(self.offers) + 1
        if number <= 5:
            self.offers[number] = self.random.choice([CAI_MEO, SU_SU]), self.random.choice([DAYS[0], *DAYS])
            self.open.add(number)
            self.hear(self.stream.published(number, self._pledges(), *self.offers[number]))

    def _pledges(self) -> dict[int, int]:
        return {household: self.random.randint(0, 9) for household in range(HOUSEHOLDS) if self.random.random() < 0.8}

    def change(self) -> None:
        """Also of offers that are closed, shared out or withdrawn."""
        number = self.random.choice(list(self.offers))
        self.hear(self.stream.changed(number, self._pledges(), *self.offers[number]))

    def withdraw(self) -> None:
        if self.random.random() < 0.2:
            self.hear(self.stream.withdrawn(self.random.choice(list(self.offers))))

    def order(self) -> None:
        """Also of offers that are not published yet, or closed."""
        self.orders.append(1000 + len(self.orders))
        self.hear(self.stream.placed(self.orders[-1], *self._lines(), **self._wishes()))

    def _lines(self) -> list[tuple[int, int]]:
        most = len(self.offers) + self.random.choice([0, 0, 0, 1])
        return [(self.random.randint(1, most), self.random.randint(1, 8)) for _ in range(self.random.choice([1, 1, 2]))]

    def _wishes(self) -> dict[str, int]:
        return {"tier": self.random.choice([5, 5, 5, 1, 3]), "minimum": self.random.choice([1, 1, 1, 1, 2, 4])}

    def _an_order(self) -> int:
        return self.random.choice(self.orders) if self.orders else 999

    def reorder(self) -> None:
        self.hear(self.stream.reordered(self._an_order(), *self._lines(), **self._wishes()))

    def cancel(self) -> None:
        self.hear(self.stream.cancelled(self._an_order()))

    def close(self) -> None:
        """Now and then because of a withdrawal that was lost."""
        if self.open:
            number = self.random.choice(sorted(self.open))
            self.open.discard(number)
            day = self.offers[number][1]
            closes_day = not any(self.offers[other][1] == day for other in self.open)
            self.hear(self.stream.closed(number, closes_day, day, withdrawn=self.random.random() < 0.1))

    def reply(self) -> None:
        """To the basket as it is, or an older or a newer one; with a part of what is asked, or more."""
        household, day = self.random.randrange(HOUSEHOLDS), self.random.choice(DAYS)
        state = self.market.told.get((self.stream.households[household], day))
        version = (state.version if state else 1) + self.random.choice([0, 0, 0, 0, 0, 1, -1])
        answer = self.random.choice(["confirm", "less", "less", "cannot"])
        less = {
            offer_id.int - self.key.int: steps * self.random.choice([0, 3, 7, 10, 10, 13]) // 10
            for (offer_id, of), steps in self.market.asked_steps((self.key, day)).items()
            if of == self.stream.households[household] and self.random.random() < 0.7
        }
        if version >= 1:
            said = self.stream.replied(household, answer, version, less if answer == "less" else None, day)
            self.hear(replace(said, time=self._moment()))

    def deadline(self) -> None:
        """Also of a round that is over, which is refused."""
        day = self.random.choice(DAYS)
        known = self.market.days.get((self.key, day))
        number = (known.asked.round_no if known else 1) + self.random.choice([0, 0, 0, 1])
        self.do(day, RepliesClosed(delivery_day=day, round=max(1, number)))

    def arrive(self) -> None:
        """A part of what is asked, now and then more; some of it rejected, and some recorded anew."""
        day = self.random.choice(DAYS)
        asked = self.market.asked_steps((self.key, day))
        if asked:
            offer_id, household_id = self.random.choice(sorted(asked))
            most = asked[offer_id, household_id]
            rejected = self.random.choice([0, 0, 0, 2])
            arrival = Arrival(
                UUID(int=self.key.int + 5000 + self.random.randint(0, 9)),
                offer_id,
                household_id,
                self.random.randint(0, most + 2),
                rejected,
                "dập nát" if rejected else None,
            )
            self.do(day, Weighed(arrival, may_exceed=self.random.random() < 0.3))

    def depart(self) -> None:
        self.do(self.random.choice(DAYS), Departed())

    def finish(self) -> Iterator[None]:
        """Everything closes, every round ends, most of what is asked arrives, and the trucks leave."""
        while self.open:
            self.close()
            yield
        for day in DAYS:
            while (known := self.market.days.get((self.key, day))) and known.asked.open:
                self.do(day, RepliesClosed(delivery_day=day, round=known.asked.round_no))
                yield
            for number, ((offer_id, household_id), steps) in enumerate(
                self.market.asked_steps((self.key, day)).items()
            ):
                arrival_id = UUID(int=self.key.int + 6000 + 100 * DAYS.index(day) + number)
                came = steps if self.random.random() < 0.7 else steps // 2
                self.do(day, Weighed(Arrival(arrival_id, offer_id, household_id, came)))
            self.do(day, Departed())
            yield


def play(stream: Stream, market: Market, seed: int, most: int = 14) -> Iterator[Played]:
    """The cooperative's days, after each move; each phase of `most` moves at most."""
    random = Random(seed)
    played = Played(stream, market, random)
    played.begin()
    yield played
    for phase in PHASES * random.choice([1, 1, 1, 2]):
        for _ in range(random.randint(2, most)):
            getattr(played, random.choice(phase if random.random() < 0.8 else ANYTHING))()
            yield played
    for _ in played.finish():
        yield played


seeds = st.integers(0, 2**32)
