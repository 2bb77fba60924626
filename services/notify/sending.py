"""Sending: take in hand in one short transaction, send outside of any, save the results and their events in another.

So what is being sent is known before the first byte leaves, and after a crash it is known what was in hand.
"""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Generic, Protocol, TypeVar
from uuid import UUID

from services.chassis.faults import Backoff, is_weather
from services.chassis.ledger import Ledger, Transaction
from services.notify.channels import Batch, Channel
from services.notify.clock import Clock
from services.notify.domain.delivery import Failed, NotBegun, Outcome, Overtaken, Postponed, Refused, Unknown

log = logging.getLogger(__name__)

BATCH = 50
"""So much is taken in hand at once."""


class Claimed(Protocol):
    """What this process alone may send now."""

    @property
    def id(self) -> UUID:
        """Under which the channel reports on it."""


C = TypeVar("C", bound=Claimed)
M = TypeVar("M")
M_co = TypeVar("M_co", covariant=True)


class Outbox(Protocol[C, M_co]):
    """What waits for one channel: what of it is next, how it is worded, and what follows from an attempt."""

    async def take(self, tx: Transaction, now: datetime) -> Sequence[C]:
        """Takes a batch in hand, so that nobody else sends it."""

    def compose(self, claim: C) -> M_co | Refused | Overtaken | Postponed:
        """The message, or why there is none."""

    async def save(self, tx: Transaction, outcomes: Sequence[tuple[C, Outcome]], now: datetime) -> None:
        """Saves what came of a whole batch, as far as it is still in this process's hand, and says so in events."""


class Sender(Generic[C, M]):
    """Sends what an outbox holds. An attempt is begun within `begin_within` of its claim, or not at all."""

    def __init__(
        self, ledger: Ledger, outbox: Outbox[C, M], channel: Channel[M], clock: Clock, begin_within: timedelta
    ) -> None:
        self._ledger, self._outbox, self._channel, self._clock = ledger, outbox, channel, clock
        self._begin_within = begin_within
        self._stopping = False

    async def send_due(self, now: datetime) -> bool:
        """Sends a batch of what is due; returns whether there may be more. It may run several times at once.

        When the process stops, what was begun is finished and saved, and the rest is put back.
        """
        batch = asyncio.create_task(self._send_batch(now))
        try:
            return await asyncio.shield(batch)
        except asyncio.CancelledError:
            self._stopping = True
            await asyncio.gather(batch, return_exceptions=True)
            raise

    async def _send_batch(self, now: datetime) -> bool:
        async def take(tx: Transaction) -> Sequence[C]:
            return await self._outbox.take(tx, now)

        claims = await self._ledger.transact(take)
        if not claims:
            return False
        deadline = now + self._begin_within
        batch = Batch(lambda: not self._stopping and self._clock() < deadline)
        try:
            await self._channel.send(self._compose_all(claims, batch), batch)
        finally:
            await self._save([(claim, _outcome(claim.id, batch)) for claim in claims])
        return True

    def _compose_all(self, claims: Sequence[C], batch: Batch) -> list[M]:
        messages: list[M] = []
        for claim in claims:
            composed: M | Refused | Overtaken | Postponed | Failed
            try:
                composed = self._outbox.compose(claim)
            except Exception as error:  # noqa: BLE001 - one that can't be worded must not hold up the others
                log.error("notice failed", extra={"notice": claim.id, "reason": type(error).__name__})
                composed = Failed("cannot_be_composed", ours=True)
            if isinstance(composed, Refused | Overtaken | Postponed | Failed):
                batch.report(claim.id, composed)
            else:
                messages.append(composed)
        return messages

    async def _save(self, outcomes: Sequence[tuple[C, Outcome]]) -> None:
        """Together; where that cannot be, each by itself, so that one costs the others nothing."""
        try:
            await self._save_patiently(outcomes)
        except Exception as error:
            if is_weather(error) or len(outcomes) == 1:
                raise
            log.error("a batch cannot be saved as one", extra={"reason": type(error).__name__})
        else:
            return
        failed: Exception | None = None
        for claim, outcome in outcomes:
            try:
                await self._save_patiently([(claim, outcome)])
            except Exception as error:
                if is_weather(error):
                    raise
                log.error("a result cannot be saved", extra={"notice": claim.id, "reason": type(error).__name__})
                failed = error
        if failed is not None:
            raise failed

    async def _save_patiently(self, outcomes: Sequence[tuple[C, Outcome]]) -> None:
        """Receipts are worth waiting for: without them, what arrived would count as unknown."""

        async def save(tx: Transaction) -> None:
            await self._outbox.save(tx, outcomes, self._clock())

        backoff, tries = Backoff(), 0
        while True:
            try:
                await self._ledger.transact(save)
                return
            except Exception as error:
                tries += 1
                if not is_weather(error) or (self._stopping and tries >= 5):
                    raise
                log.warning("the database is away", extra={"reason": type(error).__name__})
                await backoff.wait()


def _outcome(id: UUID, batch: Batch) -> Outcome:
    """What was begun and not reported on may have arrived or not."""
    return batch.outcomes.get(id, Unknown() if id in batch.begun else NotBegun())
