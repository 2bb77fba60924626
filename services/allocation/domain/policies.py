"""What a cooperative states in advance: how it promises, whom it asks and how, how it shares what is missing."""

from enum import StrEnum

from msgspec import Struct

from services.allocation.domain.asked import ReplyPolicy, Silence
from services.allocation.domain.shortfall import SharingRule


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


class DayPolicies(Struct, frozen=True):
    """What holds for a delivery day from its cut-off on, as it was stated when the day first closed."""

    reply_minutes: int  # to answer a basket
    shortfall_rule: SharingRule
    fee_permille: int  # the cooperative's part of what is accepted


class Policies(Struct, frozen=True):
    """All of them. Without a word of the cooperative the defaults hold."""

    promise: PromisePolicy = PromisePolicy()
    memory_days: int = 30  # how far back a household's income counts, the closing day included
    least_vnd: int = 0  # the least worthwhile delivery per household and day
    reply: ReplyPolicy = ReplyPolicy(Silence.YES, 2)
    day: DayPolicies = DayPolicies(120, SharingRule.EQUAL, 0)


DEFAULTS = Policies()
"""What holds where a cooperative has stated nothing."""
