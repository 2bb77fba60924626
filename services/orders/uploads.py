"""Taking in the orders of a table, at the same desk as pushes."""

from collections.abc import Sequence
from datetime import datetime

import asyncpg

from services.chassis import problems
from services.orders.desk import Desk, PartnerChanged
from services.orders.domain.command import OrderCommand
from services.orders.domain.uploads import UploadedOrder
from services.orders.intake import Answer, Push
from services.orders.pooling import PooledAnswer
from services.orders.store.orders import StoredRevision, list_revisions
from services.orders.store.partners import Partner


async def commands_of(
    pool: "asyncpg.Pool[asyncpg.Record]", partner: Partner, orders: Sequence[UploadedOrder], now: datetime
) -> list[OrderCommand]:
    """The orders as commands. One without a time of its own is the word of `now`, or of then if it says what is stored.

    So the same table again changes nothing, and a corrected one counts.
    """
    untimed = [order.ref for order in orders if order.updated_at is None]
    stored = await list_revisions(pool, partner.partner_id, untimed) if untimed else {}
    return [order.command(order.updated_at or _since(order, stored.get(order.ref), now)) for order in orders]


def _since(order: UploadedOrder, stored: StoredRevision | None, now: datetime) -> datetime:
    if stored is None:
        return now
    command = order.command(now)
    same = command.without_contact() if stored.contact_erased else command
    return stored.updated_at if same.revision.digest == stored.digest else now


async def take(
    desk: Desk, partner: Partner, commands: Sequence[OrderCommand], now: datetime, traceparent: str | None
) -> list[Answer | Exception]:
    """What became of each order. Raises Overloaded; and 409 at a campaign, or where the partner changes just now."""
    if partner.is_campaign:
        raise problems.conflict("Orders of a campaign are pushed to it; a file is for a partner of one cooperative.")
    for _ in range(2):
        pushes = [Push(partner, command, now, traceparent) for command in commands]
        try:
            results = await desk.take(partner, pushes)
            return [result for result in results if not isinstance(result, PooledAnswer)]
        except PartnerChanged:
            found = await desk.partner(partner.partner_id, anew=True)
            if found is None:
                break
            partner = found
    raise problems.conflict("The partner is changing just now. Send the same again.")
