"""The cut-off: an offer stops taking orders, and says so in the stream, in one transaction.

The transaction holds the gates of its cooperatives alone: orders that were being taken are committed before it, and
the next one sees the offer closed. So no order stands behind `intake_closed`.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from services.chassis.ledger import Transaction
from services.contracts.orders import IntakeClosed
from services.orders.store import books as store
from services.orders.store.books import ClosedOffer

COOPERATIVES_PER_RUN = 50


async def close_due(tx: Transaction, now: datetime) -> bool:
    """Closes the offers whose cut-off has come; returns whether there may be more."""
    cooperative_ids = await store.list_due_cooperatives(tx.conn, now, COOPERATIVES_PER_RUN)
    if cooperative_ids:
        await store.hold_gates(tx.conn, cooperative_ids)
        await _announce(tx, await store.close_due_offers(tx.conn, cooperative_ids, now), withdrawn=False)
    return len(cooperative_ids) == COOPERATIVES_PER_RUN


async def withdraw(tx: Transaction, offers: Sequence[tuple[UUID, UUID]]) -> None:
    """(cooperative, its offer): what was withdrawn takes no more orders."""
    await store.hold_gates(tx.conn, [cooperative_id for cooperative_id, _ in offers])
    await _announce(tx, await store.withdraw_offers(tx.conn, [offer_id for _, offer_id in offers]), withdrawn=True)


async def _announce(tx: Transaction, closed: Sequence[ClosedOffer], *, withdrawn: bool) -> None:
    """The last offer closed of a day closes the day, unless another one of that day is open."""
    if not closed:
        return
    in_order = sorted(closed, key=lambda offer: (offer.cooperative_id, offer.offer_id))
    last = {(offer.cooperative_id, offer.delivery_day): offer.offer_id for offer in in_order}
    open_days = await store.list_open_days(tx.conn, sorted({offer.cooperative_id for offer in in_order}))
    for offer in in_order:
        day = (offer.cooperative_id, offer.delivery_day)
        event = IntakeClosed(
            offer_id=offer.offer_id,
            delivery_day=offer.delivery_day,
            closes_day=last[day] == offer.offer_id and day not in open_days,
            withdrawn=withdrawn,
        )
        tx.append(offer.cooperative_id, event)
