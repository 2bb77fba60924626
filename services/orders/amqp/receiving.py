"""From a partner's messages to orders in the books: read, given to the desk, and what cannot be taken handed back.

The desk puts what partners push at the same time into shared transactions, whichever door it came through. Weather is
waited out: until it has passed, the messages stay unacknowledged.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from services.chassis import rejected_messages, trace
from services.chassis.faults import Backoff, describe, is_weather
from services.chassis.group import Overloaded
from services.chassis.ledger import Ledger, Transaction
from services.orders.adapters.base import Batch
from services.orders.amqp import content, topology
from services.orders.amqp.content import Delivery, Limits, Rejection
from services.orders.amqp.rejects import Rejects
from services.orders.desk import Desk, PartnerChanged, Taken
from services.orders.domain.command import OrderCommand
from services.orders.intake import Push
from services.orders.metrics import OrderMetrics
from services.orders.store import accounts as store

log = logging.getLogger(__name__)

ADAPTER = "canonical"
"""The only one whose partners may push over AMQP: it is they who write their own integration."""
LINES_TOGETHER = 1000
"""Lines of orders that are given to the desk at once, about."""
READ_AT_ONCE_BYTES = 64 * 1024
"""Then all else in the process has its turn."""

T = TypeVar("T")
Orders = list[tuple[OrderCommand, str]]
"""What is asked for, each with its traceparent."""


class _NoAccount(Exception):
    """The partner may not push over AMQP, or not any more."""


class Receiver:
    """Takes messages for one process. `clock` says when they came."""

    def __init__(
        self, ledger: Ledger, desk: Desk, metrics: OrderMetrics, limits: Limits, clock: Callable[[], datetime]
    ) -> None:
        self._ledger, self._desk, self._metrics = ledger, desk, metrics
        self._limits, self._clock = limits, clock
        self._accounts: frozenset[UUID] = frozenset()
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Weather is not waited out any more; who waits gets it."""
        self._stopping.set()

    async def know_accounts(self) -> frozenset[UUID]:
        """Reads which partners have AMQP access now; while they cannot be read, it is as it was before."""
        try:
            self._accounts = frozenset(await store.list_account_ids(self._ledger.pool))
        except Exception as error:
            if is_weather(error):
                log.warning("the accounts are read later: %s", describe(error))
            else:
                log.exception("the accounts could not be read")
        return self._accounts

    async def take(self, owner: UUID | None, deliveries: Sequence[Delivery], rejects: Rejects) -> None:
        """Returns when each is stored or handed back. Raises what `rejects` raises; and ConnectionError when stopping.

        `owner`: whose exchange they came through; None where that is no partner's.
        """
        if owner is None:
            await self._patiently(lambda: self._set_aside(deliveries))
            return
        found = await self._read(owner, deliveries)
        asked = [content.commands(one) for one in found]
        orders = [
            (command, trace.continue_from(delivery.traceparent))
            for delivery, commands in zip(deliveries, asked, strict=True)
            for command in commands
        ]
        try:
            results = iter(await self._store(owner, orders))
        except _NoAccount:
            rejections: list[Rejection | None] = [Rejection("no_account")] * len(deliveries)
        else:
            rejections = [
                content.rejection(one, [next(results) for _ in commands])
                for one, commands in zip(found, asked, strict=True)
            ]
        rejected = [(delivery, it) for delivery, it in zip(deliveries, rejections, strict=True) if it is not None]
        if rejected:
            await rejects.put(owner, rejected, self._clock())
            self._count(owner, rejected)

    async def _read(self, owner: UUID, deliveries: Sequence[Delivery]) -> list[OrderCommand | Batch | Rejection]:
        user, found, size = topology.user(owner), [], 0
        for delivery in deliveries:
            found.append(content.read(delivery, user, self._limits))
            size += len(delivery.body)
            if size >= READ_AT_ONCE_BYTES:
                size = 0
                await asyncio.sleep(0)
        return found

    async def _store(self, partner_id: UUID, orders: Orders) -> list[Taken | Exception]:
        """What became of each. Raises _NoAccount."""
        if partner_id not in self._accounts and not await self._patiently(lambda: self._has_account(partner_id)):
            raise _NoAccount
        results: list[Taken | Exception] = []
        for some in _in_shares(orders):
            results += await self._take(partner_id, some)
        self._metrics.count_pushes(ADAPTER, results)
        return results

    async def _has_account(self, partner_id: UUID) -> bool:
        return await store.has_account(self._ledger.pool, partner_id)

    async def _take(self, partner_id: UUID, orders: Orders) -> list[Taken | Exception]:
        anew = False

        async def once() -> list[Taken | Exception]:
            partner = await self._desk.partner(partner_id, anew=anew)
            if partner is None:
                raise _NoAccount
            received_at = self._clock()
            pushes = [Push(partner, command, received_at, traceparent) for command, traceparent in orders]
            results = await self._desk.take(partner, pushes)
            if weather := next((it for it in results if isinstance(it, Exception) and is_weather(it)), None):
                raise weather  # what was stored is known when it is tried again
            return results

        backoff = Backoff()
        while True:
            try:
                return await self._patiently(once)
            except PartnerChanged as error:
                self._go_on(error)
                anew = True
            await backoff.wait()

    async def _patiently(self, work: Callable[[], Awaitable[T]]) -> T:
        """Repeats the work while the weather is bad or too much waits."""
        backoff = Backoff()
        while True:
            try:
                return await work()
            except Exception as error:
                if not (isinstance(error, Overloaded) or is_weather(error)):
                    raise
                self._go_on(error)
                log.warning("partners' messages wait: %s", describe(error))
            await backoff.wait()

    def _go_on(self, error: Exception) -> None:
        if self._stopping.is_set():
            raise ConnectionError("stopping, and the messages come again") from error

    async def _set_aside(self, deliveries: Sequence[Delivery]) -> None:
        async def work(tx: Transaction) -> None:
            for delivery in deliveries:
                reason = f"came through the exchange '{delivery.exchange}', which is no partner's"
                await rejected_messages.save(tx.conn, topology.INTAKE, reason, delivery.body)

        await self._ledger.transact(work)
        self._metrics.rejected.labels("no_partner").inc(len(deliveries))
        log.error("messages rejected", extra={"queue": topology.INTAKE, "messages": len(deliveries)})

    def _count(self, partner_id: UUID, rejected: Sequence[tuple[Delivery, Rejection]]) -> None:
        reasons = [rejection.reason for _, rejection in rejected]
        for reason in reasons:
            self._metrics.rejected.labels(reason).inc()
            if reason in ("malformed", "too_large"):  # as over HTTP
                self._metrics.pushes.labels(ADAPTER, reason).inc()
        log.warning("messages handed back", extra={"partner": str(partner_id), "reasons": sorted(set(reasons))})


def _in_shares(orders: Orders) -> Iterator[Orders]:
    """So many of them that they have about LINES_TOGETHER lines; more would be refused for ever, as too much."""
    share: Orders = []
    lines = 0
    for command, traceparent in orders:
        share.append((command, traceparent))
        lines += max(1, len(command.lines))
        if lines >= LINES_TOGETHER:
            yield share
            share, lines = [], 0
    if share:
        yield share
