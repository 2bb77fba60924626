"""Group commit: what is submitted while transactions are under way goes into the next one together.

A submission that finds a free place is worked on at once; under load hundreds of items share a transaction, and its
costs. Where submissions follow each other closely, a group takes its turns at intervals. The senders take turns of
SHARE, so that the flood of one does not stand before the others; where a group is `paced`, a flood of small submissions
has its turns at longer intervals (pace.py).
"""

import asyncio
import contextvars
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Hashable, Sequence
from typing import Generic, TypeVar

from services.chassis.faults import is_weather
from services.chassis.pace import Pace

SHARE = 50
"""What one sender may put into a transaction before the others have had their turn, by weight."""

T = TypeVar("T")
R = TypeVar("R")


class Overloaded(Exception):
    """More is waiting than can be remembered; the sender should come again later."""


class _Submission(Generic[R]):
    """What becomes of the items that were submitted together."""

    __slots__ = ("_left", "done", "results")

    def __init__(self, items: int) -> None:
        self.results: list[R | Exception] = [Exception("not worked on")] * items
        self._left = items
        self.done: asyncio.Future[list[R | Exception]] = asyncio.get_running_loop().create_future()

    def answer(self, index: int, result: R | Exception) -> None:
        self.results[index] = result
        self._left -= 1
        if not self._left and not self.done.done():
            self.done.set_result(self.results)


class _Item(Generic[T, R]):
    __slots__ = ("_answered", "_index", "_submission", "value", "weight")

    def __init__(self, value: T, weight: int, submission: _Submission[R], index: int) -> None:
        self.value, self.weight, self._submission, self._index = value, weight, submission, index
        self._answered = False

    @property
    def is_wanted(self) -> bool:
        return not self._submission.done.done()

    def answer(self, result: R | Exception) -> None:
        """The first answer counts."""
        if not self._answered:
            self._answered = True
            self._submission.answer(self._index, result)


class _Queue(Generic[T, R]):
    """What one sender has waiting."""

    __slots__ = ("items", "weight")

    def __init__(self) -> None:
        self.items: deque[_Item[T, R]] = deque()
        self.weight = 0


class Group(Generic[T, R]):
    """Hands what was submitted to `work`, at most about `most` at a time, counted by `weigh`.

    `work` answers each item, in their order, or raises and has changed nothing. At most `side_by_side` calls of it
    are under way. More than `most_waiting` in all, or `most_of_one` of one sender, is refused, except by itself.
    Where less than `most` waits, a call begins no sooner than `every_s` after the one before: the first goes at once,
    and what follows on its heels goes together.
    """

    def __init__(
        self,
        work: Callable[[Sequence[T]], Awaitable[Sequence[R]]],
        *,
        most: int,
        most_waiting: int,
        most_of_one: int,
        side_by_side: int,
        weigh: Callable[[T], int] = lambda _: 1,
        every_s: float = 0,
        paced: bool = False,
    ) -> None:
        self._work, self._weigh, self._places = work, weigh, side_by_side
        self._most, self._most_waiting, self._most_of_one = most, most_waiting, most_of_one
        self._waiting: dict[Hashable, _Queue[T, R]] = {}
        """By sender; whose turn is next stands first."""
        self._weight = 0
        self._workers: set[asyncio.Task[None] | None] = set()
        self._every_s, self._next_turn_s = every_s, 0.0
        self._pace = Pace() if paced else None
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_at_s = 0.0
        """When what is held goes on."""

    async def submit(self, sender: Hashable, values: Sequence[T]) -> Sequence[R | Exception]:
        """What became of each value: its answer, or the error that it alone is to blame for, or the weather.

        They need not share a transaction. Raises Overloaded. A caller that is cancelled leaves it open whether its
        values were worked on.
        """
        if not values:
            return []
        weights = [self._weigh(value) for value in values]
        queue = self._waiting.get(sender) or _Queue[T, R]()
        own, all_in_all = queue.weight + sum(weights), self._weight + sum(weights)
        if (queue.weight and own > self._most_of_one) or (self._weight and all_in_all > self._most_waiting):
            raise Overloaded(f"{queue.weight} of this sender and {self._weight} in all are waiting")
        submission = _Submission[R](len(values))
        queue.items.extend(
            _Item(value, weight, submission, index)
            for index, (value, weight) in enumerate(zip(values, weights, strict=True))
        )
        queue.weight, self._weight = own, all_in_all
        self._waiting[sender] = queue
        if self._pace is not None:
            self._pace.note(sender, asyncio.get_running_loop().time())
        self._start_worker()
        return await submission.done

    def _start_worker(self) -> None:
        if len(self._workers) < self._places:
            # Of nobody's trace: the worker goes on for others.
            worker = asyncio.create_task(self._work_on_what_waits(), context=contextvars.Context())
            self._workers.add(worker)

    async def _work_on_what_waits(self) -> None:
        try:
            while batch := self._take():
                await self._work_on(batch)
        finally:
            self._workers.discard(asyncio.current_task())  # before anybody can submit again

    def _take(self) -> list[_Item[T, R]]:
        """A share of each sender in turn, until there is enough; what nobody waits for any more is left out."""
        batch: list[_Item[T, R]] = []
        now_s = asyncio.get_running_loop().time()
        if self._waiting and self._weight < self._most and now_s < self._next_turn_s:
            self._go_on_at(self._next_turn_s)
            return batch
        taken, held = 0, self._held(now_s)
        while len(self._waiting) > len(held) and taken < self._most:
            sender, queue = next((sender, queue) for sender, queue in self._waiting.items() if sender not in held)
            del self._waiting[sender]
            if self._pace is not None:
                self._pace.had_turn(sender, now_s)
            share = 0
            while queue.items and share < SHARE:
                item = queue.items.popleft()
                queue.weight -= item.weight
                self._weight -= item.weight
                if item.is_wanted:
                    batch.append(item)
                    share += item.weight
            taken += share
            if queue.items:
                self._waiting[sender] = queue
        if batch:
            self._next_turn_s = now_s + self._every_s
        return batch

    def _held(self, now_s: float) -> Collection[Hashable]:
        """Who waits for its turn, and has not enough for one yet; an alarm goes off when it is."""
        if self._pace is None:
            return ()
        held = self._pace.held(now_s)
        queue = self._waiting.get(held)
        if queue is None or queue.weight >= SHARE:
            return ()
        self._go_on_at(self._pace.next_turn_s)
        return (held,)

    def _go_on_at(self, time_s: float) -> None:
        """At this time, or before."""
        if self._alarm is not None:
            if self._alarm_at_s <= time_s:
                return
            self._alarm.cancel()
        self._alarm, self._alarm_at_s = asyncio.get_running_loop().call_at(time_s, self._go_on), time_s

    def _go_on(self) -> None:
        self._alarm = None
        if self._waiting:
            self._start_worker()

    async def _work_on(self, batch: Sequence[_Item[T, R]]) -> None:
        """Answers every item, also where this task is cancelled on the way."""
        try:
            await self._try(batch)
        finally:
            for item in batch:
                item.answer(ConnectionError("the work was broken off"))

    async def _try(self, batch: Sequence[_Item[T, R]]) -> None:
        """A failure that is no weather is the fault of one item; the others do not fail with it."""
        try:
            answers = await self._work([item.value for item in batch])
            answered: list[tuple[_Item[T, R], R | Exception]] = list(zip(batch, answers, strict=True))
        except Exception as error:  # noqa: BLE001 - those who submitted get it
            if len(batch) > 1 and not is_weather(error):
                for item in batch:
                    await self._try([item])
                return
            answered = [(item, error) for item in batch]
        for item, answer in answered:
            item.answer(answer)
