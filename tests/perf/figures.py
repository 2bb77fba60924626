"""What the benchmarks find: one JSON line per figure, a table for people, and all of it kept in .local/bench."""

import json
import math
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parents[2] / ".local" / "bench"


@dataclass(frozen=True)
class Figure:
    """`ratio` is what the goal is about; `ours` and `reference` are what it was made of, in `unit`.

    The goal is `>=` or `<=` a number, and is compared with the ratio as it was measured. Written down, a ratio is
    rounded away from the goal's side, so that no miss looks like a goal that is met.
    """

    name: str
    unit: str
    ours: float
    reference: float
    ratio: float
    goal: str
    other: dict[str, Any] = field(default_factory=dict)

    @property
    def met(self) -> bool:
        """Whether the ratio reaches the goal."""
        return self.ratio >= self._number if self._at_least else self.ratio <= self._number

    def rounded(self, digits: int) -> float:
        """The ratio with so many decimals: down where the goal is a least, up where it is a most."""
        scale: int = 10**digits
        return (math.floor if self._at_least else math.ceil)(self.ratio * scale) / scale

    def as_json(self, **more: object) -> str:
        """One line, with what else is to be told."""
        said = {"name": self.name, "unit": self.unit, "ours": self.ours, "reference": self.reference}
        return json.dumps(said | {"ratio": self.rounded(4), "goal": self.goal, "met": self.met} | self.other | more)

    @property
    def _at_least(self) -> bool:
        return self.goal.startswith(">=")

    @property
    def _number(self) -> float:
        return float(self.goal.split()[1])


class Report:
    """Figures as they come, kept in a file of this run."""

    def __init__(self, rounds: int) -> None:
        RESULTS.mkdir(parents=True, exist_ok=True)
        self._path = RESULTS / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}.jsonl"
        self._rounds = rounds
        self.figures: list[Figure] = []

    def add(self, figure: Figure) -> None:
        """Prints and keeps it."""
        self.figures.append(figure)
        line = figure.as_json(rounds=self._rounds)
        print(line, flush=True)
        with self._path.open("a") as file:
            file.write(line + "\n")

    def table(self) -> str:
        """All figures, a line each."""
        rows = [("figure", "ours", "reference", "ratio", "goal", "met", "unit")]
        rows += [
            (f.name, _text(f.ours), _text(f.reference), f"{f.rounded(2):.2f}", f.goal, "yes" if f.met else "NO", f.unit)
            for f in self.figures
        ]
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        return "\n".join(lines)


def _text(number: float) -> str:
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"
