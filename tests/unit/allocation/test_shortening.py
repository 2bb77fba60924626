"""A shortfall in the books: what is lost is lost by places, and the books stay in balance."""

from collections import defaultdict
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from services.allocation.domain.books import Line, OfferBook, Reason, Shorted
from services.allocation.domain.departure import deliveries
from services.allocation.domain.shortening import Coming, shorten
from services.allocation.domain.shortfall import SharingRule

OFFERS = [UUID(int=1), UUID(int=2)]
ORDERS = [UUID(int=number) for number in range(11, 15)]


def place(offer: UUID, position: int, order: UUID, line_no: int, net: int, shorted: int = 0, tier: int = 5) -> Line:
    reason = Reason.PLEDGES_REDUCED if shorted else None
    return Line(order, line_no, offer, position, net + shorted, net + shorted, 0, shorted, 0, reason, tier)


@st.composite
def offers(draw: st.DrawFn) -> tuple[dict[UUID, OfferBook], list[Line], list[Coming]]:
    lines, books, coming = [], {}, []
    for offer in OFFERS:
        rows = draw(
            st.lists(
                st.tuples(st.sampled_from(ORDERS), st.integers(1, 2), st.integers(0, 6), st.integers(0, 2)), max_size=7
            )
        )
        tiers = draw(st.lists(st.integers(1, 3), min_size=8, max_size=8))
        own = [place(offer, n, o, no, net, shorted, tiers[n]) for n, (o, no, net, shorted) in enumerate(rows)]
        lines += [line for line in own if line.ordered_steps]
        net_steps = sum(line.net_steps for line in own)
        books[offer] = OfferBook(offer, net_steps + draw(st.integers(0, 3)), net_steps, open=False)
        coming.append(Coming(offer, draw(st.integers(0, net_steps + 2)), draw(st.sampled_from(SharingRule))))
    return books, lines, coming


@settings(max_examples=2000)
@given(offers())
def test_what_is_promised_afterwards_is_what_is_coming_and_every_step_of_it_is_accounted_for(
    made: tuple[dict[UUID, OfferBook], list[Line], list[Coming]],
) -> None:
    books, lines, coming = made
    decision = shorten(coming, books, lines)
    after = {(line.offer_id, line.position): line for line in lines}
    after |= {(line.offer_id, line.position): line for line in decision.lines}
    new_books = books | {book.offer_id: book for book in decision.books}
    for one in coming:
        net_steps = sum(line.net_steps for line in after.values() if line.offer_id == one.offer_id)
        assert net_steps == new_books[one.offer_id].promised_net_steps
        assert net_steps == min(one.available_steps, books[one.offer_id].promised_net_steps)
    for line in after.values():
        assert line.ordered_steps == line.promised_steps + line.short_steps + line.cancelled_steps
        assert 0 <= line.shorted_steps <= line.promised_steps
        assert (line.reason is None) == (line.short_steps == 0 and line.shorted_steps == 0)


@settings(max_examples=2000)
@given(offers())
def test_each_order_is_told_once_and_exactly_what_its_lines_lost(
    made: tuple[dict[UUID, OfferBook], list[Line], list[Coming]],
) -> None:
    books, lines, coming = made
    decision = shorten(coming, books, lines)
    lost: defaultdict[tuple[UUID, int, UUID], int] = defaultdict(int)
    before = {(line.offer_id, line.position): line for line in lines}
    for line in decision.lines:
        was = before[line.offer_id, line.position]
        lost[line.order_id, line.line_no, line.offer_id] += was.net_steps - line.net_steps
    told = {
        (effect.order_id, line.line_no, line.offer_id): line.before_net_steps - line.after_net_steps
        for effect in decision.effects
        if isinstance(effect, Shorted)
        for line in effect.lines
    }
    assert told == lost
    assert len({effect.order_id for effect in decision.effects}) == len(decision.effects)


@settings(max_examples=1000)
@given(offers())
def test_what_is_delivered_of_an_offer_is_what_was_shared_out_and_no_line_gets_more_than_it_was_promised(
    made: tuple[dict[UUID, OfferBook], list[Line], list[Coming]],
) -> None:
    books, lines, coming = made
    after = {(line.offer_id, line.position): line for line in (*lines, *shorten(coming, books, lines).lines)}
    delivered = [(order_id, line) for order_id, own in deliveries(after.values()).items() for line in own]
    for one in coming:
        steps = sum(line.net_steps for _, line in delivered if line.offer_id == one.offer_id)
        assert steps == min(one.available_steps, books[one.offer_id].promised_net_steps)
    places: defaultdict[tuple[UUID, int, UUID], int] = defaultdict(int)
    for place in lines:
        places[place.order_id, place.line_no, place.offer_id] += place.promised_steps
    assert {(order_id, line.line_no, line.offer_id): line.promised_steps for order_id, line in delivered} == places
    assert all(0 <= line.net_steps <= line.promised_steps for _, line in delivered)


def test_a_line_of_which_nothing_was_ever_promised_is_not_among_what_was_delivered() -> None:
    short = Line(ORDERS[0], 1, OFFERS[0], 1, 5, 0, 5, reason=Reason.SOLD_OUT)
    lost = place(OFFERS[1], 1, ORDERS[0], 2, 0, shorted=3)
    ((order_id, lines),) = deliveries([short, lost]).items()
    assert (order_id, [(line.line_no, line.net_steps) for line in lines]) == (ORDERS[0], [(2, 0)])
    assert deliveries([short]) == {}


@settings(max_examples=500)
@given(offers())
def test_shortening_to_the_same_again_changes_nothing(
    made: tuple[dict[UUID, OfferBook], list[Line], list[Coming]],
) -> None:
    books, lines, coming = made
    first = shorten(coming, books, lines)
    after = {(line.offer_id, line.position): line for line in (*lines, *first.lines)}
    second = shorten(coming, books | {book.offer_id: book for book in first.books}, after.values())
    assert (second.books, second.lines, second.effects) == ((), (), ())


def test_the_newest_place_of_a_line_loses_first() -> None:
    lines = [place(OFFERS[0], 1, ORDERS[0], 1, 4), place(OFFERS[0], 2, ORDERS[0], 1, 3)]
    book = OfferBook(OFFERS[0], 7, 7, open=False)
    decision = shorten([Coming(OFFERS[0], 3, SharingRule.EQUAL)], {OFFERS[0]: book}, lines)
    assert [(line.position, line.net_steps) for line in decision.lines] == [(2, 0), (1, 3)]


def test_a_line_that_would_get_less_than_is_useful_to_it_is_told_so() -> None:
    kitchen = replace(place(OFFERS[0], 1, ORDERS[0], 1, 4), minimum_steps=4)
    shop, other = place(OFFERS[0], 2, ORDERS[1], 1, 4), place(OFFERS[1], 1, ORDERS[0], 2, 3)
    books = {OFFERS[0]: OfferBook(OFFERS[0], 8, 8, open=False), OFFERS[1]: OfferBook(OFFERS[1], 3, 3, open=False)}
    coming = [Coming(offer_id, 2, SharingRule.EQUAL) for offer_id in OFFERS]
    decision = shorten(coming, books, [kitchen, shop, other])
    shorted = [effect for effect in decision.effects if isinstance(effect, Shorted)]
    assert [(x.order_id, [(y.after_net_steps, y.reason) for y in x.lines]) for x in shorted] == [
        (ORDERS[0], [(0, "below_minimum"), (2, "not_delivered")]),
        (ORDERS[1], [(2, "not_delivered")]),
    ]
    assert [line.reason for line in decision.lines] == ["below_minimum", "not_delivered", "not_delivered"]


def test_nothing_is_missing_of_an_offer_that_still_takes_orders() -> None:
    book = OfferBook(OFFERS[0], 7, 0, open=True)
    with pytest.raises(ValueError, match="its intake is open"):
        shorten([Coming(OFFERS[0], 3, SharingRule.EQUAL)], {OFFERS[0]: book}, [])
