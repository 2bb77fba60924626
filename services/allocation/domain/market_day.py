"""A delivery day from its cut-off to its settlement: what is asked, by which policies, until when it is answered."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from services.allocation.domain.asked import AskedDay
from services.allocation.domain.shortfall import SharingRule


@dataclass(frozen=True, slots=True)
class DayPolicies:
    """What the cooperative had stated when the day first closed."""

    reply_minutes: int
    shortfall_rule: SharingRule
    fee_permille: int


@dataclass(frozen=True, slots=True)
class Standing:
    """How a household stood when the day closed; `load_grams` is what it can carry on a day, None: no limit."""

    weight: int
    memory_vnd: int
    load_grams: int | None


@dataclass(frozen=True, slots=True)
class MarketDay:
    """What is asked, by which policies, and of whom. `arrive_by_at` is the earliest of the day's offers.

    `reply_by_at` is until when the open round can be answered.
    """

    asked: AskedDay
    policies: DayPolicies
    standings: Mapping[UUID, Standing]
    arrive_by_at: datetime
    reply_by_at: datetime | None = None

    @property
    def weights(self) -> dict[UUID, int]:
        """Share weights by household."""
        return {household: standing.weight for household, standing in self.standings.items()}

    @property
    def memory_vnd(self) -> dict[UUID, int]:
        """Memory of past days by household."""
        return {household: standing.memory_vnd for household, standing in self.standings.items()}

    @property
    def load_grams(self) -> dict[UUID, int]:
        """What those can carry that have a limit."""
        return {h: standing.load_grams for h, standing in self.standings.items() if standing.load_grams is not None}

    def with_asked(self, asked: AskedDay, now: datetime) -> "MarketDay":
        """The day with what is asked from `now` on; a new round has its time to answer, but not beyond the arrival."""
        if not asked.open:
            return replace(self, asked=asked, reply_by_at=None)
        if self.asked.open and asked.round_no == self.asked.round_no and self.reply_by_at is not None:
            return replace(self, asked=asked)
        by_at = now + timedelta(minutes=self.policies.reply_minutes)
        return replace(self, asked=asked, reply_by_at=min(by_at, self.arrive_by_at))
