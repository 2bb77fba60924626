"""Whole days from the first pledge to the settlement: whatever happens in between, everything adds up."""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from uuid import UUID

from hypothesis import given, settings

from services.allocation.domain.books import Line
from tests.integration.allocation.market import Stream
from tests.unit.allocation.kept_market import Day, Departed, Market
from tests.unit.allocation.played_days import HOUSEHOLDS, Act, play, seeds

law = settings(max_examples=2000, deadline=None, derandomize=True)


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
