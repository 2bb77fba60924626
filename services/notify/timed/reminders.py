"""Households are reminded of what they bring, shortly before it must be there."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid5

from services.chassis.ledger import Transaction
from services.notify.climbing import Ladder
from services.notify.domain.facts import ReminderFacts
from services.notify.domain.ladder import Policy
from services.notify.domain.notices import REMINDER, Notice
from services.notify.domain.replies import CurrentBasket
from services.notify.store.reminders import list_due

AT_ONCE = 200
FRESH = timedelta(hours=1)
"""Whoever read the basket so shortly before the reminder would be due, or later, needs none."""


@dataclass(frozen=True, slots=True)
class Reminders:
    """One per basket that a household was told and has not refused; a newer basket has its own, if there is time.

    Whom nobody has told yet is on the call list, and not reminded of what it does not know.
    """

    ladder: Ladder

    async def remind(self, tx: Transaction, now: datetime) -> bool:
        """Writes down what is due; returns whether there may be more. A second process finds the same, and no more."""
        due = await list_due(tx.conn, now, Policy().remind_before, FRESH, AT_ONCE)
        await self.ladder.write_down(tx, [_reminder(basket, now) for basket in due], now)
        return len(due) == AT_ONCE


def _reminder(basket: CurrentBasket, now: datetime) -> Notice:
    facts = basket.facts
    said = ReminderFacts(facts.cooperative, facts.timezone, facts.delivery_day, basket.brought)
    return Notice(
        uuid5(basket.household_id, f"reminder {facts.delivery_day} {basket.version}"), basket.cooperative_id, REMINDER,
        said, now, None, basket.household_id, facts.delivery_day, basket.version,
    )  # fmt: skip
