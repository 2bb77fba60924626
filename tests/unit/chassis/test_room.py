import asyncio
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.chassis.room import Room

MOST = 10
MOST_VISITS = 12


class Visits:
    """Things of these weights are made and used; `leave` ends the use of one."""

    def __init__(self, weights: list[int]) -> None:
        self.room = Room[int](MOST, lambda number: weights[number])
        self.entered: list[int] = []
        self.leaving = [asyncio.Event() for _ in weights]
        self.tasks = [asyncio.create_task(self._visit(number)) for number in range(len(weights))]

    async def _visit(self, number: int) -> None:
        async with self.room.holding(lambda: number) as made:
            self.entered.append(made)
            await self.leaving[number].wait()

    async def leave(self, number: int) -> None:
        self.leaving[number].set()
        async with asyncio.timeout(5):
            await self.tasks[number]
        await rest()


async def rest() -> None:
    """Until nobody can go on: each of those who wait hands its turn on in one turn of the loop."""
    for _ in range(2 * MOST_VISITS):
        await asyncio.sleep(0)


@given(
    weights=st.lists(st.integers(min_value=0, max_value=2 * MOST), min_size=1, max_size=MOST_VISITS),
    choices=st.lists(st.integers(min_value=0, max_value=100), min_size=MOST_VISITS, max_size=MOST_VISITS),
)
def test_all_enter_in_their_order_as_soon_as_those_inside_weigh_less_than_the_most(
    weights: list[int], choices: list[int]
) -> None:
    async def scenario() -> None:
        visits = Visits(weights)
        await rest()
        inside: list[int] = []
        waiting = list(range(len(weights)))
        for choice in choices[: len(weights)]:
            while waiting and sum(weights[number] for number in inside) < MOST:
                inside.append(waiting.pop(0))
            assert visits.entered == list(range(len(weights) - len(waiting)))
            await visits.leave(inside.pop(choice % len(inside)))
        assert visits.entered == list(range(len(weights)))

    asyncio.run(scenario())


async def test_who_is_cancelled_inside_gives_the_room_back() -> None:
    visits = Visits([MOST, 1])
    await rest()
    visits.tasks[0].cancel()
    with suppress(asyncio.CancelledError):
        await visits.tasks[0]
    await visits.leave(1)
    assert visits.entered == [0, 1]


async def test_what_cannot_be_made_takes_no_room() -> None:
    def fail() -> int:
        raise ValueError("not to be read")

    room = Room[int](1, lambda _: 1)
    for _ in range(3):
        with pytest.raises(ValueError, match="not to be read"):
            async with asyncio.timeout(5), room.holding(fail):
                pass
    async with asyncio.timeout(5), room.holding(lambda: 7) as made:
        assert made == 7


async def test_who_no_longer_waits_holds_up_nobody() -> None:
    visits = Visits([MOST, 1, 1, 1])
    await rest()
    assert visits.entered == [0]
    for number in (1, 2):  # the one whose turn it is, and one behind it
        visits.tasks[number].cancel()
        with suppress(asyncio.CancelledError):
            await visits.tasks[number]
    await visits.leave(0)
    assert visits.entered == [0, 3]
    await visits.leave(3)


async def test_work_that_fails_gives_its_room_back() -> None:
    room = Room[int](1, lambda _: 1)
    for _ in range(3):
        with pytest.raises(KeyError):
            async with asyncio.timeout(5), room.holding(lambda: 1):
                raise KeyError
