"""Sending: claim in one short transaction, send outside of any, save the results and their events in another.

So what is being sent is known before the first byte leaves, and after a crash it is known what was in hand.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Generic, TypeVar
from uuid import UUID

import msgspec
from msgspec.structs import replace

from services.chassis.faults import Backoff, is_weather
from services.chassis.ledger import Ledger, Transaction
from services.notify import announce, endpoint_health
from services.notify.channels import Batch, Channel
from services.notify.channels.webhook import Push
from services.notify.clock import Clock
from services.notify.domain.delivery import (
    Failed,
    NotBegun,
    Outcome,
    Overtaken,
    Refused,
    RetryPlan,
    Unknown,
    Verdict,
    decide,
)
from services.notify.domain.facts import BasketFacts, EndpointFacts
from services.notify.domain.links import Links
from services.notify.domain.messages import Message
from services.notify.domain.notices import BASKET, ENDPOINT_DISABLED, ENDPOINT_IS_DISABLED, Claim
from services.notify.domain.partner_messages import message
from services.notify.metrics import NoticeMetrics
from services.notify.store import notices as store
from services.notify.wording import word
from services.notify.wording.speech import one_line

log = logging.getLogger(__name__)

BATCH = 50

M = TypeVar("M")


def letter(links: Links, claim: Claim) -> Message | Refused:
    """A claimed notice to a household or to staff as a letter, or why there can be none.

    A basket that is told now is answered until so and so.
    """
    facts = claim.notice.facts
    if isinstance(facts, EndpointFacts):
        return _letter_to_staff(claim, facts)
    contact = claim.contact
    assert isinstance(facts, BasketFacts)
    if contact is None:
        return Refused("no_contact")
    facts = replace(facts, reply_by_at=facts.answerable_until(claim.claimed_at))
    link = links.url(contact.household_id, facts.delivery_day, facts.reply_by_at) if facts.reply_by_at else None
    text = word(BASKET, facts, contact.display_name, contact.language, claim.replaces, link)
    sender = one_line(facts.cooperative)
    return Message(
        claim.notice.notice_id, claim.notice.kind, contact.email, contact.display_name, sender, contact.language, text
    )


def _letter_to_staff(claim: Claim, facts: EndpointFacts) -> Message | Refused:
    to = claim.staff
    if to is None:
        return Refused("no_contact")
    text = word(ENDPOINT_DISABLED, facts, to.display_name, to.language)
    return Message(claim.notice.notice_id, claim.notice.kind, to.email, to.display_name, "Chợ Phiên", to.language, text)


def push(claim: Claim) -> Push | Refused | Overtaken:
    """A claimed partner notice as a webhook, or why there can be none."""
    notice, endpoint = claim.notice, claim.endpoint
    if claim.overtaken:
        return Overtaken()
    if endpoint is None:
        return Refused("no_endpoint")
    if endpoint.disabled:
        return Refused(ENDPOINT_IS_DISABLED)
    body = msgspec.json.encode(message(notice.kind, notice.facts, notice.happened_at))
    return Push(notice.notice_id, endpoint.url, endpoint.secrets(claim.claimed_at), body)


class Sender(Generic[M]):
    """The jobs of one channel."""

    def __init__(
        self,
        ledger: Ledger,
        channel: Channel[M],
        plan: RetryPlan,
        compose: Callable[[Claim], M | Refused | Overtaken],
        clock: Clock,
        metrics: NoticeMetrics,
        unknown_after_s: float,
        longest_attempt_s: float,
    ) -> None:
        self._ledger, self._channel, self._plan = ledger, channel, plan
        self._compose, self._clock, self._metrics = compose, clock, metrics
        self._unknown_after = timedelta(seconds=unknown_after_s)
        self._begin_within = timedelta(seconds=unknown_after_s - longest_attempt_s)
        self._stopping = False
        self._claiming, self._busy = asyncio.Lock(), set[UUID]()

    async def send_due(self, now: datetime) -> bool:
        """Sends a batch of what is due; returns whether there may be more.

        May run several times at once: each partner has one batch under way, so one that hangs holds up nobody else.
        When the process stops, what was begun is finished and saved, and the rest is put back.
        """
        batch = asyncio.create_task(self._send_batch(now))
        try:
            return await asyncio.shield(batch)
        except asyncio.CancelledError:
            self._stopping = True
            await asyncio.gather(batch, return_exceptions=True)
            raise

    async def settle_interrupted(self, now: datetime) -> bool:
        """Decides on what a process left in hand that is no more; returns whether there may be more."""

        async def list_them(tx: Transaction) -> list[Claim]:
            return await store.list_interrupted(tx.conn, self._channel.name, now - self._unknown_after, BATCH)

        claims = await self._ledger.transact(list_them)
        if claims:
            log.warning("sending was interrupted", extra={"channel": self._channel.name, "notices": len(claims)})
            await self._save([(claim, Unknown()) for claim in claims])
        return len(claims) == BATCH

    async def supersede(self, _: datetime) -> bool:
        """Lets go of baskets that the books no longer know; sending passes them over in any case."""

        async def work(tx: Transaction) -> int:
            return await store.supersede_baskets(tx.conn, self._channel.name)

        self._metrics.settled.labels(BASKET, "superseded").inc(await self._ledger.transact(work))
        return False

    async def _send_batch(self, now: datetime) -> bool:
        async with self._claiming:
            claims = await self._claim(now)
            partners = {claim.notice.partner_id for claim in claims if claim.notice.partner_id is not None}
            self._busy |= partners
        if not claims:
            return False
        try:
            await self._send_claims(claims, now)
        finally:
            self._busy -= partners
        return bool(partners) or len(claims) == BATCH

    async def _send_claims(self, claims: Sequence[Claim], now: datetime) -> None:
        deadline = now + self._begin_within
        batch = Batch(lambda: not self._stopping and self._clock() < deadline)
        try:
            await self._channel.send(self._compose_all(claims, batch), batch)
        finally:
            await self._save_patiently(self._outcomes(claims, batch))

    async def _claim(self, now: datetime) -> list[Claim]:
        async def work(tx: Transaction) -> list[Claim]:
            return await store.claim_due(tx.conn, self._channel.name, now, BATCH, self._busy)

        return await self._ledger.transact(work)

    def _compose_all(self, claims: Sequence[Claim], batch: Batch) -> list[M]:
        messages: list[M] = []
        for claim in claims:
            composed: M | Refused | Overtaken | Failed
            try:
                composed = self._compose(claim)
            except Exception as error:  # noqa: BLE001 - one notice that can't be worded must not hold up the others
                log.error("notice failed", extra={"notice": claim.notice.notice_id, "reason": type(error).__name__})
                composed = Failed("cannot_be_composed", ours=True)
            if isinstance(composed, Refused | Overtaken | Failed):
                batch.report(claim.notice.notice_id, composed)
            else:
                messages.append(composed)
        return messages

    def _outcomes(self, claims: Sequence[Claim], batch: Batch) -> list[tuple[Claim, Outcome]]:
        """Nothing is said here of what was begun and not reported on: it stays in hand until it counts as unknown."""
        return [
            (claim, batch.outcomes.get(claim.notice.notice_id, NotBegun()))
            for claim in claims
            if claim.notice.notice_id in batch.outcomes or claim.notice.notice_id not in batch.begun
        ]

    async def _save_patiently(self, outcomes: Sequence[tuple[Claim, Outcome]]) -> None:
        """Receipts are worth waiting for: without them, letters that arrived would count as unknown."""
        backoff, tries = Backoff(), 0
        while True:
            try:
                await self._save(outcomes)
                return
            except Exception as error:
                tries += 1
                if not is_weather(error) or (self._stopping and tries >= 5):
                    raise
                log.warning("the database is away", extra={"reason": type(error).__name__})
                await backoff.wait()

    async def _save(self, outcomes: Sequence[tuple[Claim, Outcome]]) -> None:
        now = self._clock()
        results = [(c, decide(outcome, c.attempts, c.queued_at, self._plan, now)) for c, outcome in outcomes]

        async def work(tx: Transaction) -> set[object]:
            saved = await store.save_results(tx.conn, self._channel.name, results)
            await endpoint_health.follow(tx, [(c, o) for c, o in outcomes if c.notice.notice_id in saved], now)
            for claim, verdict in results:
                if claim.notice.notice_id in saved:
                    self._announce(tx, claim, verdict)
            return {*saved}

        saved = await self._ledger.transact(work)
        self._count(
            [(c, o, v) for (c, o), (_, v) in zip(outcomes, results, strict=True) if c.notice.notice_id in saved]
        )

    def _announce(self, tx: Transaction, claim: Claim, verdict: Verdict) -> None:
        notice, channel = claim.notice, self._channel.name
        if verdict.told_at is not None:
            event = announce.delivered(notice, channel, verdict.told_at)
            tx.append(notice.cooperative_id, event, notice.traceparent)
        elif verdict.reason is not None:
            tx.append(
                notice.cooperative_id, announce.undeliverable(notice, channel, verdict.reason), notice.traceparent
            )

    def _count(self, saved: Sequence[tuple[Claim, Outcome, Verdict]]) -> None:
        for claim, outcome, verdict in saved:
            self._metrics.attempts.labels(self._channel.name, type(outcome).__name__.lower()).inc()
            if verdict.notice_state != "queued":
                self._metrics.settled.labels(claim.notice.kind, verdict.notice_state).inc()
            if verdict.told_at is not None:
                took = verdict.told_at - claim.notice.happened_at
                self._metrics.told_s.labels(claim.notice.kind).observe(max(took.total_seconds(), 0))
