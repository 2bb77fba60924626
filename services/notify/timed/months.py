"""On the first of a month households are told what the last month came to.

What is settled or corrected of a month after that is told as well: the household gets the whole month again, which
replaces what it was told before. Only those whose month has changed are told again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID, uuid5

from services.chassis.ledger import Transaction
from services.notify.climbing import Ladder
from services.notify.domain.facts import MonthSettlementFacts, SettledDay
from services.notify.domain.notices import SETTLEMENT_MONTH, Notice
from services.notify.store import books, months
from services.notify.store.books import Cooperative

AT_ONCE = 10
"""Cooperatives; each is settled whole."""


@dataclass(frozen=True, slots=True)
class Months:
    """One notice per household and month of which something was settled."""

    ladder: Ladder

    async def tell(self, tx: Transaction, now: datetime) -> bool:
        """Writes down what is due; returns whether there may be more."""
        due = await months.take_due(tx.conn, now, AT_ONCE)
        if not due:
            return False
        cooperatives = await books.list_cooperatives(tx.conn, {cooperative_id for cooperative_id, _ in due})
        found = await months.list_settled(tx.conn, due)
        keys = [(household_id, month) for (_, month), settled in found.items() for household_id in settled]
        said = await months.list_last_words(tx.conn, keys)
        made: list[Notice] = []
        for (cooperative_id, month), settled in found.items():
            for household_id, days in settled.items():
                version, before = said.get((household_id, month), (0, ()))
                if days != before:
                    cooperative = cooperatives[cooperative_id]
                    made.append(_notice(cooperative_id, cooperative, household_id, month, version + 1, days, now))
        await self.ladder.write_down(tx, made, now)
        return len(due) == AT_ONCE


def _notice(
    cooperative_id: UUID,
    cooperative: Cooperative,
    household_id: UUID,
    month: date,
    version: int,
    days: Sequence[SettledDay],
    now: datetime,
) -> Notice:
    said = MonthSettlementFacts(cooperative.name, cooperative.timezone, month, tuple(days))
    return Notice(
        uuid5(household_id, f"settlement of {month} {version}"), cooperative_id, SETTLEMENT_MONTH, said, now, None,
        household_id, month, version,
    )  # fmt: skip
