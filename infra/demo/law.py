"""A law of the books, with what was compared and where it does not hold."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import asyncpg

Databases = Mapping[str, "asyncpg.Connection[asyncpg.Record]"]


@dataclass
class Invariant:
    """One law with the numbers that were compared; `faults` says in words where it does not hold."""

    name: str
    compared: dict[str, int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether no fault was found."""
        return not self.faults

    def must_equal(self, what: str, one: Any, other: Any) -> None:
        """Notes a fault where the two differ; of collections, a few of the members in which they do."""
        if one == other:
            return
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            differing = [key for key in {**one, **other} if one.get(key) != other.get(key)]
            shown = "; ".join(f"{key}: {one.get(key)} is not {other.get(key)}" for key in differing[:3])
            self.faults.append(f"{what}: {len(differing)} differ: {shown}")
        elif isinstance(one, set) and isinstance(other, set):
            extra, missing = sorted(one - other, key=str), sorted(other - one, key=str)
            self.faults.append(f"{what}: {len(extra)} too many {extra[:3]}, {len(missing)} missing {missing[:3]}")
        else:
            self.faults.append(f"{what}: {one} is not {other}")

    def must_have_compared(self, names: Collection[str]) -> None:
        """Notes a fault for each of these numbers that is 0: a law that compared nothing shows nothing."""
        self.faults += [f"no {name} were compared" for name in names if self.compared.get(name) == 0]

    def as_json(self) -> dict[str, Any]:
        """For the report; at most ten faults."""
        return {"holds": self.holds, "compared": self.compared, "faults": self.faults[:10]}


async def mapping(database: "asyncpg.Connection[asyncpg.Record]", query: str, *values: object) -> dict[Any, Any]:
    """A query of two columns as a mapping."""
    return {row[0]: row[1] for row in await database.fetch(query, *values)}
