"""notify's own histogram of how long telling took, read from its metrics, over several lives of its process."""

from collections import Counter
from dataclasses import dataclass, field

import httpx
from prometheus_client.parser import text_string_to_metric_families

NAME, KIND = "notify_told_seconds", "basket"


@dataclass(frozen=True)
class Histogram:
    """How many were told within each bound, the greatest of which is endless."""

    within: Counter[float] = field(default_factory=Counter)

    def __add__(self, other: "Histogram") -> "Histogram":
        return Histogram(self.within + other.within)

    @property
    def count(self) -> int:
        """All of them."""
        return max(self.within.values(), default=0)

    def quantile(self, part: float) -> float:
        """As Prometheus reckons it: even within a bucket, and no more than the last bound."""
        rank, below, below_count = part * self.count, 0.0, 0
        for bound in sorted(self.within):
            if self.within[bound] >= rank and self.within[bound] > below_count:
                if bound == float("inf"):
                    return below
                return below + (bound - below) * (rank - below_count) / (self.within[bound] - below_count)
            below, below_count = bound, self.within[bound]
        return below


async def read(client: httpx.AsyncClient, url: str) -> Histogram:
    """As the process at `url` shows it now."""
    answer = await client.get(f"{url}/metrics")
    samples = [it for family in text_string_to_metric_families(answer.text) for it in family.samples]
    return Histogram(
        Counter(
            {
                float(it.labels["le"]): int(it.value)
                for it in samples
                if it.name == f"{NAME}_bucket" and it.labels["kind"] == KIND
            }
        )
    )
