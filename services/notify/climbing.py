"""The ladder at work: notices are written down, take their next step, and are told or left for a person to tell.

Everything here happens in the transaction of whatever brings it about: an event, the result of an attempt, a receipt,
a change in the contact book, or a step that has had its time.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from services.chassis.ids import uuid7
from services.chassis.ledger import Transaction
from services.notify import announce
from services.notify.domain.contacts import Step
from services.notify.domain.ladder import (
    LAPSED,
    SUPERSEDED,
    Call,
    Go,
    LetGo,
    Policy,
    Times,
    climb,
    different,
    let_go,
    times,
)
from services.notify.domain.notices import KINDS, NO_CHANNEL, Notice
from services.notify.metrics import NoticeMetrics
from services.notify.store import contacts, deliveries, policies
from services.notify.store import notices as store
from services.notify.store.notices import Open

LATE_AT_ONCE = 200
REOPENED_FOR = timedelta(days=3)
"""So old may a notice be that is sent after all, because its recipient can be reached now."""
ABANDONED_AFTER = timedelta(hours=1)
"""No attempt takes so long by any channel."""
ZONE = "Asia/Ho_Chi_Minh"
"""Of those who belong to no cooperative."""


@dataclass(frozen=True, slots=True)
class Ladder:
    """`channels` are those that this installation has; a way by another one is no way."""

    channels: frozenset[str]
    metrics: NoticeMetrics

    async def write_down(self, tx: Transaction, notices: Sequence[Notice], now: datetime) -> None:
        """Makes these notices, as far as they are new, and takes their first step. What they overtake is let go."""
        if not notices:
            return
        await contacts.share_recipients(tx.conn, {notice.recipient_id for notice in notices})
        known = await policies.list_policies(tx.conn, {n.cooperative_id for n in notices if n.cooperative_id})
        made = [(n, _times(n, known.get(n.cooperative_id or n.recipient_id, Policy()), now)) for n in notices]
        new = await store.insert_notices(tx.conn, made)
        await self.climb(tx, new | await store.list_overtaken(tx.conn, new), now)

    async def climb_late(self, tx: Transaction, now: datetime) -> bool:
        """Goes on where a way has had its time; returns whether there may be more."""
        late = await deliveries.list_late(tx.conn, now, LATE_AT_ONCE)
        if late:
            await contacts.share_recipients(tx.conn, await store.list_recipients(tx.conn, late))
            await self.climb(tx, late, now)
        self._count_lapsed(tx, await deliveries.lapse_settled(tx.conn, now, LATE_AT_ONCE))
        return len(late) == LATE_AT_ONCE

    async def settle_abandoned(self, tx: Transaction, now: datetime) -> bool:
        """Goes on where a channel that nobody has any more took something in hand; returns whether there may be more.

        Whoever has the channel settles its own much sooner.
        """
        found = await deliveries.list_abandoned(tx.conn, now - ABANDONED_AFTER, LATE_AT_ONCE)
        if found:
            await contacts.share_recipients(tx.conn, await store.list_recipients(tx.conn, found.values()))
            await store.hold(tx.conn, found.values())
            await deliveries.abandon(tx.conn, found, now)
            await self.climb(tx, set(found.values()), now)
        return len(found) == LATE_AT_ONCE

    async def reopen(
        self,
        tx: Transaction,
        recipient_id: UUID,
        contact_id: UUID,
        channels: Collection[str],
        moved: Collection[str],
        now: datetime,
    ) -> None:
        """There is a new way, by this contact and these channels, to tell a recipient what certainly did not reach it.

        By those that `moved` to another address also what was sent to the one before and never reported. The
        recipient's contacts are locked by the caller.
        """
        await deliveries.renew(tx.conn, contact_id, channels, moved, now - REOPENED_FOR)
        await self.climb(tx, await store.reopen(tx.conn, recipient_id, now, now - REOPENED_FOR), now)

    async def tell(self, tx: Transaction, told: Mapping[UUID, tuple[datetime, str]]) -> None:
        """A receipt came: from notice to when, and by which channel. What else waits for the notice is let go."""
        for notice, told_at, channel in await store.tell(tx.conn, told):
            if notice.cooperative_id is not None:
                tx.append(notice.cooperative_id, announce.delivered(notice, channel, told_at), notice.traceparent)
            tx.after_commit(partial(self._count_told, notice, told_at))

    async def climb(self, tx: Transaction, notice_ids: Collection[UUID], now: datetime) -> None:
        """What is next for these, as far as they have not been told. The caller holds their recipients' contacts."""
        if not notice_ids:
            return
        found = await store.lock_open(tx.conn, notice_ids)
        tried = await deliveries.list_deliveries(tx.conn, [one.notice.notice_id for one in found])
        steps = await self._list_steps(tx, found)
        going: list[tuple[UUID, UUID, Go]] = []
        left: list[tuple[UUID, str]] = []
        settled: dict[UUID, tuple[str, str | None]] = {}
        for one in found:
            id, before = one.notice.notice_id, tried.get(one.notice.notice_id, [])
            if one.overtaken:
                decision = let_go(before, now)
            else:
                decision = climb(steps[id], before, one.policy or Policy(), one.times, one.timezone or ZONE, now)
            left += [(delivery_id, LAPSED) for delivery_id in decision.lapsed]
            left += [(delivery_id, SUPERSEDED) for delivery_id in decision.superseded]
            match decision.next:
                case Go() as go:
                    going.append((uuid7(), id, go))
                case Call(state, reason):
                    settled[id] = (state, reason)
                case LetGo():
                    settled[id] = (SUPERSEDED, None)
        self._count_lapsed(tx, await deliveries.save_states(tx.conn, left))
        await deliveries.insert_deliveries(tx.conn, going, now)
        await self._settle(tx, found, settled)

    async def _settle(
        self, tx: Transaction, found: Iterable[Open], settled: Mapping[UUID, tuple[str, str | None]]
    ) -> None:
        await store.settle(tx.conn, settled)
        for notice in (one.notice for one in found if one.notice.notice_id in settled):
            state, reason = settled[notice.notice_id]
            if reason is not None and notice.cooperative_id is not None:
                event = announce.undeliverable(notice, NO_CHANNEL, reason)
                tx.append(notice.cooperative_id, event, notice.traceparent)
            tx.after_commit(partial(self.metrics.came_to, notice.kind, state))

    async def _list_steps(self, tx: Transaction, found: Iterable[Open]) -> dict[UUID, list[Step]]:
        by_purpose: defaultdict[str, set[UUID]] = defaultdict(set)
        for one in found:
            by_purpose[KINDS[one.notice.kind].purpose].add(one.recipient_id)
        ways = {
            purpose: await contacts.list_steps(tx.conn, recipients, purpose)
            for purpose, recipients in by_purpose.items()
        }
        return {
            one.notice.notice_id: different(
                step
                for step in ways[KINDS[one.notice.kind].purpose].get(one.recipient_id, ())
                if step.channel in self.channels
            )
            for one in found
        }

    def _count_lapsed(self, tx: Transaction, channels: Iterable[str]) -> None:
        for channel in channels:
            tx.after_commit(partial(self.metrics.ended, channel, LAPSED))

    def _count_told(self, notice: Notice, told_at: datetime) -> None:
        self.metrics.came_to(notice.kind, "told")
        self.metrics.told(notice.kind, told_at - notice.happened_at)


def _times(notice: Notice, policy: Policy, now: datetime) -> Times:
    gather = KINDS[notice.kind].gather
    return times(now, policy.gather if gather is None else gather, *notice.deadlines(now), policy)
