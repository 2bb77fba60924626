"""Whole days from the first pledge to the settlement, whatever happens in between and in whatever order.

Offers change and are withdrawn, orders come before their offer and after its cut-off, households answer, decline, keep
silent and answer too late, goods arrive short, rejected, twice and more than asked, trucks leave, and late offers begin
a day again. All that adds up, and cooperatives have nothing to do with each other.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random
from typing import Any
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from services.allocation.domain.arrivals import Arrival
from services.allocation.domain.books import Line
from services.chassis.inbox import Received
from services.contracts.allocation import RepliesClosed, TruckDeparted
from tests.integration.allocation.market import CAI_MEO, DAY, NOON, SU_SU, Stream
from tests.unit.allocation.kept_market import Day, Departed, Market, Weighed

law = settings(max_examples=2000, deadline=None, derandomize=True)

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
        if self.open:
            number = self.random.choice(sorted(self.open))
            self.open.discard(number)
            day = self.offers[number][1]
            closes_day = not any(self.offers[other][1] == day for other in self.open)
            self.hear(self.stream.closed(number, closes_day, day))

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


# -- Laws ----------------------------------------------------------------------------------------------------


def of_offers(lines: Sequence[Line], of: Callable[[Line], int]) -> Counter[UUID]:
    sums: Counter[UUID] = Counter()
    for line in lines:
        sums[line.offer_id] += of(line)
    return sums


def assert_promises_add_up(market: Market) -> None:
    """ordered = promised + short + cancelled, of every place and so of every offer; never more than there is."""
    lines = list(market.promises.lines.values())
    for line in lines:
        assert line.ordered_steps == line.promised_steps + line.short_steps + line.cancelled_steps
        assert 0 <= line.shorted_steps <= line.promised_steps
        assert (line.reason is None) == (line.short_steps == line.shorted_steps == 0)
    net_steps = of_offers(lines, lambda line: line.net_steps)
    for offer_id, book in market.promises.books.items():
        assert 0 <= book.promised_net_steps == net_steps[offer_id] <= book.supply_steps


def assert_baskets_add_up(market: Market) -> None:
    """Σ household items = promised - shorted; nobody above its pledge, and nobody asked for more than it can carry.

    What minimums leave over is of no use to any order: it is asked for, and stays with the cooperative.
    """
    for day in market.days.values():
        for offer in day.asked.offers:
            pledges = dict(market.terms[offer.offer_id].pledges)
            items = [(b, i) for b in day.asked.baskets for i in b.items if i.offer_id == offer.offer_id]
            assert all(item.most_steps <= pledges[basket.household_id] for basket, item in items)
            stands = sum(basket.standing_steps()[offer.offer_id] for basket, _ in items)
            book = market.promises.books[offer.offer_id]
            coming_steps = offer.promised_net_steps - offer.missing_steps
            if day.asked.open:  # what is freed waits
                assert stands <= coming_steps
            else:
                assert stands == coming_steps
            assert book.promised_net_steps <= coming_steps
            assert book.promised_net_steps == coming_steps or book.largest_minimum > 1
        for basket in day.asked.baskets:
            load_grams = day.load_grams.get(basket.household_id)
            grams = sum(item.quantity_steps * (market.terms[item.offer_id].step_grams or 0) for item in basket.items)
            assert load_grams is None or grams <= load_grams


def assert_everybody_was_told_once(market: Market) -> None:
    """Each version of a basket once, counted without a gap; and no order twice of one cause."""
    assert all(times == 1 for times in market.said.values())
    versions = defaultdict(set)
    for words in market.said:
        if words[0] == "basket":
            versions[words[1], words[2]].add(words[3])
    assert versions == {key: set(range(1, state.version + 1)) for key, state in market.told.items()}
    held = {(b.household_id, day): b.version for (_, day), of in market.days.items() for b in of.asked.baskets}
    assert held == {key: state.version for key, state in market.told.items()}


def assert_accounts_add_up(market: Market) -> None:
    """Σ settlements = Σ accepted x price - fees, to the đồng; and what is remembered is what was accepted."""
    accepted_vnd: Counter[Day] = Counter()
    for key, arrival in market.arrivals.values():
        if arrival.offer_id in market.settled:
            accepted_vnd[key] += arrival.accepted_steps * market.terms[arrival.offer_id].step_value_vnd
    for key, entries in market.booked.items():
        gross_vnd, fee_vnd = sum(x.gross_vnd for x in entries), sum(x.fee_vnd for x in entries)
        assert gross_vnd == accepted_vnd[key]
        assert sum(x.net_vnd for x in entries) == accepted_vnd[key] - fee_vnd
        assert all(0 <= x.fee_vnd <= x.gross_vnd for x in entries)
    for own in market.entries.values():
        for day in {day for day, _ in own}:
            of_day = [entry for (one, _), entry in own.items() if one == day]
            assert sum(x.assigned_vnd for x in of_day) == sum(x.fair_vnd for x in of_day)


def assert_the_truck_left_rightly(before: Counter[UUID], market: Market, act: Act) -> None:
    """Orders get what arrived and no more, line by line from the lots; the fee is that of the whole truck."""
    key, _ = act
    assert key is not None
    accepted: Counter[UUID] = Counter()
    for _, arrival in market.arrivals.values():
        accepted[arrival.offer_id] += arrival.accepted_steps
    lines: Counter[tuple[UUID, UUID, int]] = Counter()
    for line in market.promises.lines.values():
        if line.net_steps:
            lines[line.offer_id, line.order_id, line.line_no] += line.net_steps
    for offer_id in (one for one in before if market.terms[one].delivery_day == key[1]):
        net_steps = market.promises.books[offer_id].promised_net_steps
        assert net_steps <= min(before[offer_id], accepted[offer_id])
        assert net_steps == min(before[offer_id], accepted[offer_id]) or (
            market.promises.books[offer_id].largest_minimum > 1
        )
        filled: Counter[tuple[UUID, UUID, int]] = Counter()
        for part in market.parts.get(offer_id, ()):
            filled[offer_id, part.order_id, part.line_no] += part.quantity_steps
        assert filled == Counter({place: steps for place, steps in lines.items() if place[0] == offer_id})


def assert_orders_know_what_was_delivered(market: Market) -> None:
    """Of every line of a settled offer that was promised something: promised - shorted, also when it is nothing."""
    delivered = {
        (line.offer_id, order_id, line.line_no): line.net_steps
        for (_, order_id), lines in market.delivered.items()
        for line in lines
    }
    held: Counter[tuple[UUID, UUID, int]] = Counter()
    promised: set[tuple[UUID, UUID, int]] = set()
    for line in market.promises.lines.values():
        held[line.offer_id, line.order_id, line.line_no] += line.net_steps
        if line.offer_id in market.settled and line.promised_steps:
            promised.add((line.offer_id, line.order_id, line.line_no))
    assert promised <= delivered.keys()
    assert all(held[place] == steps for place, steps in delivered.items())
    of_offer: Counter[UUID] = Counter()
    for place, steps in delivered.items():
        of_offer[place[0]] += steps
    for offer_id in market.settled:
        assert of_offer[offer_id] == market.promises.books[offer_id].promised_net_steps


@law
@given(seeds)
def test_whatever_happens_to_a_day_everything_adds_up_from_the_pledge_to_the_settlement(seed: int) -> None:
    market, acts = Market(), 0
    before: Counter[UUID] = Counter()
    booked = 0
    for played in play(Stream(1, HOUSEHOLDS), market, seed):
        assert_promises_add_up(market)
        assert_baskets_add_up(market)
        assert_everybody_was_told_once(market)
        assert_accounts_add_up(market)
        assert_orders_know_what_was_delivered(market)
        new = played.acts[acts:]
        if new and isinstance(new[-1][1].event, Departed):
            assert_the_truck_left_rightly(before, market, new[-1])
            entries = [x for own in market.booked.values() for x in own][booked:]
            permille = market.policies[played.key].day.fee_permille
            assert sum(x.fee_vnd for x in entries) == (sum(x.gross_vnd for x in entries) * permille + 500) // 1000
        acts, booked = len(played.acts), sum(map(len, market.booked.values()))
        before = Counter(
            {
                offer.offer_id: market.promises.books[offer.offer_id].promised_net_steps
                for day in market.days.values()
                for offer in day.asked.offers
            }
        )
    assert all(not day.asked.open and not day.asked.offers for day in market.days.values())


# -- Cooperatives side by side -------------------------------------------------------------------------------


def kept(market: Market) -> dict[str, Any]:
    """All that is kept, and what households were told; promises may be said together where events come together."""
    return {
        "books": market.promises.books,
        "lines": market.promises.lines,
        "terms": market.terms,
        "assigned": market.assigned,
        "settled": market.settled,
        "days": market.days,
        "told": market.told,
        "entries": {key: own for key, own in market.entries.items() if own},
        "arrivals": market.arrivals,
        "booked": market.booked,
        "parts": market.parts,
        "baskets": {words for words in market.said if words[0] == "basket"},
    }


def interleaved(random: Random, streams: Sequence[Sequence[Act]]) -> list[Act]:
    """Each stream in its own order, and nothing else is certain."""
    left = [list(acts) for acts in streams]
    merged = []
    while any(left):
        acts = random.choices(left, [len(own) for own in left])[0]
        merged.append(acts.pop(0))
    return merged


def play_again(acts: Sequence[Act], random: Random) -> Market:
    """Events that come one after the other are cut into runs; a command stands alone."""
    market, run = Market(load_all=False), list[Received[Any]]()
    for key, received in acts:
        if key is not None or len(run) >= random.randint(1, 12):
            market.take_in(*run)
            run.clear()
        if key is None:
            run.append(received)
        else:
            assert market.command(key, received)
    market.take_in(*run)
    return market


@law
@given(seeds, seeds, seeds)
def test_cooperatives_come_out_the_same_however_their_events_come_mixed_and_cut(
    first: int, second: int, mixing: int
) -> None:
    alone, acts = [], []
    for number, seed in ((1, first), (2, second)):
        market = Market()
        *_, played = play(Stream(number, HOUSEHOLDS), market, seed, most=7)
        alone.append(kept(market))
        acts.append(played.acts)
    random = Random(mixing)
    together = kept(play_again(interleaved(random, acts), random))
    for name, found in together.items():
        assert found == alone[0][name] | alone[1][name], name
