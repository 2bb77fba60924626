"""What this process has appended to the log of late, so that its relay need not read it back.

A shortcut only: what is not here, or does not follow what was relayed last, is read from the log.
"""

from collections import deque
from collections.abc import Mapping
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg

Row: TypeAlias = Mapping[str, Any] | asyncpg.Record
"""A row of the event log, with the lane of its stream."""

MOST_CHARACTERS = 1_048_576
"""Of data that is kept, about; with more, all is forgotten and read from the log."""


class Fresh:
    """The newest rows of the streams of one lane."""

    def __init__(self) -> None:
        self._rows: dict[UUID, deque[Row]] = {}
        self._characters = 0

    def add(self, row: Row) -> None:
        """Keeps a row that has been committed."""
        if self._characters > MOST_CHARACTERS:
            self._rows.clear()
            self._characters = 0
        self._rows.setdefault(row["stream"], deque()).append(row)
        self._characters += len(row["data"])

    def take(self, stream: UUID, relayed: int | None, most: int) -> list[Row] | None:
        """What follows the event that was `relayed` last, at most so many; None where only the log can tell.

        What is taken, and what was relayed before, is kept no longer.
        """
        own = self._rows.get(stream)
        if own is None or relayed is None:
            return None
        while own and own[0]["sequence"] <= relayed:
            self._drop(own)
        if own and own[0]["sequence"] != relayed + 1:
            return None
        found: list[Row] = []
        while own and len(found) < most and own[0]["sequence"] == relayed + len(found) + 1:
            found.append(self._drop(own))
        if not own:
            del self._rows[stream]
        return found

    def _drop(self, own: deque[Row]) -> Row:
        row = own.popleft()
        self._characters -= len(row["data"])
        return row
