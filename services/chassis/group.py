"""Group commit: what is submitted while transactions are under way goes into the next one together.

There is no timer. A submission that finds a free place is worked on at once; under load hundreds share a
transaction, and its costs. The senders take turns, so that the flood of one does not stand before the others.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Generic, TypeVar

from services.chassis.faults import is_weather

T = TypeVar("T")
R = TypeVar("R")


class Overloaded(Exception):
    """More is waiting than can be remembered; the sender should come again later."""


class _Submission(Generic[T, R]):
    __slots__ = ("items", "results")

    def __init__(self, items: Sequence[T], results: "asyncio.Future[Sequence[R]]") -> None:
        self.items, self.results = items, results


class Group(Generic[T, R]):
    """Hands what was submitted to `work`, at least `most` items at a time if so many wait.

    `work` answers each item, in their order, or raises and has changed nothing. At most `side_by_side` calls of it
    are under way.
    """

    def __init__(
        self,
        work: Callable[[Sequence[T]], Awaitable[Sequence[R]]],
        *,
        most: int,
        most_waiting: int,
        side_by_side: int,
    ) -> None:
        self._work, self._most, self._most_waiting, self._places = work, most, most_waiting, side_by_side
        self._waiting: dict[Hashable, deque[_Submission[T, R]]] = {}
        """By sender; whose turn is next stands first."""
        self._waiting_items = 0
        self._workers: set[asyncio.Task[None]] = set()

    async def submit(self, sender: Hashable, items: Sequence[T]) -> Sequence[R]:
        """The answers to the items, which share one transaction. Raises what `work` raises for them, and Overloaded.

        A caller that is cancelled leaves it open whether its items were worked on.
        """
        if self._waiting_items + len(items) > self._most_waiting:
            raise Overloaded(f"{self._waiting_items} items are waiting")
        results: asyncio.Future[Sequence[R]] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(sender, deque()).append(_Submission(items, results))
        self._waiting_items += len(items)
        if len(self._workers) < self._places:
            worker = asyncio.create_task(self._work_on_what_waits())
            self._workers.add(worker)
            worker.add_done_callback(self._workers.discard)
        return await results

    async def _work_on_what_waits(self) -> None:
        while batch := self._take():
            await self._work_on(batch)

    def _take(self) -> list[_Submission[T, R]]:
        """One submission of each sender in turn, until there is enough; those that gave up are left out."""
        batch: list[_Submission[T, R]] = []
        taken = 0
        while self._waiting and taken < self._most:
            sender, queue = next(iter(self._waiting.items()))
            submission = queue.popleft()
            del self._waiting[sender]
            if queue:
                self._waiting[sender] = queue
            self._waiting_items -= len(submission.items)
            if not submission.results.done():
                batch.append(submission)
                taken += len(submission.items)
        return batch

    async def _work_on(self, batch: Sequence[_Submission[T, R]]) -> None:
        """A failure that is no weather is the fault of one submission; the others do not fail with it."""
        try:
            answers = iter(await self._work([item for submission in batch for item in submission.items]))
        except Exception as error:  # noqa: BLE001 - those who submitted get it
            if len(batch) > 1 and not is_weather(error):
                for submission in batch:
                    await self._work_on([submission])
                return
            for submission in batch:
                if not submission.results.done():
                    submission.results.set_exception(error)
            return
        for submission in batch:
            own = [next(answers) for _ in submission.items]
            if not submission.results.done():
                submission.results.set_result(own)
