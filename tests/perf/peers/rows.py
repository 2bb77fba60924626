"""A row of a result, whichever driver it came from."""

from typing import Any, Protocol


class Row(Protocol):
    """Columns by name."""

    def __getitem__(self, column: str, /) -> Any:
        """The value of the column."""
