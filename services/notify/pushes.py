"""Messages to partners as webhooks: whose turn it is, and what follows from an attempt."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

import msgspec

from services.chassis.ledger import Transaction
from services.notify import announce, endpoint_health
from services.notify.channels.webhook import Push
from services.notify.climbing import Ladder
from services.notify.domain.bodies import message
from services.notify.domain.contacts import WEBHOOK
from services.notify.domain.delivery import Outcome, Overtaken
from services.notify.domain.partner_messages import MessageClaim, PartnerMessage, Verdict, decide
from services.notify.metrics import NoticeMetrics
from services.notify.sending import BATCH
from services.notify.store import partner_messages as store

LET_GO_AT_ONCE = 500


class Pushes:
    """The outbox of webhooks: a batch is of one endpoint, which nobody else sends to until it is saved.

    When a process dies, its endpoints and messages are free again after `lease`; to send a message twice is safe.
    """

    def __init__(self, ladder: Ladder, metrics: NoticeMetrics, lease: timedelta) -> None:
        self._ladder, self._metrics, self._lease = ladder, metrics, lease

    async def take(self, tx: Transaction, now: datetime) -> list[MessageClaim]:
        """What is due at the endpoint whose turn it is."""
        return await store.take_batch(tx.conn, now, self._lease, BATCH)

    def compose(self, claim: MessageClaim) -> Push | Overtaken:
        """The same body on every attempt."""
        if claim.overtaken:
            return Overtaken()
        said, endpoint = claim.message, claim.endpoint
        body = msgspec.json.encode(message(said.kind, said.facts, said.happened_at))
        return Push(said.message_id, endpoint.url, endpoint.secrets(claim.claimed_at), body)

    async def save(self, tx: Transaction, outcomes: Sequence[tuple[MessageClaim, Outcome]], now: datetime) -> None:
        """The endpoint is free for the next batch, and judged by this one."""
        of, token = outcomes[0][0].endpoint, outcomes[0][0].claimed_at
        await store.release_endpoint(tx.conn, (of.cooperative_id, of.partner_id), token)
        verdicts = [decide(outcome, c.attempts, now) for c, outcome in outcomes]
        claims = [claim for claim, _ in outcomes]
        saved = await store.save_results(tx.conn, list(zip(claims, verdicts, strict=True)))
        tried = [(c.endpoint, outcome) for c, outcome in outcomes if c.id in saved]
        await endpoint_health.follow(tx, self._ladder, tried, now)
        for (claim, outcome), verdict in zip(outcomes, verdicts, strict=True):
            if claim.id in saved:
                tx.after_commit(partial(self._count, claim, outcome, verdict))
                _announce(tx, claim.message, verdict.told_at, verdict.reason)

    async def let_go(self, tx: Transaction, now: datetime) -> bool:
        """Settles what waits for an endpoint that is disabled or gone; returns whether there may be more."""
        settled = await store.let_go(tx.conn, now, self._lease, LET_GO_AT_ONCE)
        for said, state, reason in settled:
            _announce(tx, said, None, reason)
            tx.after_commit(partial(self._metrics.came_to, said.kind, state))
        return len(settled) == LET_GO_AT_ONCE

    def _count(self, claim: MessageClaim, outcome: Outcome, verdict: Verdict) -> None:
        self._metrics.attempted(WEBHOOK, outcome)
        self._metrics.came_to(claim.message.kind, verdict.state)
        if verdict.told_at is not None:
            self._metrics.told(claim.message.kind, verdict.told_at - claim.message.happened_at)


def _announce(tx: Transaction, said: PartnerMessage, told_at: datetime | None, reason: str | None) -> None:
    if told_at is not None:
        tx.append(said.cooperative_id, announce.partner_told(said, told_at), said.traceparent)
    elif reason is not None:
        tx.append(said.cooperative_id, announce.partner_not_told(said, reason), said.traceparent)
