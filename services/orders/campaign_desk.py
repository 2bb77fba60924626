"""Where pushes to campaigns are taken in: those that come at the same time share a transaction, as at the `desk`."""

from collections.abc import Callable, Sequence
from datetime import datetime
from enum import Enum, auto
from uuid import UUID

from services.chassis.group import Group
from services.chassis.ledger import Transaction
from services.chassis.runtime import Runtime
from services.orders.desk import MOST_AT_ONCE, MOST_OF_ONE, MOST_WAITING, PartnerChanged
from services.orders.pooling import PooledAnswer, PooledPush, take_pooled
from services.orders.settings import OrdersSettings
from services.orders.store.campaigns import Campaign, get_campaign, lock_campaigns

SIDE_BY_SIDE = 2
"""Transactions under way, of different campaigns, since each holds the rows of its own."""


class _Not(Enum):
    """Why a push was not taken."""

    VALID = auto()


class CampaignDesk:
    """Takes pushes for one process. `clock` says which offers still take orders."""

    def __init__(self, runtime: Runtime[OrdersSettings], clock: Callable[[], datetime]) -> None:
        self._runtime, self._clock = runtime, clock
        self._group = Group[PooledPush, PooledAnswer | _Not](
            self._store,
            most=MOST_AT_ONCE,
            most_waiting=MOST_WAITING,
            most_of_one=MOST_OF_ONE,
            side_by_side=SIDE_BY_SIDE,
            weigh=lambda push: max(1, len(push.command.lines)),
        )

    async def campaign(self, campaign_id: UUID) -> Campaign | None:
        """The campaign, if there is one."""
        return await get_campaign(self._runtime.pool, campaign_id)

    async def take(self, campaign: Campaign, pushes: Sequence[PooledPush]) -> list[PooledAnswer | Exception]:
        """What became of each push: its answer, or why it failed. Raises PartnerChanged, Overloaded."""
        results = await self._group.submit(campaign.campaign_id, pushes)
        if _Not.VALID in results:
            raise PartnerChanged
        return [result for result in results if not isinstance(result, _Not)]

    async def _store(self, pushes: Sequence[PooledPush]) -> Sequence[PooledAnswer | _Not]:
        async def work(tx: Transaction) -> list[PooledAnswer | _Not]:
            locked = await lock_campaigns(tx.conn, sorted({push.campaign.campaign_id for push in pushes}))
            valid = [locked.get(push.campaign.campaign_id) == push.campaign for push in pushes]
            good = [push for push, is_valid in zip(pushes, valid, strict=True) if is_valid]
            answers = iter(await take_pooled(tx, good, self._clock()) if good else ())
            return [next(answers) if is_valid else _Not.VALID for is_valid in valid]

        return await self._runtime.ledger.transact(work)
