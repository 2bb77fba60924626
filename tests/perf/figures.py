"""What the benchmarks find: one JSON line per figure, a table for people, and all of it kept in .local/bench."""

import json
import operator
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parents[2] / ".local" / "bench"


@dataclass(frozen=True)
class Figure:
    """`ratio` is what the goal is about; `ours` and `reference` are what it was made of, in `unit`.

    The goal is `>=` or `<=` a number.
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
        compare, number = self.goal.split()
        return bool({">=": operator.ge, "<=": operator.le}[compare](self.ratio, float(number)))

    def as_json(self) -> str:
        """One line."""
        said = {"name": self.name, "unit": self.unit, "ours": self.ours, "reference": self.reference}
        return json.dumps(said | {"ratio": self.ratio, "goal": self.goal, "met": self.met} | self.other)


class Report:
    """Figures as they come, kept in a file of this run."""

    def __init__(self) -> None:
        RESULTS.mkdir(parents=True, exist_ok=True)
        self._path = RESULTS / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}.jsonl"
        self.figures: list[Figure] = []

    def add(self, figures: Sequence[Figure]) -> None:
        """Prints and keeps them."""
        for figure in figures:
            self.figures.append(figure)
            print(figure.as_json(), flush=True)
            with self._path.open("a") as file:
                file.write(figure.as_json() + "\n")

    def table(self) -> str:
        """All figures, a line each."""
        rows = [("figure", "ours", "reference", "ratio", "goal", "met", "unit")]
        rows += [
            (f.name, _text(f.ours), _text(f.reference), f"{f.ratio:.2f}", f.goal, "yes" if f.met else "NO", f.unit)
            for f in self.figures
        ]
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        return "\n".join(lines)


def _text(number: float) -> str:
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"
