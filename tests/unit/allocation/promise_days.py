"""Random market days for the tests of the promise: mixed ones, and ones that crowd around one offer."""

from collections.abc import Iterator, Sequence
from uuid import UUID

from hypothesis import strategies as st

from services.allocation.domain.books import Cancel, Change, CloseIntake, Command, Place, SetSupply, Wanted

OFFERS = [UUID(int=number) for number in (1, 2, 3)]
ORDERS = [UUID(int=number) for number in range(101, 109)]
A, B = OFFERS[:2]
FIRST, SECOND, THIRD = ORDERS[:3]

_offers, _orders, _steps = st.sampled_from(OFFERS), st.sampled_from(ORDERS), st.integers(0, 6)
_wanted = st.lists(st.builds(Wanted, st.integers(1, 3), _offers, _steps), max_size=4).map(tuple)
_closings = st.builds(CloseIntake, _offers, st.sampled_from([False, False, True]))
_commands: st.SearchStrategy[Command] = st.one_of(
    st.builds(Place, _orders, _wanted),
    st.builds(Place, _orders, _wanted),
    st.builds(Change, _orders, _wanted),
    st.builds(Cancel, _orders),
    st.builds(SetSupply, _offers, st.integers(0, 15)),
    st.builds(SetSupply, _offers, st.just(0), st.just(True)),
    # Rare, because little can happen on an offer once it is closed.
    st.integers(0, 3).flatmap(lambda n: _closings if n == 0 else st.builds(Cancel, _orders)),
)
_mixed_days = st.lists(_commands, max_size=40)

_one_line = st.integers(1, 4).map(lambda steps: (Wanted(1, A, steps),))
_crowding = st.one_of(
    st.builds(Change, _orders, _one_line),
    st.builds(Cancel, _orders),
    st.builds(SetSupply, st.just(A), st.integers(0, 15)),
)
# One offer, wanted by every order: long queues, and much that is freed, lost and waited for within one batch.
_crowded_days = st.builds(
    lambda supply, steps, then: [
        SetSupply(A, supply),
        *(Place(order, (Wanted(1, A, n),)) for order, n in zip(ORDERS, steps, strict=True)),
        *then,
    ],
    st.integers(0, 15),
    st.lists(st.integers(1, 4), min_size=len(ORDERS), max_size=len(ORDERS)),
    st.lists(_crowding, min_size=2, max_size=20),
)
days: st.SearchStrategy[list[Command]] = _mixed_days | _crowded_days


def batches(day: Sequence[Command], sizes: Sequence[int]) -> Iterator[Sequence[Command]]:
    start = 0
    for size in [*sizes, len(day)]:
        yield day[start : start + size]
        start += size
