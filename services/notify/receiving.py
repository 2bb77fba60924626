"""What comes back by the channels: receipts settle deliveries, and words of households become replies.

A provider repeats what it was not answered, and may be faster than our own commit: everything here may come twice, and
a receipt that nobody waits for yet is kept until the delivery that it belongs to is known.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from services.chassis.ledger import Ledger, Transaction
from services.notify.climbing import Ladder
from services.notify.clock import Clock
from services.notify.contact_book import withdraw
from services.notify.domain.contacts import ZALO, ZALO_OA, Sender
from services.notify.domain.ladder import REFUSED
from services.notify.domain.messages import Receipt, Said
from services.notify.domain.replies import Standing, is_spoken_of
from services.notify.domain.said import understand
from services.notify.domain.stop_words import said_stop
from services.notify.metrics import NoticeMetrics
from services.notify.replying import take_reply
from services.notify.store import baskets, contacts, notices, receipts, words

log = logging.getLogger(__name__)

MATCHED_FOR, MATCHED_AT_ONCE = timedelta(hours=1), 200
"""How long a receipt is looked at again that belonged to nothing when it came."""

STRANGERS_KEPT_FOR = timedelta(days=90)

UNDERSTOOD, NOT_UNDERSTOOD, NOT_ASKED, STOPPED, STRANGER = (
    "understood", "not_understood", "not_asked", "stopped", "stranger",
)  # fmt: skip
"""What became of words; all but `understood` and `stopped` are for staff to read, those of strangers for operators."""


async def take_receipts(tx: Transaction, ladder: Ladder, came: Sequence[Receipt], now: datetime) -> None:
    """Settles the deliveries that these speak of; keeps those that belong to nothing known yet."""
    known = await receipts.find_deliveries(tx.conn, came)
    await contacts.share_recipients(tx.conn, {one.recipient_id for one in known.values()})
    await notices.hold(tx.conn, {one.notice_id for one in known.values()})
    waiting = [(known[i].delivery_id, receipt) for i, receipt in enumerate(came) if i in known]
    settled = await receipts.save_receipts(tx.conn, waiting)
    await ladder.tell(tx, {id: (receipt.at, receipt.channel) for id, receipt in settled if receipt.arrived})
    await ladder.climb(tx, {id for id, receipt in settled if not receipt.arrived}, now)
    strays = [receipt for i, receipt in enumerate(came) if i not in known]
    await receipts.keep_strays(tx.conn, strays, now)
    for receipt in strays:
        tx.after_commit(ladder.metrics.receipts.labels(receipt.channel, "stray").inc)
    for _, receipt in settled:
        outcome = "arrived" if receipt.arrived else "failed"
        tx.after_commit(ladder.metrics.receipts.labels(receipt.channel, outcome).inc)
        if not receipt.arrived:
            tx.after_commit(partial(ladder.metrics.ended, receipt.channel, REFUSED))


@dataclass(frozen=True, slots=True)
class Receiver:
    """Takes in what the readers of the channels have made of requests."""

    ledger: Ledger
    ladder: Ladder
    clock: Clock
    metrics: NoticeMetrics

    async def take(self, found: Sequence[Receipt | Said]) -> None:
        """All of it in one transaction."""
        came = [one for one in found if isinstance(one, Receipt)]
        said = [one for one in found if isinstance(one, Said)]

        async def work(tx: Transaction) -> None:
            if came:
                await take_receipts(tx, self.ladder, came, self.clock())
            for one in said:
                await self._take_words(tx, one)

        if found:
            await self.ledger.transact(work)

    async def match(self, tx: Transaction, now: datetime) -> bool:
        """Takes in receipts that were faster than our own commit; returns whether there may be more."""
        came = await receipts.list_matching(tx.conn, now - MATCHED_FOR, MATCHED_AT_ONCE)
        if came:
            await take_receipts(tx, self.ladder, came, now)
            await receipts.delete_strays(tx.conn, came)
        return len(came) == MATCHED_AT_ONCE

    async def forget(self, tx: Transaction, now: datetime) -> bool:
        """Receipts of messages that are not ours are kept for a day, words of strangers for a quarter of a year."""
        await receipts.forget_strays(tx.conn, now - timedelta(days=1))
        await words.forget_strange(tx.conn, now - STRANGERS_KEPT_FOR)
        return False

    async def _take_words(self, tx: Transaction, said: Said) -> None:
        if await words.is_known(tx.conn, said):
            return
        senders = await contacts.find_senders(tx.conn, said.channel, said.sender)
        became = await self._understand(tx, said, senders)
        is_new = await words.insert_words(tx.conn, said, senders[0] if senders else None, became, self.clock())
        if is_new:
            tx.after_commit(self.metrics.words.labels(said.channel, became).inc)

    async def _understand(self, tx: Transaction, said: Said, senders: Sequence[Sender]) -> str:
        """What the words come to; a person reads whatever is not certain."""
        if said_stop(said.text):
            await self._stop(tx, said.channel, [sender.contact_id for sender in senders])
            return STOPPED if senders else STRANGER
        households = {sender.household_id for sender in senders} - {None}
        if len(households) != 1:
            return STRANGER if not households else NOT_UNDERSTOOD
        household_id: UUID = next(iter(households))  # type: ignore[assignment]
        standing = await self._asked(tx, household_id, said.at)
        if standing is None:
            return NOT_ASKED
        basket = standing.basket
        tellings = await baskets.list_tellings(tx.conn, household_id, basket.facts.delivery_day)
        if not is_spoken_of(basket.version, tellings, said.at):
            return NOT_UNDERSTOOD
        reply = understand(said.text, basket.asked, basket.version)
        if reply is None:
            return NOT_UNDERSTOOD
        if reply != standing.reply:
            if standing.replied_at is not None and said.at < standing.replied_at:
                return NOT_UNDERSTOOD  # they come late, and something else was answered since
            await take_reply(tx, self.metrics, basket, reply, said.channel, self.clock())
        return UNDERSTOOD

    async def _stop(self, tx: Transaction, channel: str, contact_ids: Sequence[UUID]) -> None:
        """Nobody is told anything more there. In Zalo what comes by number stands in the same conversation."""
        stopped = [(contact_id, channel) for contact_id in contact_ids]
        if channel == ZALO_OA:
            stopped += [(id, ZALO) for id in await contacts.list_of_same_number(tx.conn, ZALO, contact_ids)]
        for contact_id, by in stopped:
            await withdraw(tx, contact_id, by, None, f"said by {channel}", None, self.clock())

    async def _asked(self, tx: Transaction, household_id: UUID, said_at: datetime) -> Standing | None:
        """The one basket that waited for an answer then and still does; None where there is none, or more than one."""
        now = self.clock()
        then = min(said_at, now)
        days = await baskets.list_days(tx.conn, household_id, then.date())
        standings = [await baskets.lock_basket(tx.conn, household_id, day) for day in days]
        meant = [one for one in standings if one is not None and one.basket.is_open(then)]
        return meant[0] if len(meant) == 1 and meant[0].basket.is_open(now) else None
