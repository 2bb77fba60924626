"""How fast a provider is sent to: a token bucket, so that a burst does not run into the provider's own limit; and how
long it is left alone where it did.

Each caller takes the next free place in a row of places that lie `1 / per_second` apart; after a pause, `burst` of them
may be taken at once. It holds for one process: where several send, each gets its share of the provider's limit.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

from services.notify.domain.delivery import Outcome, Throttled


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


class Rest:
    """What a provider asked for, for as long as it asked for it; so long the next batches of this process wait too."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._asked: Throttled | None = None
        self._until_s = 0.0

    def follow(self, outcome: Outcome) -> None:
        """Takes note of what came of a message."""
        if isinstance(outcome, Throttled) and outcome.asked:
            until_s = self._clock() + outcome.pause.total_seconds()
            if until_s > self._until_s:
                self._asked, self._until_s = outcome, until_s

    def standing(self) -> Throttled | None:
        """What comes of every message now; None where the provider may be asked."""
        left_s = self._until_s - self._clock()
        return replace(self._asked, pause=timedelta(seconds=left_s)) if self._asked and left_s > 0 else None
