"""The pace of a provider, with a clock that is turned by hand."""

import asyncio
import heapq
from datetime import timedelta
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notify.channels.pace import Pace, Rest
from services.notify.domain.delivery import Failed, Throttled


class Hands:
    """A clock that stands still until somebody turns it, and whoever sleeps by it."""

    def __init__(self) -> None:
        self.now = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._numbers = count()

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        woken = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.now + seconds, next(self._numbers), woken))
        await woken

    async def turn(self, to: float) -> None:
        """Everybody who sleeps until then wakes up at his time."""
        await self._settle()
        while self._sleepers and self._sleepers[0][0] <= to + 1e-9:
            self.now, _, woken = heapq.heappop(self._sleepers)
            if not woken.cancelled():
                woken.set_result(None)
            await self._settle()
        self.now = max(self.now, to)

    async def _settle(self) -> None:
        for _ in range(3):
            await asyncio.sleep(0)


async def _passed(hands: Hands, pace: Pace, passed: list[float]) -> None:
    await pace()
    passed.append(hands.now)


async def test_messages_leave_one_after_the_other_at_the_agreed_rate() -> None:
    hands, passed = Hands(), list[float]()
    pace = Pace(2, clock=hands.clock, sleep=hands.sleep)
    async with asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(_passed(hands, pace, passed))
        await hands.turn(1.0)
        assert passed == [0.0, 0.5, 1.0]
        await hands.turn(10.0)
    assert passed == [0.0, 0.5, 1.0, 1.5]


async def test_after_a_pause_a_burst_may_pass_at_once_and_no_more() -> None:
    hands, passed = Hands(), list[float]()
    pace = Pace(1, burst=3, clock=hands.clock, sleep=hands.sleep)
    for start in (0.0, 100.0):
        await hands.turn(start)
        async with asyncio.TaskGroup() as group:
            for _ in range(5):
                group.create_task(_passed(hands, pace, passed))
            await hands.turn(start + 50)
        assert passed == [start, start, start, start + 1, start + 2]
        passed.clear()


async def test_the_place_of_one_who_gives_up_stays_empty() -> None:
    hands, passed = Hands(), list[float]()
    pace = Pace(1, clock=hands.clock, sleep=hands.sleep)
    await pace()
    waiting = asyncio.create_task(_passed(hands, pace, passed))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    async with asyncio.TaskGroup() as group:
        group.create_task(_passed(hands, pace, passed))
        await hands.turn(2.0)
    assert passed == [2.0]


@given(st.lists(st.integers(0, 20), min_size=1, max_size=30), st.integers(1, 5), st.integers(1, 4))
def test_no_window_holds_more_than_the_rate_and_the_burst(gaps: list[int], per_second: int, burst: int) -> None:
    async def day() -> list[float]:
        hands, passed = Hands(), list[float]()
        pace = Pace(per_second, burst, hands.clock, hands.sleep)
        async with asyncio.TaskGroup() as group:
            for gap in gaps:
                group.create_task(_passed(hands, pace, passed))
                await hands.turn(hands.now + gap / 10)
            await hands.turn(hands.now + 100)
        return passed

    passed = asyncio.run(day())
    assert len(passed) == len(gaps)
    for first, start in enumerate(passed):
        for last, end in enumerate(passed[first:], 1):
            assert last <= burst + (end - start) * per_second + 1e-6


@pytest.mark.parametrize(("per_second", "burst"), [(0, 1), (-1, 1), (1, 0)])
def test_a_pace_that_lets_nothing_pass_is_refused(per_second: float, burst: int) -> None:
    with pytest.raises(ValueError, match="at least one"):
        Pace(per_second, burst)


def too_fast(seconds: float, asked: bool = True) -> Throttled:
    return Throttled("http_429", timedelta(seconds=seconds), asked)


def test_a_provider_is_left_alone_for_as_long_as_it_asked() -> None:
    hands = Hands()
    rest = Rest(hands.clock)
    assert rest.standing() is None
    rest.follow(too_fast(40))
    rest.follow(too_fast(10))
    hands.now = 25.0
    assert rest.standing() == too_fast(15)
    hands.now = 40.0
    assert rest.standing() is None


def test_what_a_provider_did_not_ask_for_is_no_rest() -> None:
    rest = Rest(Hands().clock)
    rest.follow(too_fast(40, asked=False))
    rest.follow(Failed("connection_failed"))
    assert rest.standing() is None
