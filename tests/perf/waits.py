"""How long orders waited for their promise, by the subject's own books."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from uuid import UUID

import asyncpg

from tests.perf.subject import Subject

Dues = Mapping[tuple[UUID, str], float]
"""When the order of a partner with this name is due, in seconds."""

_PROMISED = (
    "select partner_id, partner_ref, promised_at, extract(epoch from received_at)::float8 as received_at_s,"
    " extract(epoch from pg_xact_commit_timestamp(xmin))::float8 as promised_at_s from customer_order"
    " where starts_with(partner_ref, $1) and cooperative_id is distinct from $2"
)
"""The promise is the last that was written of an order. It is timed as it commits, before the disk has confirmed it."""


@dataclass(frozen=True)
class Promises:
    """`waits_s` from when an order was to be sent to its promise; `seconds` from the first push to the last promise."""

    waits_s: list[float]
    seconds: float


async def promises(subject: Subject, run: str, due_at_s: Dues, but: UUID | None = None) -> Promises:
    """Those of the orders that were named after `run`, without the cooperative `but`. All of them are promised.

    They wait from the moment at which they were due (since 1970), not from that at which a busy server reads them.
    """
    connection = await asyncpg.connect(subject.dsns["orders"])
    try:
        rows = await connection.fetch(_PROMISED, f"{run}-", but)
    finally:
        await connection.close()
    assert all(row["promised_at"] for row in rows), f"orders of {run} are not promised"
    seconds = max(row["promised_at_s"] for row in rows) - min(row["received_at_s"] for row in rows)
    waits_s = [
        row["promised_at_s"] - due_at_s[row["partner_id"], row["partner_ref"]] for row in (rows if due_at_s else ())
    ]
    return Promises(waits_s, seconds)


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that so large a share of the values does not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def median_quantile_ms(rounds: Sequence[Sequence[float]], share: float) -> float:
    """The median of the rounds' quantiles; given in seconds, told in milliseconds."""
    return 1000 * median(quantile(values_s, share) for values_s in rounds)


def summary_ms(rounds: Sequence[Sequence[float]]) -> dict[str, float]:
    """What is reported of waits, and on how many orders it stands; a quantile only where it is not the greatest."""
    shares = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}
    found = {
        name: round(median_quantile_ms(rounds, share), 2)
        for name, share in shares.items()
        if all(len(waits_s) * (1 - share) >= 1 for waits_s in rounds)
    }
    return found | {"orders": sum(map(len, rounds))}
