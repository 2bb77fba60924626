"""Room: how much of what came in is held at once."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Room(Generic[T]):
    """Makes things one after the other, in the order in which they were asked for, where those in use weigh less than
    `most`: all together weigh less than that and one more, and one that is heavier by itself has its turn too.
    """

    def __init__(self, most: int, weigh: Callable[[T], int]) -> None:
        self._most, self._weigh = most, weigh
        self._held = 0
        self._turn = asyncio.Lock()
        self._given_back = asyncio.Event()

    @contextlib.asynccontextmanager
    async def holding(self, make: Callable[[], T]) -> AsyncIterator[T]:
        """What `make` returns, in use to the end of the block. What it raises is raised, and takes no room."""
        async with self._turn:
            while self._held >= self._most:
                self._given_back.clear()
                await self._given_back.wait()
            made = make()
            weight = self._weigh(made)
            self._held += weight
        try:
            yield made
        finally:
            self._held -= weight
            self._given_back.set()
