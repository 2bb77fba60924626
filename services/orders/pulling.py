"""Pulls what thin pushes told of: claim in one short transaction, ask the platform outside of any, take the orders in
as if they had been pushed, and settle.

Orders come to the desk before their pulls are settled, so a process that dies in between leaves them to be pulled
again, which changes nothing. What comes to nothing for days is given up, for staff to see; what waits, for how long,
and how much was given up is in the metrics.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from random import Random

from msgspec import Struct

from services.chassis.faults import is_weather
from services.chassis.group import Overloaded
from services.chassis.ledger import Ledger, Transaction
from services.orders.adapters.base import Malformed
from services.orders.asking import Asking
from services.orders.desk import Desk, PartnerChanged
from services.orders.domain.command import Kind, OrderCommand
from services.orders.domain.pulls import (
    NOT_FOUND,
    Outcome,
    again_at,
    is_fault,
    is_given_up,
    is_older,
    is_settled,
    next_at_once,
)
from services.orders.intake import Push
from services.orders.metrics import PullMetrics
from services.orders.platforms.base import (
    Expired,
    Limited,
    NoSuchOrder,
    Platform,
    Refused,
    Trouble,
    Unauthorised,
    Unwell,
)
from services.orders.store import pulls as store
from services.orders.store import tokens as token_store
from services.orders.store.partners import Partner
from services.orders.store.pulls import Claim, Claimed, Ready, Settled
from services.orders.store.tokens import Pace
from services.orders.tokens import Tokens

log = logging.getLogger(__name__)

BATCH_S = 45.0
"""The longest that one batch may take at the platform."""
LEASE = timedelta(seconds=90)
"""After this, what a process that died had in hand is pulled by another one. Longer than BATCH_S."""
UNAUTHORISED_WAIT = timedelta(minutes=10)
"""How long a platform is left alone that will not answer before the seller authorises the app again."""
LIMITED_WAIT = timedelta(seconds=30)
"""The same where it says that it was asked too often, and not for how long to wait."""

_KINDS: tuple[tuple[type[Trouble], Outcome], ...] = (
    (Limited, Outcome.LIMITED),
    (Unauthorised, Outcome.UNAUTHORISED),
    (NoSuchOrder, Outcome.MISSING),
    (Unwell, Outcome.UNWELL),
    (Refused, Outcome.REFUSED),
    (Expired, Outcome.REFUSED),
)


class _Result(Struct, frozen=True):
    """What asking for one order came to. `alone`: it was asked for by itself, while others were given."""

    outcome: Outcome
    error: str | None = None
    alone: bool = False


class Puller:
    """The jobs of pulling, for one process. `calls_per_s`: how often a platform may be asked for one partner.

    `stopping`: set when the process begins to stop.
    """

    def __init__(
        self,
        ledger: Ledger,
        desk: Desk,
        platforms: Mapping[str, Platform],
        metrics: PullMetrics,
        clock: Callable[[], datetime],
        chance: Random,
        calls_per_s: float,
        stopping: asyncio.Event,
    ) -> None:
        self._ledger, self._desk, self._platforms = ledger, desk, platforms
        self._metrics, self._clock, self._chance = metrics, clock, chance
        self._call_s = 1 / calls_per_s
        self._tokens = Tokens(ledger, clock, stopping)

    async def is_due(self, now: datetime) -> bool:
        """Whether there is anything to pull."""
        async with self._ledger.pool.acquire(timeout=5) as conn:
            return await store.is_any_ready(conn, [*self._platforms], now)

    async def pull_due(self, now: datetime) -> bool:
        """Pulls a batch of one partner; returns whether there may be more. Several may run at once."""
        claimed = await self._claim(now)
        if claimed is None:
            return False
        ready, claim = claimed
        partner = await self._desk.partner(claim.partner_id, anew=True)
        if partner is not None:  # partners stay for ever
            results, not_before = await self._pull(partner, claim)
            await self._settle(ready, claim, results, not_before)
        return True

    async def count(self, now: datetime) -> bool:
        """Says in the metrics how much waits, and how long, and how much was given up."""
        async with self._ledger.pool.acquire(timeout=5) as conn:
            waiting = await store.list_waiting(conn, NOT_FOUND)
        for adapter in self._platforms:
            found = waiting.get(adapter)
            self._metrics.waiting.labels(adapter).set(found.orders if found else 0)
            age_s = max((now - found.told_at).total_seconds(), 0) if found and found.told_at else 0
            self._metrics.oldest_due_s.labels(adapter).set(age_s)
            self._metrics.given_up.labels(adapter).set(found.given_up if found else 0)
        return False

    async def _claim(self, now: datetime) -> tuple[Ready, Claim] | None:
        """One partner has one batch under way, so that one whose platform hangs holds up nobody else."""

        async def work(tx: Transaction) -> tuple[Ready, Claim] | None:
            ready = await store.find_ready(tx.conn, [*self._platforms], now)
            if ready is None:
                return None
            most = min(ready.at_once, self._platforms[ready.adapter].most)
            claim = await store.claim_due(tx.conn, ready.partner_id, now, most, now + LEASE)
            if not claim.orders:
                return None
            await token_store.lease_calls(tx.conn, ready.partner_id, claim.until)
            return ready, claim

        return await self._ledger.transact(work)

    async def _pull(self, partner: Partner, claim: Claim) -> tuple[dict[str, _Result], datetime]:
        """What became of each order of the claim, after those that were found are in the books.

        And before when the platform is not to be asked again.
        """
        platform, began = self._platforms[partner.adapter], self._clock()
        asking = Asking(self._tokens, partner, platform, self._clock, self._call_s)
        refs = [order.partner_ref for order in claim.orders]
        left, not_before = _Result(Outcome.MISSING, NOT_FOUND), began
        try:
            async with asyncio.timeout(BATCH_S):
                await asking.ask(refs)
        except TimeoutError:
            left = _Result(Outcome.UNWELL, "timed_out")
        except Trouble as trouble:
            left, not_before = _result_of(trouble), self._leave_alone(claim, trouble)
        not_before = max(not_before, began + timedelta(seconds=asking.calls * self._call_s))
        results = dict.fromkeys(refs, left)
        results |= dict.fromkeys(asking.missing, _Result(Outcome.MISSING, NOT_FOUND))
        for ref, refusal in asking.refused.items():
            results[ref] = _Result(Outcome.REFUSED, str(refusal), alone=asking.has_answered)
        return results | await self._take(partner, claim, asking.found), not_before

    async def _take(
        self, partner: Partner, claim: Claim, found: Mapping[str, OrderCommand | Malformed]
    ) -> dict[str, _Result]:
        """Brings what was found into the books. Raises the weather: what was claimed comes again then."""
        results = {
            ref: _Result(Outcome.MALFORMED, str(command))
            for ref, command in found.items()
            if isinstance(command, Malformed)
        }
        told = {order.partner_ref: order for order in claim.orders}
        commands = {ref: command for ref, command in found.items() if isinstance(command, OrderCommand)}
        for (ref, command), failure in zip(
            commands.items(), await self._push(partner, list(commands.values())), strict=True
        ):
            results[ref] = failure or _Result(_freshness(command, told[ref]))
        return results

    async def _push(self, partner: Partner, commands: Sequence[OrderCommand]) -> list[_Result | None]:
        """What kept each out of the books, None where nothing did. Raises the weather."""
        now = self._clock()
        for anew in (False, True):
            known = await self._desk.partner(partner.partner_id, anew=True) if anew else partner
            if known is None:
                break
            try:
                taken = await self._desk.take(known, [Push(known, command, now) for command in commands])
            except PartnerChanged:
                continue
            except Overloaded:
                return [_Result(Outcome.FAILED, "overloaded")] * len(commands)
            return [_failure(result) if isinstance(result, Exception) else None for result in taken]
        return [_Result(Outcome.FAILED, "partner_changed")] * len(commands)

    def _leave_alone(self, claim: Claim, trouble: Trouble) -> datetime:
        """The platform is not asked for the partner's other orders before it may help.

        What it refuses may be one order's business: that is found as where it fails, see `_next_pace`.
        """
        if isinstance(trouble, Limited):
            wait = timedelta(seconds=trouble.wait_s) if trouble.wait_s is not None else LIMITED_WAIT
        elif isinstance(trouble, Unauthorised):
            wait = UNAUTHORISED_WAIT
        else:
            return self._clock()
        not_before = self._clock() + wait
        log.warning(
            "a platform is left alone",
            extra={"partner": str(claim.partner_id), "until": not_before.isoformat(), "reason": str(trouble)},
        )
        return not_before

    async def _settle(self, ready: Ready, claim: Claim, results: Mapping[str, _Result], not_before: datetime) -> None:
        now = self._clock()
        asked = len(claim.orders)
        settled = [self._settled(order, results[order.partner_ref], asked, now) for order in claim.orders]
        pace = Pace(not_before, ready.at_once, ready.failures)
        if not claim.is_last_resort:
            pace = self._next_pace(pace, asked, _is_down(results), now)

        async def work(tx: Transaction) -> None:
            await store.settle(tx.conn, claim, settled)
            await token_store.settle_calls(tx.conn, claim.partner_id, claim.until, pace)

        await self._ledger.transact(work)
        for result in results.values():
            self._metrics.pulls.labels(ready.adapter, result.outcome).inc()

    def _next_pace(self, pace: Pace, asked: int, failed: bool, now: datetime) -> Pace:
        """A platform that fails is asked less and less often, and for fewer orders."""
        at_once, failures = next_at_once(pace.at_once, asked, failed), pace.failures + 1 if failed else 0
        not_before = max(pace.next_call_at, again_at(failures, now, self._chance)) if failed else pace.next_call_at
        return Pace(not_before, at_once, failures)

    def _settled(self, order: Claimed, result: _Result, asked: int, now: datetime) -> Settled:
        if is_settled(result.outcome, order.attempts):
            return Settled(order.partner_ref, None, result.error, is_fault=False)
        if is_given_up(order.attempts, now - order.told_at):
            return Settled(order.partner_ref, None, result.error, is_fault=False, gave_up_at=now)
        due_at = again_at(order.attempts, now, self._chance)
        return Settled(order.partner_ref, due_at, result.error, is_fault(result.outcome, 1 if result.alone else asked))


def _is_down(results: Mapping[str, _Result]) -> bool:
    """Whether the platform failed at all that it was asked for."""
    return all(result.outcome in (Outcome.UNWELL, Outcome.REFUSED) for result in results.values())


def _result_of(trouble: Trouble) -> _Result:
    outcome = next(outcome for kind, outcome in _KINDS if isinstance(trouble, kind))
    return _Result(outcome, str(trouble))


def _freshness(command: OrderCommand, told: Claimed) -> Outcome:
    """A platform may tell of a change before all of its copies know it."""
    is_stale = (
        told.updated_at is not None
        and command.kind is not Kind.CANCEL
        and is_older(command.revision.updated_at, told.updated_at)
    )
    return Outcome.STALE if is_stale else Outcome.PULLED


def _failure(error: Exception) -> _Result:
    if is_weather(error):
        raise error
    log.error("a pulled order could not be taken", exc_info=error)
    return _Result(Outcome.FAILED, type(error).__name__)
