"""Adding up what was sold, day by day, under a key: a channel, a partner, a product, a day or a cooperative."""

from collections.abc import Iterable
from dataclasses import dataclass
from operator import attrgetter
from typing import Protocol


class Part(Protocol):
    """What one day adds to a row."""

    @property
    def key(self) -> str: ...

    @property
    def name(self) -> str: ...

    @property
    def orders(self) -> int: ...

    @property
    def lines(self) -> int: ...

    @property
    def ordered_steps(self) -> int: ...

    @property
    def promised_steps(self) -> int: ...

    @property
    def promised_vnd(self) -> int: ...


@dataclass(slots=True)
class Row:
    """Sums under one key."""

    key: str
    name: str
    orders: int = 0
    lines: int = 0
    ordered_steps: int = 0
    promised_steps: int = 0
    promised_vnd: int = 0

    def add(self, part: Part) -> None:
        """Adds one part; its name counts, which is the newest where parts come by day."""
        self.name = part.name
        self.orders += part.orders
        self.lines += part.lines
        self.ordered_steps += part.ordered_steps
        self.promised_steps += part.promised_steps
        self.promised_vnd += part.promised_vnd


def add_up(rows: dict[str, Row], parts: Iterable[Part]) -> None:
    """Adds the parts to the rows, one for each key, in the order of keys as they came."""
    for part in parts:
        rows.setdefault(part.key, Row(part.key, part.name)).add(part)


def best_first(rows: Iterable[Row]) -> list[Row]:
    """The rows with the most money first; names decide between equals."""
    return sorted(sorted(rows, key=attrgetter("name", "key")), key=attrgetter("promised_vnd"), reverse=True)


def total(rows: Iterable[Row]) -> Row:
    """The sum of all rows. An order that stands in two of them counts twice."""
    found = Row("", "total")
    for row in rows:
        found.add(row)
    found.name = "total"
    return found
