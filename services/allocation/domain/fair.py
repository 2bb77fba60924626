"""The cut-off of a fair offer: its supply is shared among all lines, tier by tier, by capped equal share.

The one idea: a tier is a pool, its lines are the claimants of `sharing`, each up to what it asks for, all of equal
weight and without memory. A tier that the supply covers gets all; what is left goes to the next.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from uuid import UUID

from services.allocation.domain.sharing import Claim, lot, share_out


@dataclass(frozen=True, slots=True)
class Asking:
    """One line: what it asks for, and the least that is useful to it (at most so much)."""

    line_id: UUID
    tier: int
    steps: int
    minimum_steps: int = 1


@dataclass(frozen=True, slots=True)
class FairShares:
    """What each line gets, and the lines that get nothing because they would have got less than their minimum."""

    steps: dict[UUID, int]
    dropped: frozenset[UUID]


def share_by_tier(supply_steps: int, askings: Iterable[Asking], tie_seed: bytes) -> FairShares:
    """Share the supply out; lines that come after it is used up get 0. The order of the askings does not matter.

    Within a tier, lines that would get less than their minimum are dropped one after the other, and the rest is
    shared again, until everyone who is left has its minimum. All lines that miss it stand at the same level, so the
    smallest fill is that of the largest minimum: it is dropped first, and of equal ones who comes last by lot.
    What is left over is then less than the minimum of any line that was dropped.
    """
    steps: dict[UUID, int] = {}
    dropped: set[UUID] = set()
    left_steps = supply_steps
    for _, own in groupby(sorted(askings, key=lambda asking: asking.tier), key=lambda asking: asking.tier):
        tier = list(own)
        shares = _share_tier(left_steps, tier, tie_seed) if left_steps else dict.fromkeys((x.line_id for x in tier), 0)
        dropped |= {asking.line_id for asking in tier if asking.line_id not in shares}
        steps |= {asking.line_id: shares.get(asking.line_id, 0) for asking in tier}
        left_steps -= sum(shares.values())
    return FairShares(steps, frozenset(dropped))


def _share_tier(supply_steps: int, tier: Sequence[Asking], tie_seed: bytes) -> dict[UUID, int]:
    """The shares of all lines that are not dropped.

    Dropping a line takes nothing from the others, so once nobody misses its minimum, nobody ever will: the first
    such point in the order of dropping is found by bisection, in O(n log² n).
    """
    shares = _share(supply_steps, tier, tie_seed)
    if _all_useful(tier, shares):
        return shares
    keeping = sorted(tier, key=lambda asking: (asking.minimum_steps, lot(tie_seed, asking.line_id)))
    kept, too_many = 0, len(keeping)
    while too_many - kept > 1:
        middle = (kept + too_many) // 2
        if _all_useful(keeping[:middle], _share(supply_steps, keeping[:middle], tie_seed)):
            kept = middle
        else:
            too_many = middle
    return _share(supply_steps, keeping[:kept], tie_seed)


def _share(supply_steps: int, lines: Sequence[Asking], tie_seed: bytes) -> dict[UUID, int]:
    return share_out(supply_steps, [Claim(asking.line_id, asking.steps) for asking in lines], 1, tie_seed)


def _all_useful(lines: Sequence[Asking], shares: dict[UUID, int]) -> bool:
    """A line without a minimum that gets nothing takes nothing from the others: it need not be dropped."""
    return all(asking.minimum_steps == 1 or shares[asking.line_id] >= asking.minimum_steps for asking in lines)
