"""Which messages of a channel may be acknowledged: all at once up to the first that is not finished.

One partner's messages may take long. So that they do not hold up those of the others, what is finished behind them
is acknowledged one by one when it becomes much.
"""

from collections.abc import Iterable


class Acknowledgements:
    """Of one channel, whose tags count from 1. At most about `most_behind` finished ones wait for others."""

    def __init__(self, most_behind: int) -> None:
        self._most_behind = most_behind
        self._first = 1
        """The first that is not finished, or whose end is not known yet."""
        self._finished: set[int] = set()
        self._told: set[int] = set()
        """Those of the finished that the broker knows of already."""

    def finish(self, tags: Iterable[int]) -> None:
        """These need not come again."""
        self._finished.update(tags)

    def due(self) -> list[tuple[int, bool]]:
        """(tag, whether all before it are meant too), to be told the broker now; it refuses a tag told twice."""
        due: list[tuple[int, bool]] = []
        last = 0
        while self._first in self._finished:
            if self._first in self._told:
                self._told.remove(self._first)
            else:
                last = self._first
            self._finished.remove(self._first)
            self._first += 1
        if last:
            due.append((last, True))
        if len(self._finished) - len(self._told) >= self._most_behind:
            behind = sorted(self._finished - self._told)
            self._told.update(behind)
            due += [(tag, False) for tag in behind]
        return due
