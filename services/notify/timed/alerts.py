"""Staff are told of what they must see to: calls to make, words to read, events that wait for an operator.

One notice says all that is new, and the next one comes at the earliest after a pause, if more has come meanwhile. Who
is told, and of what, is claimed in the transaction that writes the notice down.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from services.chassis.ledger import Transaction
from services.notify.climbing import Ladder
from services.notify.domain.notices import CALL_LIST, NOT_UNDERSTOOD, QUARANTINED, Notice
from services.notify.domain.staff_facts import CallListFacts, NotUnderstoodFacts, QuarantinedFacts
from services.notify.store import alerts, books, calls, contacts, words
from services.notify.store.books import Cooperative

PAUSE = timedelta(minutes=15)

StaffFacts = CallListFacts | NotUnderstoodFacts | QuarantinedFacts


@dataclass(frozen=True, slots=True)
class Alerts:
    """Each method is a job; none has more to do at once."""

    ladder: Ladder

    async def tell_of_calls(self, tx: Transaction, now: datetime) -> bool:
        """How many households are to be called, and by when the first, once new ones have come onto the call list."""
        new = {of.cooperative_id for of in await calls.count_calls(tx.conn, now) if of.new}
        cooperatives, numbers = await self._claim(tx, CALL_LIST, new, now)
        if numbers:
            await calls.tell_staff(tx.conn, numbers, now)
            pressing = {of.cooperative_id: of for of in await calls.count_calls(tx.conn, now)}
            said = {
                id: CallListFacts(of.name, of.timezone, pressing[id].count, pressing[id].first_at)
                for id, of in cooperatives.items()
                if id in pressing
            }
            await self._tell(tx, CALL_LIST, said, numbers, now)
        return False

    async def tell_of_words(self, tx: Transaction, now: datetime) -> bool:
        """That somebody wrote what nobody understood and nobody has read."""
        cooperatives, numbers = await self._claim(tx, NOT_UNDERSTOOD, await words.list_new(tx.conn), now)
        if numbers:
            first = await words.tell_staff(tx.conn, numbers, now)
            said = {
                id: NotUnderstoodFacts(of.name, of.timezone, first[id])
                for id, of in cooperatives.items()
                if id in first
            }
            await self._tell(tx, NOT_UNDERSTOOD, said, numbers, now)
        return False

    async def tell_of_quarantine(self, tx: Transaction, now: datetime) -> bool:
        """That events of the cooperative wait for an operator.

        Only those that notify itself could not apply: what the other services have in quarantine is not known here.
        Metrics and alarms of the installation tell operators of all of them.
        """
        places, told = await alerts.list_quarantined(tx.conn)
        new = {place for place in places if place not in told}
        cooperatives, numbers = await self._claim(tx, QUARANTINED, {stream for stream, _, _ in new}, now)
        if numbers:
            await alerts.save_quarantine_told(tx.conn, [place for place in new if place[0] in numbers])
            waiting = Counter(stream for stream, _, _ in places)
            said = {
                id: QuarantinedFacts(of.name, of.timezone, "notify", waiting[id]) for id, of in cooperatives.items()
            }
            await self._tell(tx, QUARANTINED, said, numbers, now)
        return False

    async def _claim(
        self, tx: Transaction, kind: str, new: Collection[UUID], now: datetime
    ) -> tuple[Mapping[UUID, Cooperative], Mapping[UUID, int]]:
        """The cooperatives whose staff are told now, and the number of the notice."""
        if not new:
            return {}, {}
        known = await books.list_cooperatives(tx.conn, new)
        if not known:
            return {}, {}
        await contacts.share_recipients(tx.conn, known)
        numbers = await alerts.claim(tx.conn, kind, known, now, PAUSE)
        return {id: known[id] for id in numbers}, numbers

    async def _tell(
        self, tx: Transaction, kind: str, said: Mapping[UUID, StaffFacts], numbers: Mapping[UUID, int], now: datetime
    ) -> None:
        """As the newest word of its kind today, so that an older one that has not gone out is let go."""
        made = [
            Notice(
                uuid5(id, f"{kind} {now}"), id, kind, facts, now,
                delivery_day=now.astimezone(ZoneInfo(facts.timezone)).date(), version=numbers[id],
            )
            for id, facts in said.items()
        ]  # fmt: skip
        await self.ladder.write_down(tx, made, now)
