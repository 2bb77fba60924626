"""Thin pushes: which orders a platform tells of is written down, many pushes in one transaction, and pulled later.

As at the desk, the transaction reads the partners again, and takes only what a secret that is valid now has signed.
"""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from services.chassis.group import Group
from services.chassis.ledger import Ledger, Transaction
from services.orders.adapters.base import Pull
from services.orders.desk import PartnerChanged
from services.orders.store.partners import Partner, list_partners
from services.orders.store.pulls import Told, save_told

MOST_AT_ONCE = 500
MOST_WAITING = 20_000
MOST_OF_ONE = 10_000
"""Orders that may wait to be written down, in all and of one partner."""


class _Push(Struct, frozen=True):
    """What a partner has proven to say, and when it came."""

    partner: Partner
    pulls: tuple[Pull, ...]
    received_at: datetime


class ToldOrders:
    """Takes thin pushes for one process."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._group = Group(
            self._store,
            most=MOST_AT_ONCE,
            most_waiting=MOST_WAITING,
            most_of_one=MOST_OF_ONE,
            side_by_side=1,
            weigh=lambda push: max(1, len(push.pulls)),
        )

    async def take(self, partner: Partner, pulls: tuple[Pull, ...], received_at: datetime) -> bool:
        """Returns whether there is news in it, once it is stored. Raises PartnerChanged, Overloaded, the weather."""
        push = _Push(partner, pulls, received_at)
        (result,) = await self._group.submit(partner.partner_id, [push])
        if isinstance(result, Exception):
            raise result
        if result is None:
            raise PartnerChanged
        return result

    async def _store(self, pushes: Sequence[_Push]) -> Sequence[bool | None]:
        """Whether each has news; None where its partner is not any more what it was checked against."""

        async def work(tx: Transaction) -> list[bool | None]:
            partners = await list_partners(tx.conn, sorted({push.partner.partner_id for push in pushes}))
            valid = [push for push in pushes if partners.get(push.partner.partner_id) == push.partner]
            told = [_told(push, pull) for push in valid for pull in push.pulls]
            news = await save_told(tx.conn, told, max(push.received_at for push in valid)) if told else set()
            return [
                any((push.partner.partner_id, pull.partner_ref) in news for pull in push.pulls)
                if partners.get(push.partner.partner_id) == push.partner
                else None
                for push in pushes
            ]

        return await self._ledger.transact(work)


def _told(push: _Push, pull: Pull) -> Told:
    return Told(push.partner.partner_id, pull.partner_ref, pull.key, pull.updated_at, pull.status)
