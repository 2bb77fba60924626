"""Finds the orders whose pushes were missed: WooCommerce sends none again, and stops sending after some failures.

Each shop with an API key is read now and then from where it was read to, with an overlap, and its orders go the way of
pushes: what is known already has no effect.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from random import Random

from services.chassis.faults import is_weather
from services.chassis.group import Overloaded
from services.chassis.ledger import Ledger, Transaction
from services.orders.adapters import woocommerce as adapter
from services.orders.adapters.base import Credentials, Malformed, Request
from services.orders.desk import Desk, PartnerChanged
from services.orders.domain.command import OrderCommand
from services.orders.domain.pulls import again_at
from services.orders.intake import Push
from services.orders.metrics import PullMetrics
from services.orders.platforms.base import Limited, Refused, Trouble, Unwell
from services.orders.platforms.woocommerce import PAGE, TRASH, Changed, Key, WooCommerce
from services.orders.store import reconciliations as store
from services.orders.store.partners import Partner
from services.orders.store.reconciliations import Claim

log = logging.getLogger(__name__)

READING_S = 45.0
"""The longest that one shop is read at a stretch; the next time it goes on from there."""
LEASE = timedelta(seconds=90)
"""After this, a shop that a process left is read by another one. Longer than READING_S."""
OVERLAP = timedelta(minutes=10)
"""What is read again: changes of which the shop wrote the time before others could see them."""
SECOND = timedelta(seconds=1)
REFUSED_WAIT = timedelta(minutes=30)
"""How long a shop is left alone that will not answer before somebody changes something."""

_JSON = {"content-type": "application/json"}
_LIVING, _TRASHED = _JSON | {"x-wc-webhook-topic": "order.restored"}, _JSON | {"x-wc-webhook-topic": "order.updated"}
"""An order that a shop lists is there, whatever was pushed of its deletion."""


class Unfinished(Unwell):
    """There is more to read than there was time for."""


class Reconciler:
    """The jobs of reading shops, for one process. `every`: how often each is read."""

    def __init__(
        self,
        ledger: Ledger,
        desk: Desk,
        shops: WooCommerce,
        metrics: PullMetrics,
        clock: Callable[[], datetime],
        chance: Random,
        every: timedelta,
    ) -> None:
        self._ledger, self._desk, self._shops = ledger, desk, shops
        self._metrics, self._clock, self._chance, self._every = metrics, clock, chance, every

    async def reconcile_due(self, now: datetime) -> bool:
        """Reads one shop to its end; returns whether there may be another one. Several may run at once."""

        async def work(tx: Transaction) -> Claim | None:
            return await store.claim_due(tx.conn, now, now + LEASE)

        claim = await self._ledger.transact(work)
        if claim is None:
            return False
        trouble: Trouble | None = None
        try:
            async with asyncio.timeout(READING_S):
                await self._read(claim)
        except TimeoutError:
            trouble = Unfinished("too_long")
        except Trouble as found:
            trouble = found
        await self._settle(claim, trouble)
        return True

    async def count(self, now: datetime) -> bool:
        """Says in the metrics how long a shop has not been read to its end."""
        async with self._ledger.pool.acquire(timeout=5) as conn:
            oldest = await store.find_oldest(conn)
        self._metrics.reconciled_oldest_s.set(max((now - oldest).total_seconds(), 0) if oldest else 0)
        return False

    async def _read(self, claim: Claim) -> None:
        """The shop's orders, then those in its trash, each from where they were read to. Raises Trouble."""
        partner = await self._desk.partner(claim.partner_id, anew=True)
        if partner is None or "shop_url" not in partner.settings:
            raise Refused("no_shop_url")
        await self._read_list(partner, claim, None, claim.seen_until)
        await self._read_list(partner, claim, TRASH, claim.trash_seen_until)

    async def _read_list(self, partner: Partner, claim: Claim, status: str | None, seen_until: datetime) -> None:
        after, page = max(seen_until - OVERLAP, claim.since), 1
        key = Key(claim.consumer_key, claim.consumer_secret)
        while True:
            now = self._clock()
            changed = await self._shops.changed(partner.settings["shop_url"], key, after, page, status, now)
            await self._take(partner, changed, _TRASHED if status == TRASH else _LIVING)
            last = max((one.changed_at for one in changed), default=after)
            # A time of change that lies in the future must not hide what changes until then.
            await self._save_seen(claim, status, min(last, now))
            if len(changed) < PAGE:
                return
            # More may have changed in the same second, which is not after itself.
            after, page = (last - SECOND, 1) if last - SECOND > after else (after, page + 1)

    async def _take(self, partner: Partner, changed: Sequence[Changed], headers: Mapping[str, str]) -> None:
        """Brings the orders into the books. Raises Unwell, and the weather."""
        now = self._clock()
        commands = [command for one in changed if (command := self._command(partner, one, headers))]
        try:
            results = await self._desk.take(partner, [Push(partner, command, now) for command in commands])
        except (PartnerChanged, Overloaded) as error:
            raise Unwell(type(error).__name__) from None
        for result in results:
            if not isinstance(result, Exception):
                self._metrics.reconciled.labels(result.outcome).inc()
                continue
            if is_weather(result):
                raise result
            self._metrics.reconciled.labels("failed").inc()
            log.error("an order of a shop could not be taken", exc_info=result)

    def _command(self, partner: Partner, one: Changed, headers: Mapping[str, str]) -> OrderCommand | None:
        """What the shop would have pushed; a body for which a push would be refused is counted and passed over."""
        request = Request("POST", "", {}, headers, one.raw)
        try:
            found = adapter.read(Credentials(partner.secrets, partner.settings), request)
        except Malformed as error:
            self._metrics.reconciled.labels("malformed").inc()
            log.warning(
                "an order of a shop is faulty", extra={"partner": str(partner.partner_id), "fields": str(error)}
            )
            return None
        return found if isinstance(found, OrderCommand) else None

    async def _save_seen(self, claim: Claim, status: str | None, seen: datetime) -> None:
        async def work(tx: Transaction) -> None:
            await store.save_seen(tx.conn, claim, seen, in_trash=status == TRASH)

        await self._ledger.transact(work)

    async def _settle(self, claim: Claim, trouble: Trouble | None) -> None:
        now = self._clock()
        due_at = now + (self._wait(trouble, claim.attempts, now) if trouble else self._every)
        if trouble:
            log.warning("a shop was not read", extra={"partner": str(claim.partner_id), "reason": str(trouble)})

        async def work(tx: Transaction) -> None:
            await store.settle(tx.conn, claim, due_at, str(trouble) if trouble else None, None if trouble else now)

        await self._ledger.transact(work)
        self._metrics.reconciliations.labels(type(trouble).__name__.lower() if trouble else "done").inc()

    def _wait(self, trouble: Trouble, attempts: int, now: datetime) -> timedelta:
        if isinstance(trouble, Refused):
            return REFUSED_WAIT
        if isinstance(trouble, Unfinished):
            return timedelta(0)  # it is read on after the others that are due
        if isinstance(trouble, Limited) and trouble.wait_s is not None:
            return timedelta(seconds=trouble.wait_s)
        return min(again_at(attempts, now, self._chance) - now, self._every)
