"""How fast one partner may push: a token bucket each, kept as the one number that says when it will be full again.

All times are integers in nanoseconds of a clock that never goes back. A bucket that is full is not kept.
"""

from collections.abc import Hashable

SECOND = 1_000_000_000


class TokenBuckets:
    """Buckets of `burst` tokens, into which `per_second` tokens flow."""

    __slots__ = ("_each", "_full_at", "_look_at", "_most", "_room")

    def __init__(self, per_second: int, burst: int, most: int = 20_000) -> None:
        """Beyond `most` buckets those that are full by now are forgotten."""
        self._each, self._room = SECOND // per_second, SECOND // per_second * burst
        self._full_at: dict[Hashable, int] = {}
        self._most = self._look_at = most

    def take(self, key: Hashable, tokens: int, now: int) -> int:
        """Takes the tokens and returns 0; or takes none and returns after how many nanoseconds so many are there.

        More than a whole bucket are given once it is full: nobody can wait for more than there is room for.
        """
        before = self._full_at.get(key, now)
        full_at = (before if before > now else now) + self._each * tokens
        wait = full_at - now - max(self._room, self._each * tokens)
        if wait > 0:
            return wait
        self._full_at[key] = full_at
        if len(self._full_at) > self._look_at:
            self._forget(now)
        return 0

    def _forget(self, now: int) -> None:
        self._full_at = {key: full_at for key, full_at in self._full_at.items() if full_at > now}
        self._look_at = max(self._most, 2 * len(self._full_at))
