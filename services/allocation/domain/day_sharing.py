"""Several products of one day shared out one after the other, with a running balance and a running load.

What a household got of an earlier product counts as memory for the next, and weighs on what it can still carry.
Members and what they pledge are named by position here, since a day may be shared out many times before it is right.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from uuid import UUID

from services.allocation.domain.sharing import by_lot, fill


@dataclass(frozen=True, slots=True)
class Member:
    """A household on that day. `load_grams` is what it can still carry; None: as much as it likes.

    Raises ValueError for a weight below 1 or a load below 0.
    """

    household_id: UUID
    weight: int
    memory_vnd: int
    load_grams: int | None = None

    def __post_init__(self) -> None:
        if self.weight < 1:
            raise ValueError(f"household {self.household_id}: weight is {self.weight}, must be 1 or more")
        if self.load_grams is not None and self.load_grams < 0:
            raise ValueError(f"household {self.household_id}: load_grams is {self.load_grams}, must be 0 or more")


@dataclass(frozen=True, slots=True)
class Portion:
    """What is to be shared out of one product, among whom. `step_grams` None: its weight is not known or counted."""

    total_steps: int
    step_value_vnd: int
    step_grams: int | None
    tie_seed: bytes
    pledges: tuple[tuple[int, int], ...]  # (position of the member, steps above 0), by position

    def cap_steps(self, pledged_steps: int, room_grams: int | None) -> int:
        """The most that can be asked: the pledge, but no more whole steps than there is room for."""
        if room_grams is None or self.step_grams is None:
            return pledged_steps
        return min(pledged_steps, room_grams // self.step_grams)


@dataclass(frozen=True, slots=True)
class Shared:
    """How one portion was shared out: row for row, in the order of its pledges, of those who are asked."""

    members: list[int]
    pledged_steps: list[int]
    rows: list[tuple[int, int, int]]  # (memory_vnd with that of today, weight, cap_steps)
    steps: list[int]
    drawn: frozenset[int]  # members whose last step was drawn by lot


@dataclass(frozen=True, slots=True)
class SharedDay:
    """All portions as they were shared out, and what each member brings in all, in VND."""

    portions: list[Shared]
    brought_vnd: list[int]

    def missing_steps(self, portions: Sequence[Portion]) -> list[int]:
        """What of each portion nobody can bring."""
        return [asked.total_steps - sum(shared.steps) for asked, shared in zip(portions, self.portions, strict=True)]


def share_day(portions: Sequence[Portion], members: Sequence[Member], asked: Sequence[bool]) -> SharedDay:
    """Share out the portions in their order among the members that are asked.

    Each portion to its last step, or as far as pledges and loads go. Raises ValueError as `fill` does.
    """
    brought_vnd = [0] * len(members)
    room = [member.load_grams for member in members]
    shares = []
    for portion in portions:
        shared = _share_portion(portion, members, asked, brought_vnd, room)
        for number, steps in zip(shared.members, shared.steps, strict=True):
            brought_vnd[number] += steps * portion.step_value_vnd
            left = room[number]
            if left is not None and portion.step_grams is not None:
                room[number] = left - steps * portion.step_grams
        shares.append(shared)
    return SharedDay(shares, brought_vnd)


def _share_portion(
    portion: Portion,
    members: Sequence[Member],
    asked: Sequence[bool],
    brought_vnd: Sequence[int],
    room: Sequence[int | None],
) -> Shared:
    pledges = [(number, steps) for number, steps in portion.pledges if asked[number]]
    rows = [
        (
            (member := members[number]).memory_vnd + brought_vnd[number],
            member.weight,
            portion.cap_steps(pledged_steps, room[number]),
        )
        for number, pledged_steps in pledges
    ]
    filled = fill(portion.total_steps, rows, portion.step_value_vnd)
    steps, drawn = filled.steps_below, []
    if filled.left_steps:
        row_of = {members[pledges[row][0]].household_id: row for row in filled.level}
        drawn = [row_of[household] for household in by_lot(row_of, portion.tie_seed)[: filled.left_steps]]
        for row in drawn:
            steps[row] += 1
    return Shared(
        members=[number for number, _ in pledges],
        pledged_steps=[pledged_steps for _, pledged_steps in pledges],
        rows=rows,
        steps=steps,
        drawn=frozenset(pledges[row][0] for row in drawn),
    )


def most_vnd(portions: Sequence[Portion], members: Sequence[Member]) -> list[int]:
    """A bound on what each member could bring of all that it pledged, in VND.

    Without a load it is the value of its pledges. With one it is what fits when the most valuable per gram goes
    first and the last step may be cut: the bound of Dantzig (1957) for the knapsack, rounded down.
    """
    totals = [0] * len(members)
    room = [member.load_grams for member in members]
    for portion in sorted(portions, key=_vnd_per_gram, reverse=True):
        for number, steps in portion.pledges:
            left = room[number]
            if left is None or portion.step_grams is None:
                totals[number] += steps * portion.step_value_vnd
            else:
                grams = min(left, steps * portion.step_grams)
                totals[number] += grams * portion.step_value_vnd // portion.step_grams
                room[number] = left - grams
    return totals


def _vnd_per_gram(portion: Portion) -> Fraction:
    return Fraction(portion.step_value_vnd, portion.step_grams or 1)  # where there is no weight, any turn will do
