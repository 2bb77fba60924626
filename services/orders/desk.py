"""The desk where pushes are taken in: those that come at the same time share a transaction.

Partners are remembered, since nearly every push comes from one that was here before. What is remembered may be out
of date, so the transaction that takes orders reads the partners again, and takes only what a secret that is valid
now has signed; and before a signature is refused, the partner is read again as well.
"""

from collections.abc import Awaitable, Callable, Sequence, Set
from datetime import datetime
from enum import Enum, auto
from typing import TypeVar
from uuid import UUID

import asyncpg

from services.chassis.group import Group
from services.chassis.ledger import Ledger, Transaction
from services.chassis.runtime import Runtime
from services.orders.intake import Answer, Push, take_orders
from services.orders.pooling import GateHeld, PooledAnswer, take_pooled
from services.orders.settings import OrdersSettings
from services.orders.store.books import enter_free_gates, enter_gates
from services.orders.store.partners import Partner, get_partner, list_partners, lock_partners

MOST_REMEMBERED = 20_000
"""Partners."""
MOST_AT_ONCE = 1000
"""Lines of orders in one transaction, about."""
BETWEEN_S = 0.01
"""From the beginning of one transaction to that of the next: the first push goes at once, and those on its heels
together."""
MOST_WAITING = 40_000
MOST_OF_ONE = 10_000
"""Lines of orders that may wait, in all and of one partner."""
SIDE_BY_SIDE = 2
"""Transactions under way: while one waits for the database, the next one is decided."""
OF_ONE_PARTNER = 1
"""So little is enough for a transaction that waits for a gate: it takes the share of one partner and no other's."""
PATIENT_SIDE_BY_SIDE = 2
"""Transactions that wait for a gate, each with a connection that others could use."""


OF_CAMPAIGNS_SIDE_BY_SIDE = 2
"""Transactions for campaigns, each of which holds the row of its own."""
MOST_CLOSINGS = 50
"""That a campaign waits for before it says that it is too busy."""

T = TypeVar("T")

Taken = Answer | PooledAnswer
"""What a push came to: at a cooperative's partner, or at a campaign."""


class _Not(Enum):
    """Why a push was not taken."""

    VALID = auto()
    NOW = auto()


class _HeldUp(Exception):
    """Somebody holds a row that one of the pushes needs; by themselves the others need not wait."""


class PartnerChanged(Exception):
    """The partner is not any more what its push was checked against; check it again."""


class Desk:
    """Takes pushes for one process. `clock` says which offers still take orders."""

    def __init__(self, runtime: Runtime[OrdersSettings], clock: Callable[[], datetime]) -> None:
        self._runtime, self._clock = runtime, clock
        self._partners: dict[UUID, Partner] = {}
        self._hurried = _group(self._store, MOST_AT_ONCE, SIDE_BY_SIDE)
        self._patient = _group(self._store_patiently, OF_ONE_PARTNER, PATIENT_SIDE_BY_SIDE)
        self._pooled = _group(self._store_pooled, MOST_AT_ONCE, OF_CAMPAIGNS_SIDE_BY_SIDE)

    async def partner(self, partner_id: UUID, *, anew: bool) -> Partner | None:
        """The partner as remembered, or read `anew`; None where there is none, or none that pushes itself."""
        known = None if anew else self._partners.get(partner_id)
        if known is not None:
            return known
        found = await get_partner(self._runtime.pool, partner_id)
        if found is None or found.campaign_id:
            self._partners.pop(partner_id, None)
            return None
        if len(self._partners) >= MOST_REMEMBERED:
            self._partners.clear()
        self._partners[partner_id] = found
        return found

    async def take(self, partner: Partner, pushes: Sequence[Push]) -> list[Taken | Exception]:
        """What became of each push of the partner: its answer, or why it failed. Raises PartnerChanged, Overloaded."""
        group = self._pooled if partner.is_campaign else self._hurried
        results = [*await group.submit(partner.partner_id, pushes)]
        held_up = [index for index, result in enumerate(results) if result is _Not.NOW]
        later = await self._patient.submit(partner.partner_id, [pushes[index] for index in held_up])
        for index, result in zip(held_up, later, strict=True):
            results[index] = result
        if _Not.VALID in results:
            raise PartnerChanged
        return [result for result in results if not isinstance(result, _Not)]

    async def _store(self, pushes: Sequence[Push]) -> Sequence[Taken | _Not]:
        """Pushes of cooperatives whose gate is held are left out: others must not wait for it with them."""

        async def work(tx: Transaction) -> list[Taken | _Not]:
            return await self._take(tx, pushes, await enter_free_gates(tx.conn, _cooperatives(pushes)))

        try:
            return await self._runtime.ledger.transact(work)
        except asyncpg.LockNotAvailableError:
            if len(pushes) > 1:
                raise _HeldUp from None
            return [_Not.NOW]

    async def _store_patiently(self, pushes: Sequence[Push]) -> Sequence[Taken | _Not]:
        """Pushes of one partner, which wait for the gate."""

        async def work(tx: Transaction) -> list[Taken | _Not]:
            await enter_gates(tx.conn, _cooperatives(pushes))
            return await self._take(tx, pushes, _cooperatives(pushes))

        return await self._runtime.ledger.transact(work)

    async def _store_pooled(self, pushes: Sequence[Push]) -> Sequence[Taken | _Not]:
        """Pushes to campaigns, each campaign by itself, so that none waits for the gates of another."""
        of_campaign: dict[UUID, list[int]] = {}
        for index, push in enumerate(pushes):
            of_campaign.setdefault(push.partner.partner_id, []).append(index)
        results: dict[int, Taken | _Not] = {}
        for campaign_id, indexes in of_campaign.items():
            taken = await self._store_campaign(campaign_id, [pushes[index] for index in indexes])
            results |= zip(indexes, taken, strict=True)
        return [results[index] for index in range(len(pushes))]

    async def _store_campaign(self, campaign_id: UUID, pushes: Sequence[Push]) -> Sequence[Taken | _Not]:
        async def work(tx: Transaction) -> list[Taken | _Not]:
            campaign = (await lock_partners(tx.conn, [campaign_id])).get(campaign_id)
            good = [push for push in pushes if push.partner == campaign]
            answers = iter(await take_pooled(tx, campaign, good, self._clock()) if campaign and good else ())
            return [next(answers) if push.partner == campaign else _Not.VALID for push in pushes]

        return await between_closings(self._runtime.ledger, work)

    async def _take(self, tx: Transaction, pushes: Sequence[Push], entered: Set[UUID]) -> list[Taken | _Not]:
        partners = await list_partners(tx.conn, _partner_ids(pushes))

        def refusal(push: Push) -> _Not | None:
            if partners.get(push.partner.partner_id) != push.partner:
                return _Not.VALID
            return None if push.partner.cooperative_id in entered else _Not.NOW

        refusals = [refusal(push) for push in pushes]
        taken = [push for push, refused in zip(pushes, refusals, strict=True) if refused is None]
        answers = iter(await take_orders(tx, taken, self._clock()) if taken else ())
        return [next(answers) if refused is None else refused for refused in refusals]


async def between_closings(ledger: Ledger, work: Callable[[Transaction], Awaitable[T]]) -> T:
    """Does the work for a campaign when none of its cooperatives closes offers. Raises the weather after a while."""
    for _ in range(MOST_CLOSINGS):
        try:
            return await ledger.transact(work)
        except GateHeld as error:
            gates = error.cooperative_ids  # waited for with nothing else in hand
            await ledger.transact(lambda tx: enter_gates(tx.conn, gates))  # noqa: B023 - awaited in this turn
        except asyncpg.LockNotAvailableError:
            continue
    raise ConnectionError("cooperatives of the campaign close offers all the time")


def _group(
    work: Callable[[Sequence[Push]], Awaitable[Sequence[Taken | _Not]]], most: int, side_by_side: int
) -> Group[Push, Taken | _Not]:
    return Group(
        work,
        most=most,
        most_waiting=MOST_WAITING,
        most_of_one=MOST_OF_ONE,
        side_by_side=side_by_side,
        weigh=lambda push: max(1, len(push.command.lines)),
        every_s=BETWEEN_S,
        paced=True,
    )


def _partner_ids(pushes: Sequence[Push]) -> list[UUID]:
    return sorted({push.partner.partner_id for push in pushes})


def _cooperatives(pushes: Sequence[Push]) -> set[UUID]:
    return {push.partner.cooperative_id for push in pushes}
