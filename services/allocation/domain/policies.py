"""What a cooperative decides about its promises."""

from enum import StrEnum

from msgspec import Struct


class PromiseRule(StrEnum):
    """How the supply of an offer is given to its lines. Fixed for an offer when it is first published."""

    FIRST_COME = "first_come"  # at arrival, first come, first served
    FAIR = "fair"  # at the cut-off, tier by tier, by capped equal share


class PromisePolicy(Struct, frozen=True):
    """One cooperative's policy. Raises ValueError for a buffer outside 0..1000 thousandths."""

    buffer_permille: int = 0
    rule: PromiseRule = PromiseRule.FIRST_COME

    def __post_init__(self) -> None:
        if not 0 <= self.buffer_permille <= 1000:
            raise ValueError(f"buffer_permille is {self.buffer_permille}, must be between 0 and 1000")

    def supply_steps(self, pledged_steps: int) -> int:
        """What may be promised of the pledges. The buffer is rounded up to whole steps, to be on the safe side."""
        return pledged_steps * (1000 - self.buffer_permille) // 1000


NO_POLICY = PromisePolicy()
"""What holds where a cooperative has decided nothing."""
