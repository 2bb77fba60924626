"""In the evening the union reads what the day came to at its cooperatives."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from uuid import uuid5
from zoneinfo import ZoneInfo

from services.chassis.ledger import Transaction
from services.notify.climbing import ZONE, Ladder
from services.notify.domain.contacts import UNION
from services.notify.domain.notices import DAILY_SUMMARY, Notice
from services.notify.domain.staff_facts import SummaryFacts
from services.notify.store import summaries


@dataclass(frozen=True, slots=True)
class Summaries:
    """One per delivery day, in its evening at `at`; none of a day on which no cooperative had anything.

    Orders are those of which something left with the truck or was taken back; until the truck has left there are none.
    Households to be called are those that nobody has told by then.
    """

    ladder: Ladder
    union: str
    at: time

    async def tell(self, tx: Transaction, now: datetime) -> bool:
        """Of the last day whose evening has come; an evening that passed while nothing ran is made up for till then."""
        since = timedelta(hours=self.at.hour, minutes=self.at.minute)
        day = (now.astimezone(ZoneInfo(ZONE)) - since).date()
        if await summaries.is_written_down(tx.conn, day):
            return False
        cooperatives = await summaries.list_days(tx.conn, day)
        if cooperatives:
            said = SummaryFacts(self.union, ZONE, day, cooperatives)
            id = uuid5(UNION, f"summary of {day}")
            notice = Notice(id, None, DAILY_SUMMARY, said, now, delivery_day=day, version=1)
            await self.ladder.write_down(tx, [notice], now)
        return False
