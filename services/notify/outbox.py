"""The outbox of one channel to people: what is due, how it is worded, and what follows from an attempt."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

from msgspec.structs import replace

from services.chassis.ledger import Transaction
from services.notify.channels import PeopleChannel
from services.notify.climbing import ZONE, Ladder
from services.notify.domain.delivery import Failed, Outcome, Postponed, Refused, Unknown
from services.notify.domain.facts import BasketFacts
from services.notify.domain.ladder import LAPSED, REFUSED, SENT, TOLD, Verdict, judge, postpone
from services.notify.domain.links import Links
from services.notify.domain.messages import Message
from services.notify.domain.notices import CALL_LIST, NOT_UNDERSTOOD
from services.notify.metrics import NoticeMetrics
from services.notify.sending import BATCH
from services.notify.store import contacts, notices
from services.notify.store import deliveries as store
from services.notify.store.deliveries import Claim
from services.notify.wording import word
from services.notify.wording.fields import sender

log = logging.getLogger(__name__)

SYSTEM = "Chợ Phiên"
"""From whom notices to staff come."""
CALLS_READABLE_FOR = timedelta(hours=24)
"""How long the link to the call list opens; a new notice has a new one."""


class Outbox:
    """Notices that go to people by one channel. An attempt without a result after `unknown_after` was interrupted."""

    def __init__(
        self,
        channel: PeopleChannel,
        ladder: Ladder,
        links: Links,
        metrics: NoticeMetrics,
        unknown_after: timedelta,
    ) -> None:
        self._channel, self._ladder, self._links = channel, ladder, links
        self._metrics, self._unknown_after = metrics, unknown_after

    async def take(self, tx: Transaction, now: datetime) -> list[Claim]:
        """What is due."""
        return await store.claim_due(tx.conn, self._channel.name, now, BATCH)

    def compose(self, claim: Claim) -> Message | Refused | Postponed:
        """The notice in the words of whom it goes to.

        All that goes out passes here, also what is repeated or was held up, so here is where quiet hours are kept.
        """
        if claim.to_name is None or claim.address is None:
            return Refused("no_contact" if claim.to_name is None else "no_consent")
        zone, step_by_at, now = claim.timezone or ZONE, claim.step_by_at, claim.claimed_at
        if postponed := postpone(self._channel.name, claim.quiet, claim.times, zone, step_by_at, now):
            return postponed
        facts, link = claim.notice.facts, None
        if isinstance(facts, BasketFacts):
            facts = replace(facts, reply_by_at=facts.answerable_until(claim.claimed_at))
            if facts.reply_by_at is not None:
                link = self._links.url(claim.recipient_id, facts.delivery_day, facts.reply_by_at)
        if claim.notice.kind in (CALL_LIST, NOT_UNDERSTOOD):
            link = self._links.calls_url(claim.recipient_id, claim.claimed_at + CALLS_READABLE_FOR)
        text = word(claim.notice.kind, facts, claim.to_name, claim.language, claim.replaces, link)
        return Message(
            claim.delivery_id,
            claim.notice.notice_id,
            claim.notice.kind,
            claim.address,
            claim.to_name,
            sender(facts) if claim.notice.household_id else SYSTEM,
            claim.language,
            text,
            claim.notice.about,
            claim.times.expires_at,
        )

    async def save(self, tx: Transaction, outcomes: Sequence[tuple[Claim, Outcome]], now: datetime) -> None:
        """Receipts are receipts; whatever else is settled, the ladder goes on from there."""
        await contacts.share_recipients(tx.conn, {claim.recipient_id for claim, _ in outcomes})
        await notices.hold(tx.conn, {claim.notice.notice_id for claim, _ in outcomes})
        results = [(claim, self._judge(claim, outcome, now)) for claim, outcome in outcomes]
        saved = await store.save_results(tx.conn, results)
        counted = [(c, o, v) for (c, o), (_, v) in zip(outcomes, results, strict=True) if c.id in saved]
        gone = [(c.contact_id, c.channel, c.address) for c, o, _ in counted if isinstance(o, Refused) and o.gone]
        await contacts.mark_gone(tx.conn, [(id, channel, to) for id, channel, to in gone if to is not None], now)
        told = {c.notice.notice_id: (v.told_at, c.channel) for c, _, v in counted if v.told_at is not None}
        await self._ladder.tell(tx, {id: (at, by) for id, (at, by) in told.items() if at is not None})
        left = {c.notice.notice_id for c, _, v in counted if v.state not in (TOLD, SENT)}
        await self._ladder.climb(tx, left, now)
        for _, outcome, verdict in counted:
            tx.after_commit(partial(self._count, outcome, verdict))

    async def settle_interrupted(self, tx: Transaction, now: datetime) -> bool:
        """Decides on what a process left in hand that is no more; returns whether there may be more."""
        claims = await store.list_interrupted(tx.conn, self._channel.name, now - self._unknown_after, BATCH)
        if claims:
            log.warning("sending was interrupted", extra={"channel": self._channel.name, "notices": len(claims)})
            await self.save(tx, [(claim, Unknown()) for claim in claims], now)
        return len(claims) == BATCH

    def _judge(self, claim: Claim, outcome: Outcome, now: datetime) -> Verdict:
        channel = self._channel
        return judge(outcome, claim.attempts, claim.step_by_at, channel.resend_is_safe, channel.tells_later, now)

    def _count(self, outcome: Outcome, verdict: Verdict) -> None:
        self._metrics.attempted(self._channel.name, outcome)
        if isinstance(outcome, Refused | Failed) and outcome.ours:
            self._metrics.misconfigured.labels(self._channel.name, outcome.reason).inc()
        if verdict.state in (LAPSED, REFUSED):
            self._metrics.ended(self._channel.name, verdict.state)
