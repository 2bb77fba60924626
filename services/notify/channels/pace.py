"""How fast a provider is sent to: a token bucket, so that a burst does not run into the provider's own limit.

Each caller takes the next free place in a row of places that lie `1 / per_second` apart; after a pause, `burst` of them
may be taken at once. It holds for one process: where several send, each gets its share of the provider's limit.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable


class Pace:
    """Awaited before each message. `clock` gives seconds that never go back."""

    def __init__(
        self,
        per_second: float,
        burst: int = 1,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        if per_second <= 0 or burst < 1:
            raise ValueError("a pace lets at least one message pass")
        self._step_s, self._clock, self._sleep = 1 / per_second, clock, sleep
        self._ahead_s = (burst - 1) * self._step_s
        self._next_s = clock() - self._ahead_s

    async def __call__(self) -> None:
        """Returns when the caller's turn has come; turns are given in the order in which they were asked for."""
        now = self._clock()
        turn = max(self._next_s, now - self._ahead_s)
        self._next_s = turn + self._step_s
        if turn > now:
            await self._sleep(turn - now)
