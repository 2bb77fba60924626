"""The rule by which a line of a campaign is placed with cooperatives."""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from services.orders.domain.command import CommandLine
from services.orders.domain.intake import Reason
from services.orders.domain.order import Product, SkuMapping
from services.orders.domain.pool import Pieces, Seat, place

KG = SkuMapping(Product(UUID(int=1), "kg", 500), Fraction(1))
BAG = SkuMapping(Product(UUID(int=1), "kg", 500), Fraction(3, 10))


def line(quantity: str, sku: str = "CAI", line_no: int = 1) -> CommandLine:
    return CommandLine(line_no, sku, Decimal(quantity))


def seats(*shares: int, taken: Sequence[int] = ()) -> list[Seat]:
    return [Seat(UUID(int=n), share, dict(enumerate(taken, 1)).get(n, 0)) for n, share in enumerate(shares, 1)]


def placed(count: int, steps: int, among: list[Seat], held: dict[int, int] | None = None) -> dict[int, int]:
    before = {UUID(int=n): pieces for n, pieces in (held or {}).items()}
    found, missing = place(Pieces(count, Decimal(1), steps), among, before, set())
    assert sum(found.values()) + missing == count
    return {partner_id.int: pieces for partner_id, pieces in found.items()}


def test_a_line_goes_whole_to_the_cooperative_that_has_taken_the_least_of_its_share() -> None:
    among = seats(100, 50, taken=[50, 20])
    assert placed(10, 1, among) == {1: 10}
    assert placed(10, 1, among) == {2: 10}


def test_a_line_for_which_no_share_has_room_is_filled_by_those_with_the_most_room() -> None:
    among = seats(30, 50, 10)
    assert placed(70, 1, among) == {2: 50, 1: 20}
    assert [seat.taken_steps for seat in among] == [20, 50, 0]


def test_what_is_beyond_all_shares_goes_to_the_cooperative_that_is_least_far() -> None:
    assert placed(100, 1, seats(30, 50)) == {2: 70, 1: 30}


def test_nobody_who_takes_no_orders_any_more_is_given_more() -> None:
    among = seats(10, 50)
    among[1].is_open = False
    assert placed(20, 1, among) == {1: 20}


def test_a_smaller_order_takes_back_from_the_fullest_and_leaves_the_others_what_they_have() -> None:
    assert placed(8, 1, seats(10, 10, taken=[3, 0]), {1: 6, 2: 5}) == {1: 3, 2: 5}


def test_without_a_share_nobody_gets_anything() -> None:
    assert placed(5, 1, seats(0, 10)) == {2: 5}
    closed = seats(0, 10)
    closed[1].is_open = False
    assert placed(5, 1, closed) == {}
    assert placed(5, 1, closed, {1: 2}) == {1: 2}


def test_a_line_goes_to_a_cooperative_that_serves_the_order_already() -> None:
    among = seats(100, 100, taken=[50, 0])
    found, _ = place(Pieces(5, Decimal(1), 1), among, {}, {UUID(int=1)})
    assert found == {UUID(int=1): 5}


def test_bags_stay_whole_and_every_piece_is_whole_steps() -> None:
    assert Pieces.of(line("10"), BAG) == Pieces(2, Decimal(5), 3)  # 5 bags of 300 g are 3 steps of 500 g
    assert Pieces.of(line("12.5"), KG) == Pieces(25, Decimal("0.5"), 1)
    assert Pieces.of(line("4"), KG) == Pieces(4, Decimal(1), 2)
    assert Pieces.of(line("7"), BAG) is Reason.NOT_IN_STEPS


AMOUNTS = st.integers(1, 60)


@settings(max_examples=500)
@given(
    quantity=st.decimals("0.001", "500", places=3),
    factor=st.fractions("1/10", 12, max_denominator=10),
    step=st.sampled_from([100, 250, 500, 1000]),
)
def test_pieces_add_up_to_the_line(quantity: Decimal, factor: Fraction, step: int) -> None:
    mapping = SkuMapping(Product(UUID(int=1), "kg", step), factor)
    pieces = Pieces.of(line(str(quantity)), mapping)
    exact = Fraction(quantity) * factor * 1000 / step
    if isinstance(pieces, Reason):
        assert exact.denominator != 1
        return
    assert pieces.count * pieces.quantity == quantity
    assert pieces.count * pieces.steps == exact
    if quantity == quantity.to_integral_value() and pieces.count > 1:
        assert pieces.quantity == pieces.quantity.to_integral_value()


@settings(max_examples=500)
@given(
    shares=st.lists(st.integers(0, 80), min_size=1, max_size=5),
    closed=st.sets(st.integers(0, 4)),
    orders=st.lists(st.tuples(AMOUNTS, AMOUNTS, st.integers(1, 3)), min_size=1, max_size=12),
)
def test_nobody_goes_beyond_its_share_while_another_has_room(
    shares: list[int], closed: set[int], orders: list[tuple[int, int, int]]
) -> None:
    among = seats(*shares)
    for index in closed & set(range(len(among))):
        among[index].is_open = False
    for first, then, steps in orders:
        held: dict[UUID, int] = {}
        for count in (first, then):  # the order comes, and changes
            before = {seat.partner_id: seat.taken_steps for seat in among}
            room = [seat.room(steps) for seat in among]
            pieces = Pieces(count, Decimal(1), steps)
            for seat in among:
                seat.taken_steps -= held.get(seat.partner_id, 0) * steps
            given_now, missing = place(pieces, among, held, set())
            more = count - sum(held.values())
            assert sum(given_now.values()) + missing == count
            assert not missing or not any(seat.gives for seat in among)
            for seat in among:
                change = given_now.get(seat.partner_id, 0) - held.get(seat.partner_id, 0)
                assert seat.taken_steps == before[seat.partner_id] + change * steps
                assert change * (more - missing) >= 0
                if change > 0 and seat.taken_steps > seat.share_steps:
                    assert not any(other.room(steps) for other in among if other is not seat)
            if more > 0 and max(room) >= more:
                assert len([1 for one in given_now if given_now[one] > held.get(one, 0)]) == 1
            held = given_now


@settings(max_examples=300)
@given(shares=st.lists(st.integers(1, 40), min_size=2, max_size=5))
def test_single_pieces_keep_all_cooperatives_equally_far(shares: list[int]) -> None:
    among = seats(*shares)
    for _ in range(sum(shares)):
        place(Pieces(1, Decimal(1), 1), among, {}, set())
        far = [Fraction(seat.taken_steps, seat.share_steps) for seat in among]
        assert max(far) - min(far) <= max(Fraction(1, share) for share in shares)
    assert all(seat.taken_steps == seat.share_steps for seat in among)
