"""Notices to households and staff as letters: which are next, how they read, and what follows from an attempt."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

from msgspec.structs import replace

from services.chassis.ledger import Transaction
from services.notify import announce, texts
from services.notify.channels.email import Letter
from services.notify.domain.delivery import Outcome, Refused, RetryPlan, Unknown, Verdict, decide
from services.notify.domain.facts import BasketFacts, EndpointFacts
from services.notify.domain.links import Links
from services.notify.domain.notices import BASKET, EMAIL, Claim
from services.notify.metrics import NoticeMetrics
from services.notify.sending import BATCH
from services.notify.store import notices as store

log = logging.getLogger(__name__)


class Letters:
    """The outbox of e-mail. An attempt without a result after `unknown_after` was interrupted by a crash."""

    def __init__(self, links: Links, plan: RetryPlan, metrics: NoticeMetrics, unknown_after: timedelta) -> None:
        self._links, self._plan, self._metrics, self._unknown_after = links, plan, metrics, unknown_after

    async def take(self, tx: Transaction, now: datetime) -> list[Claim]:
        """What is due."""
        return await store.claim_due(tx.conn, EMAIL, now, BATCH)

    def compose(self, claim: Claim) -> Letter | Refused:
        """A basket that is told now is answered until so and so."""
        facts = claim.notice.facts
        if isinstance(facts, EndpointFacts):
            return _letter_to_staff(claim, facts)
        return self._letter_to_household(claim, facts)

    async def save(self, tx: Transaction, outcomes: Sequence[tuple[Claim, Outcome]], now: datetime) -> None:
        """What is settled is told to the other services."""
        verdicts = [decide(outcome, c.attempts, c.queued_at, self._plan, now) for c, outcome in outcomes]
        claims = [claim for claim, _ in outcomes]
        saved = await store.save_results(tx.conn, EMAIL, list(zip(claims, verdicts, strict=True)))
        for (claim, outcome), verdict in zip(outcomes, verdicts, strict=True):
            if claim.id in saved:
                tx.after_commit(partial(self._count, claim, outcome, verdict))
                _announce(tx, claim, verdict)

    async def settle_interrupted(self, tx: Transaction, now: datetime) -> bool:
        """Decides on what a process left in hand that is no more; returns whether there may be more."""
        claims = await store.list_interrupted(tx.conn, EMAIL, now - self._unknown_after, BATCH)
        if claims:
            log.warning("sending was interrupted", extra={"channel": EMAIL, "notices": len(claims)})
            await self.save(tx, [(claim, Unknown()) for claim in claims], now)
        return len(claims) == BATCH

    async def supersede(self, tx: Transaction, _: datetime) -> bool:
        """Lets go of baskets that the books no longer know; sending passes them over in any case."""
        count = await store.supersede_baskets(tx.conn, EMAIL)
        tx.after_commit(lambda: self._metrics.settled.labels(BASKET, "superseded").inc(count))
        return False

    def _letter_to_household(self, claim: Claim, facts: BasketFacts) -> Letter | Refused:
        contact = claim.contact
        if contact is None:
            return Refused("no_contact")
        facts = replace(facts, reply_by_at=facts.answerable_until(claim.claimed_at))
        until = facts.reply_by_at
        link = self._links.url(contact.household_id, facts.delivery_day, until) if until else None
        text = texts.basket(facts, contact.display_name, contact.language, claim.replaces, link)
        sender = texts.one_line(facts.cooperative)
        return Letter(claim.id, contact.email, contact.display_name, sender, contact.language, text.subject, text.body)

    def _count(self, claim: Claim, outcome: Outcome, verdict: Verdict) -> None:
        self._metrics.attempted(EMAIL, outcome)
        self._metrics.came_to(claim.notice.kind, verdict.notice_state)
        if verdict.told_at is not None:
            self._metrics.told(claim.notice.kind, verdict.told_at - claim.notice.happened_at)


def _letter_to_staff(claim: Claim, facts: EndpointFacts) -> Letter | Refused:
    to = claim.staff
    if to is None:
        return Refused("no_contact")
    text = texts.endpoint_disabled(facts, to.display_name, to.language)
    return Letter(claim.id, to.email, to.display_name, "Chợ Phiên", to.language, text.subject, text.body)


def _announce(tx: Transaction, claim: Claim, verdict: Verdict) -> None:
    notice = claim.notice
    if verdict.told_at is not None:
        event = announce.delivered(notice, EMAIL, verdict.told_at)
        tx.append(notice.cooperative_id, event, notice.traceparent)
    elif verdict.reason is not None:
        tx.append(notice.cooperative_id, announce.undeliverable(notice, EMAIL, verdict.reason), notice.traceparent)
