"""How a quantity is shared out among households: capped equal share in whole steps, with memory.

The one idea is water filling: each next step goes to the household that stands lowest, where a household's
standing is what it has had so far (its memory) plus what it gets now, in VND per share weight, and nobody is
filled above its cap. A household's steps stand at rising levels, so the greedy hand-out is the same as taking
the lowest steps of all, and a bisection on the level finds them without counting step by step.

Sources. Without memory and with equal weights this is the uniform rule in whole steps: the only rule that is
efficient, strategy-proof and treats equals equally (Sprumont 1991; Ching, Social Choice and Welfare 11, 1994;
indivisible goods: Herrero and Martínez 2011), and its outcome is at once leximin, decreasingly minimal and
least in the sum of squares (Frank and Murota, arXiv 2007.09616). With weights it is the divisor method of
Adams: the step goes to the least (had + got) / weight. Divisor methods are house-monotone: one step more
never takes from anyone.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Claim:
    """What one household may get at most, its share weight, and what it has had so far beyond its fair part.

    `memory_vnd` below zero means that the household is behind. Raises ValueError for a cap below 0 or a
    weight below 1.
    """

    household_id: UUID
    cap_steps: int
    weight: int = 1
    memory_vnd: int = 0

    def __post_init__(self) -> None:
        if self.cap_steps < 0:
            raise ValueError(f"household {self.household_id}: cap_steps is {self.cap_steps}, must be 0 or more")
        if self.weight < 1:
            raise ValueError(f"household {self.household_id}: weight is {self.weight}, must be 1 or more")


@dataclass(frozen=True, slots=True)
class WaterLevel:
    """Where the water stands: the steps that lie wholly below it, and who is level for what is left.

    `left_steps` (fewer than there are `level_households`) go one each to some of `level_households`, all of
    whose next step stands exactly at the level: nothing but a lot can tell them apart.
    """

    steps_below: dict[UUID, int]
    level_households: tuple[UUID, ...]
    left_steps: int


@dataclass(frozen=True, slots=True)
class Filled:
    """A water level by position: the steps wholly below it, who is level for what is left, and how much that is."""

    steps_below: list[int]
    level: list[int]
    left_steps: int


def find_level(total_steps: int, claims: Iterable[Claim], step_value_vnd: int) -> WaterLevel:
    """Find the level to which `total_steps` (or the sum of the caps, if that is less) fill the claims.

    O(n log(range)). Raises ValueError for a negative total, a step value below 1, or a household that claims twice.
    """
    ordered = sorted(claims, key=lambda claim: claim.household_id.int)
    for before, after in pairwise(ordered):
        if before.household_id == after.household_id:
            raise ValueError(f"household {after.household_id} claims twice")
    filled = fill(total_steps, [(claim.memory_vnd, claim.weight, claim.cap_steps) for claim in ordered], step_value_vnd)
    steps_of = {claim.household_id: steps for claim, steps in zip(ordered, filled.steps_below, strict=True)}
    return WaterLevel(steps_of, tuple(ordered[number].household_id for number in filled.level), filled.left_steps)


def fill(total_steps: int, rows: Sequence[tuple[int, int, int]], step_value_vnd: int) -> Filled:
    """What `find_level` finds, for rows of (memory_vnd, weight, cap_steps), which are not checked again.

    Step k (from 0) of a household stands at (memory + step_value * k) / weight. Two such fractions that
    differ do so by at least 1 / (greatest weight)², so on a grid of that width one cell holds one value at
    most, and whole numbers are exact. The level is bisected until few steps lie between; those are sorted.
    """
    if total_steps < 0:
        raise ValueError(f"total_steps is {total_steps}, must be 0 or more")
    if step_value_vnd < 1:
        raise ValueError(f"step_value_vnd is {step_value_vnd}, must be 1 or more")
    caps = [cap for _, _, cap in rows]
    if total_steps >= sum(caps):
        return Filled(caps, [], 0)

    grid = max(weight for _, weight, _ in rows) ** 2
    rise = step_value_vnd * grid
    scaled = [(memory_vnd * grid, weight, cap) for memory_vnd, weight, cap in rows]

    def steps_below(level: int) -> list[int]:
        # As many steps lie below the level as multiples of `rise`, counted from the memory on: rounded up.
        return [
            0 if (steps := -((had - level * weight) // rise)) <= 0 else steps if steps < cap else cap
            for had, weight, cap in scaled
        ]

    low, below = min(had // weight for had, weight, _ in scaled), [0] * len(scaled)
    high, up_to = max((had + rise * cap) // weight for had, weight, cap in scaled) + 1, caps
    below_low, below_high = 0, sum(caps)  # never more than total_steps, always more
    while below_high - below_low > 2 * len(scaled):  # at a width of 1 each has one step between at most
        middle = (low + high) // 2
        found = steps_below(middle)
        if (below_middle := sum(found)) <= total_steps:
            low, below, below_low = middle, found, below_middle
        else:
            high, up_to, below_high = middle, found, below_middle

    between = sorted(
        (had + rise * step) // weight
        for (had, weight, _), first, last in zip(scaled, below, up_to, strict=True)
        for step in range(first, last)
    )
    level = between[total_steps - below_low]  # the cell of the first step that is not handed out for sure
    below, up_to = steps_below(level), steps_below(level + 1)
    level_rows = [number for number, (steps, more) in enumerate(zip(below, up_to, strict=True)) if more > steps]
    return Filled(below, level_rows, total_steps - sum(below))


def draw_lots(level: WaterLevel, tie_seed: bytes) -> tuple[UUID, ...]:
    """Name the households that get the steps left at the level: the first by sha256(tie_seed + household id).

    The same on every machine; with a seed that differs from offer to offer no household always wins.
    """
    return tuple(by_lot(level.level_households, tie_seed)[: level.left_steps]) if level.left_steps else ()


def by_lot(households: Iterable[UUID], tie_seed: bytes) -> list[UUID]:
    """The households in the order of their lots."""
    return sorted(households, key=lambda household: lot(tie_seed, household))


def lot(tie_seed: bytes, claimant_id: UUID) -> bytes:
    """The lot of a claimant; the lowest comes first."""
    return sha256(tie_seed + claimant_id.bytes).digest()


def share_out(total_steps: int, claims: Iterable[Claim], step_value_vnd: int, tie_seed: bytes) -> dict[UUID, int]:
    """Hand out min(total_steps, sum of the caps): the steps of every household that claims, 0 included.

    Each next step goes to the open household with the least (memory + step_value * steps so far) / weight,
    ties by lot. The order of the claims does not matter. Raises ValueError as `find_level` does.
    """
    level = find_level(total_steps, claims, step_value_vnd)
    shares = dict(level.steps_below)
    for household_id in draw_lots(level, tie_seed):
        shares[household_id] += 1
    return shares


# -- Memory --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FairnessEntry:
    """One household on one delivery day: the value assigned to it, and its fair part of that day's total."""

    household_id: UUID
    assigned_vnd: int
    fair_vnd: int


def day_entries(
    assigned_vnd: Mapping[UUID, int], pledged_vnd: Mapping[UUID, int], weights: Mapping[UUID, int]
) -> list[FairnessEntry]:
    """Weigh a day: each household that offered goods (the keys of `pledged_vnd`) against its fair part.

    The fair parts are the capped equal share of the day's total in VND: in proportion to the weights, but nobody's
    above the value that it pledged, so that a tiny pledge cannot build up the debt of a full one. They add up to
    the total, so the differences add up to zero. A household that did not offer gets no entry: debt grows only
    on days when it offered, as an empty queue earns nothing in deficit round robin (Shreedhar and Varghese
    1995). Raises ValueError for a weight below 1, or more assigned to a household than it pledged.
    """
    for household_id in pledged_vnd:
        if weights[household_id] < 1:
            raise ValueError(f"household {household_id}: weight is {weights[household_id]}, must be 1 or more")
    for household_id, vnd in assigned_vnd.items():
        if vnd > pledged_vnd.get(household_id, 0):
            raise ValueError(
                f"household {household_id}: {vnd} VND assigned, but {pledged_vnd.get(household_id, 0)} pledged"
            )
    fair_vnd = _fair_parts(sum(assigned_vnd.values()), pledged_vnd, weights)
    households = sorted(pledged_vnd, key=lambda household: household.int)
    return [FairnessEntry(household, assigned_vnd.get(household, 0), fair_vnd[household]) for household in households]


def _fair_parts(total_vnd: int, caps_vnd: Mapping[UUID, int], weights: Mapping[UUID, int]) -> dict[UUID, int]:
    """Split the total by weight up to the caps, in whole VND by largest remainder (Hamilton; ties by id).

    The first to reach its cap is the one with the least cap per weight. Who is below its cap when rounded down
    is not above it when rounded up, as caps are whole.
    """
    parts: dict[UUID, int] = {}
    left_vnd, left_weight = total_vnd, sum(weights[household] for household in caps_vnd)
    grid = max((weights[household] for household in caps_vnd), default=1) ** 2  # exact, as in `fill`
    rising = sorted(caps_vnd, key=lambda household: (caps_vnd[household] * grid // weights[household], household.int))
    for household in rising:
        if caps_vnd[household] * left_weight > left_vnd * weights[household]:
            break
        parts[household] = caps_vnd[household]
        left_vnd -= caps_vnd[household]
        left_weight -= weights[household]
    below = sorted(rising[len(parts) :], key=lambda household: household.int)
    parts |= {household: left_vnd * weights[household] // left_weight for household in below}
    by_remainder = sorted(below, key=lambda household: -(left_vnd * weights[household] % left_weight))
    for household in by_remainder[: total_vnd - sum(parts.values())]:
        parts[household] += 1
    return parts


def memory(entries_in_window: Iterable[FairnessEntry], cap_vnd: int) -> dict[UUID, int]:
    """Sum up assigned - fair per household over the window, held within ±`cap_vnd`.

    The cap keeps an old imbalance from deciding whole days to come. Raises ValueError for a negative cap.
    """
    if cap_vnd < 0:
        raise ValueError(f"cap_vnd is {cap_vnd}, must be 0 or more")
    balances: defaultdict[UUID, int] = defaultdict(int)
    for entry in entries_in_window:
        balances[entry.household_id] += entry.assigned_vnd - entry.fair_vnd
    return {household: max(-cap_vnd, min(cap_vnd, balance)) for household, balance in balances.items()}


def debt_cap(entries: Sequence[FairnessEntry]) -> int:
    """Two average days: twice the mean value assigned per household and day of the window, rounded down."""
    if not entries:
        return 0
    return 2 * sum(entry.assigned_vnd for entry in entries) // len(entries)
