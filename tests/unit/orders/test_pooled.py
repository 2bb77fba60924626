"""Orders of a campaign: split over two cooperatives, and the same in all as an order of one."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction
from itertools import count, permutations
from random import Random
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from services.orders.domain.command import OrderCommand
from services.orders.domain.intake import Books, Offers, Outcome, Reason, decide
from services.orders.domain.order import Offer, Order, OrderState, Product, SkuMapping
from services.orders.domain.pooled import Applied, Share, Table, Whole, apply, state_of_all, totals
from tests.unit.orders.books import NEXT_DAY, NOW, TOMORROW, line, push

VAN_HO, CHIENG_MAI = UUID(int=1), UUID(int=2)
SKUS = {"CAI": "kg", "SU": "bó"}
DAYS = (TOMORROW, NEXT_DAY)


def books_of(cooperative: int, closed: set[tuple[int, date]]) -> Books:
    """Both products on both days; those of (cooperative, day) that are closed are."""
    products = {sku: Product(UUID(int=cooperative * 100 + n), unit, 1000) for n, (sku, unit) in enumerate(SKUS.items())}
    offers = [
        Offer(
            UUID(int=cooperative * 10_000 + n * 100 + day.day),
            product.product_id,
            day,
            NOW + timedelta(hours=6),
            "closed" if (cooperative, day) in closed else "open",
        )
        for n, product in enumerate(products.values())
        for day in DAYS
    ]
    return Books({sku: SkuMapping(product, Fraction(1)) for sku, product in products.items()}, Offers.of(offers))


@dataclass
class Campaign:
    """One order in a campaign of two cooperatives, each of which gives ten of everything on both days."""

    shares: dict[UUID, int] = field(default_factory=lambda: {VAN_HO: 10, CHIENG_MAI: 10})
    closed: set[tuple[int, date]] = field(default_factory=set)
    whole: Whole | None = None
    parts: dict[UUID, Order] = field(default_factory=dict)
    taken: Counter[tuple[UUID, str, date]] = field(default_factory=Counter)
    ids: "count[int]" = field(default_factory=lambda: count(1000))

    def take(self, *commands: OrderCommand) -> Applied:
        """What the last of the pushes leads to, each in a transaction of its own."""
        for command in commands:
            applied = self.take_together(command)
        return applied

    def take_together(self, *commands: OrderCommand) -> Applied:
        """The same for pushes that share a transaction."""
        books = {seat: books_of(seat.int, self.closed) for seat in self.shares}
        offers = Offers.of(offer for own in books.values() for offer in own.offers.by_id.values())
        seats = {seat: Books(own.skus, offers) for seat, own in books.items()}
        shares = {
            (sku, day): [Share(seat, most, self.taken[seat, sku, day]) for seat, most in self.shares.items()]
            for sku in SKUS
            for day in DAYS
        }
        table = Table(list(self.shares), seats, shares)
        for command in commands:
            applied = apply(self.whole, self.parts, command, table, NOW, lambda: UUID(int=next(self.ids)))
            self.whole = applied.whole
            self.parts |= {part.partner_id: part.decision.order for part in applied.parts}
        self.taken.update(table.moved)
        assert self.taken == self.counted() + Counter(dict.fromkeys(self.taken, 0))
        return applied

    def counted(self) -> Counter[tuple[UUID, str, date]]:
        """(seat, SKU, day) → steps that are ordered."""
        found: Counter[tuple[UUID, str, date]] = Counter()
        for seat, order in self.parts.items():
            for one in order.ordered:
                assert one.delivery_day
                found[seat, one.sku, one.delivery_day] += one.quantity_steps
        return found

    def ordered(self) -> Counter[tuple[str, date]]:
        """(SKU, day) → steps over all cooperatives."""
        found: Counter[tuple[str, date]] = Counter()
        for (_, sku, day), steps in self.counted().items():
            found[sku, day] += steps
        return found

    def has(self, seat: UUID, sku: str = "CAI", day: date = TOMORROW) -> int:
        return self.counted()[seat, sku, day]


def test_an_order_is_told_to_those_who_serve_it_and_to_nobody_else() -> None:
    campaign = Campaign()
    first = campaign.take(push(0, line(1, "CAI", "4"), line(2, "SU", "3"), day=TOMORROW))
    assert (first.outcome, [part.partner_id for part in first.parts]) == (Outcome.PLACED, [VAN_HO])
    more = campaign.take(push(1, line(1, "CAI", "14"), line(2, "SU", "3"), day=TOMORROW))
    assert [(part.partner_id, part.decision.outcome) for part in more.parts] == [
        (VAN_HO, Outcome.UNCHANGED),
        (CHIENG_MAI, Outcome.PLACED),
    ]
    assert [campaign.has(VAN_HO), campaign.has(CHIENG_MAI)] == [4, 10]


def test_a_line_that_is_counted_anew_after_the_cut_off_is_not_ordered_twice() -> None:
    campaign = Campaign()
    campaign.take(push(0, line(1, "SU", "5"), line(2, "CAI", "5"), day=TOMORROW))
    campaign.closed = {(1, TOMORROW)}
    applied = campaign.take(push(1, line(1, "CAI", "5"), day=TOMORROW))
    assert campaign.ordered() == {("SU", TOMORROW): 5, ("CAI", TOMORROW): 5}
    assert applied.parts[0].decision.late_lines == {1}  # su su stays, and cải is what it was


def test_what_a_closed_offer_keeps_is_counted_whatever_shares_a_transaction() -> None:
    pushes = [push(1, line(1, "CAI", "2"), day=TOMORROW), push(2, line(1, "CAI", "5"), day=TOMORROW)]
    for cancel in (False, True):
        first = push(1, cancel=True) if cancel else pushes[0]
        together, apart = Campaign(), Campaign()
        for campaign in (together, apart):
            campaign.take(push(0, line(1, "CAI", "5"), day=TOMORROW))
            campaign.closed = {(1, TOMORROW)}
        together.take_together(first, pushes[1])
        apart.take(first, pushes[1])
        assert together.counted() == apart.counted() == {(VAN_HO, "CAI", TOMORROW): 5}


def test_another_day_is_placed_anew_and_only_what_has_closed_stays() -> None:
    campaign = Campaign()
    campaign.take(push(0, line(1, "CAI", "12"), day=TOMORROW))
    campaign.closed = {(1, TOMORROW)}
    kept = campaign.has(VAN_HO)
    campaign.take(push(1, line(1, "CAI", "12"), day=NEXT_DAY))
    assert campaign.ordered() == {("CAI", TOMORROW): kept}
    moved = Campaign()
    moved.take(push(0, line(1, "CAI", "12"), day=TOMORROW), push(1, line(1, "CAI", "9"), day=NEXT_DAY))
    assert moved.ordered() == {("CAI", NEXT_DAY): 9}


def test_what_is_more_goes_to_the_one_that_still_takes_orders() -> None:
    campaign = Campaign()
    campaign.take(push(0, line(1, "CAI", "4"), day=TOMORROW))
    campaign.closed = {(1, TOMORROW)}
    applied = campaign.take(push(1, line(1, "CAI", "9"), day=TOMORROW))
    assert [campaign.has(VAN_HO), campaign.has(CHIENG_MAI)] == [4, 5]
    assert not any(part.decision.late_lines for part in applied.parts)
    less = campaign.take(push(2, line(1, "CAI", "3"), day=TOMORROW))
    assert [campaign.has(VAN_HO), campaign.has(CHIENG_MAI)] == [4, 0]
    assert less.parts[0].decision.late_lines == {1}


def test_what_nobody_can_bring_is_refused_with_the_reason_and_the_rest_stays() -> None:
    campaign = Campaign()
    campaign.take(push(0, line(1, "CAI", "4"), day=TOMORROW))
    campaign.closed = {(1, TOMORROW), (2, TOMORROW)}
    applied = campaign.take(push(1, line(1, "CAI", "9"), day=TOMORROW))
    assert [(str(one.line.quantity), one.reason) for one in applied.whole.refused] == [("5", Reason.INTAKE_CLOSED)]
    assert campaign.has(VAN_HO) == 4
    assert state_of_all(applied.whole, list(campaign.parts.values())) is OrderState.PLACED
    (total,) = totals(applied.whole, campaign.parts)
    assert (len(total.own), total.refused) == (1, Reason.INTAKE_CLOSED)


def test_a_cooperative_whose_share_has_ended_keeps_what_it_has_and_gets_no_more() -> None:
    campaign = Campaign()
    campaign.take(push(0, line(1, "CAI", "4"), day=TOMORROW))
    campaign.shares = {VAN_HO: 0, CHIENG_MAI: 0}
    applied = campaign.take(push(1, line(1, "CAI", "6"), day=TOMORROW))
    assert campaign.ordered() == {("CAI", TOMORROW): 4}
    assert [one.reason for one in applied.whole.refused] == [Reason.NO_OFFER]
    fresh = Campaign({VAN_HO: 0, CHIENG_MAI: 0})
    assert fresh.take(push(0, line(1, "CAI", "6"))).parts == ()


def test_without_a_day_an_order_stays_on_the_day_that_was_found_and_a_day_that_is_asked_for_counts() -> None:
    campaign = Campaign(closed={(1, TOMORROW), (2, TOMORROW)})
    campaign.take(push(0, line(1, "CAI", "2")))
    campaign.closed = set()
    campaign.take(push(1, line(1, "CAI", "3")))
    assert campaign.ordered() == {("CAI", NEXT_DAY): 3}
    campaign.take(push(2, line(1, "CAI", "3"), day=TOMORROW), push(3, line(1, "CAI", "3")))
    assert campaign.ordered() == {("CAI", TOMORROW): 3}


def test_a_kept_part_of_one_line_is_no_answer_to_another_line_of_the_same_sku() -> None:
    campaign = Campaign()
    campaign.take(push(0, line(1, "SU", "12"), day=NEXT_DAY))
    campaign.closed = {(1, NEXT_DAY), (2, NEXT_DAY)}
    campaign.take(push(1, *(line(number, "SU", "1") for number in (1, 2, 3)), day=TOMORROW))
    assert campaign.ordered() == {("SU", NEXT_DAY): 12, ("SU", TOMORROW): 2}


def test_a_line_has_the_number_that_the_platform_gave_it_last() -> None:
    campaign, plain = Campaign(), Order(UUID(int=1))
    told = [
        push(0, line(1, "SU", "2"), line(2, "CAI", "2"), day=TOMORROW),
        push(1, line(1, "CAI", "1"), line(2, "SU", "2"), day=TOMORROW),
        push(2, line(1, "SU", "2"), line(2, "SU", "1"), day=NEXT_DAY),
    ]
    for command in told:
        closed = {TOMORROW} if command is told[-1] else set()
        campaign.closed = {(cooperative, day) for cooperative in (1, 2) for day in closed}
        campaign.take(command)
        plain = decide(plain, command, books_of(3, {(3, day) for day in closed}), NOW).order
    # What is kept was line 2 when its day closed: it answers "SU 1", and "SU 2" is for the next day.
    assert [one.quantity_steps for one in plain.ordered if one.sku == "SU" and one.delivery_day == NEXT_DAY] == [2]
    assert campaign.ordered() == {("SU", TOMORROW): 2, ("CAI", TOMORROW): 1, ("SU", NEXT_DAY): 2}


def test_lines_that_are_kept_though_nobody_asks_for_them_are_among_the_totals() -> None:
    campaign = Campaign()
    campaign.take(push(0, line(1, "CAI", "2"), day=TOMORROW))
    campaign.closed = {(1, TOMORROW)}
    cancelled = campaign.take(push(1, cancel=True))
    (total,) = totals(cancelled.whole, campaign.parts)
    assert (total.wanted, [one.quantity_steps for _, one in total.own]) == (None, [2])


LINES = st.lists(st.tuples(st.sampled_from([*SKUS, "GAO"]), st.sampled_from(["1", "4", "7.5", "12"])), max_size=3)
PUSHES = st.lists(st.tuples(LINES, st.sampled_from(DAYS)), min_size=1, max_size=5)


def commands_of(said: Sequence[tuple[Sequence[tuple[str, str]], date]]) -> list[OrderCommand]:
    """A push a minute; one without lines is a cancellation."""
    return [
        push(minute, *(line(n, *one) for n, one in enumerate(lines, 1)), day=day, cancel=not lines)
        for minute, (lines, day) in enumerate(said)
    ]


@settings(max_examples=500, deadline=None)
@given(
    said=PUSHES,
    order=st.randoms(use_true_random=False),
    closings=st.lists(st.tuples(st.integers(0, 5), st.sampled_from(DAYS)), max_size=2),
)
def test_in_all_it_is_what_an_order_of_one_cooperative_would_be(
    said: list[tuple[list[tuple[str, str]], date]], order: Random, closings: list[tuple[int, date]]
) -> None:
    commands = commands_of(said)
    order.shuffle(commands)
    campaign, plain, plainly_closed = Campaign(), Order(UUID(int=1)), set()
    for turn, command in enumerate(commands):
        closing = {day for at, day in closings if at == turn}
        campaign.closed |= {(one, day) for one in (1, 2) for day in closing}
        plainly_closed |= {(3, day) for day in closing}
        campaign.take(command)
        plain = decide(plain, command, books_of(3, plainly_closed), NOW).order
        found: Counter[tuple[str, date | None]] = Counter()
        for one in plain.ordered:
            found[one.sku, one.delivery_day] += one.quantity_steps
        assert campaign.ordered() == found


@settings(max_examples=200, deadline=None)
@given(said=PUSHES, closed_last=st.sampled_from([set(), {(1, TOMORROW)}, {(2, NEXT_DAY)}]))
def test_pushes_in_any_order_and_however_they_share_transactions_end_in_the_same_quantities(
    said: list[tuple[list[tuple[str, str]], date]], closed_last: set[tuple[int, date]]
) -> None:
    commands = commands_of(said)
    ends = []
    for turn, some in enumerate(permutations(commands[:4])):
        campaign = Campaign()
        (campaign.take_together if turn % 2 else campaign.take)(*some)
        ends.append(campaign.ordered())
        kept = campaign.counted()
        campaign.closed = closed_last
        campaign.take(push(60, cancel=True))
        assert campaign.counted() == Counter({key: n for key, n in kept.items() if (key[0].int, key[2]) in closed_last})
    assert all(end == ends[0] for end in ends)
