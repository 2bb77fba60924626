"""Pace: whoever sends most of all that comes has its turn at intervals, so that its items share a transaction.

Each transaction costs as much as dozens of items, here and in every service behind. A flood of single items that found
a place each would take a transaction each, and with them the machine from the others; held for a moment, it takes a
few. Senders among equals are never held, nor is anybody while little comes.
"""

from collections import Counter, deque
from collections.abc import Hashable

RECENT = 32
"""So many of the last submissions are looked at; more than half of them make a flood, if all came within FLOOD_S."""
FLOOD_S = 1.0
BETWEEN_S = 0.1
"""From one turn of the flood to the next."""


class Pace:
    """Times are those of one monotonic clock, in seconds."""

    def __init__(self) -> None:
        self._recent: deque[tuple[Hashable, float]] = deque()
        self._counts = Counter[Hashable]()
        self._flooder: Hashable | None = None
        self._next_turn_s = 0.0

    def note(self, sender: Hashable, now_s: float) -> None:
        """Something came from this sender."""
        self._recent.append((sender, now_s))
        self._counts[sender] += 1
        if len(self._recent) > RECENT:
            gone, _ = self._recent.popleft()
            self._counts[gone] -= 1
            if not self._counts[gone]:
                del self._counts[gone]
        if self._flooder is None or not self._floods(self._flooder, now_s):
            self._flooder, self._next_turn_s = (sender if self._floods(sender, now_s) else None), now_s

    def _floods(self, sender: Hashable, now_s: float) -> bool:
        if len(self._recent) < RECENT or self._recent[0][1] <= now_s - FLOOD_S:
            return False
        return 2 * self._counts[sender] > RECENT

    def held(self, now_s: float) -> Hashable | None:
        """The sender whose turn is not yet, if there is one."""
        return self._flooder if now_s < self._next_turn_s else None

    @property
    def next_turn_s(self) -> float:
        """When it is."""
        return self._next_turn_s

    def had_turn(self, sender: Hashable, now_s: float) -> None:
        """Something of this sender is worked on from now on."""
        if sender == self._flooder:
            self._next_turn_s = now_s + BETWEEN_S
