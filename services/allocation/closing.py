"""The time to answer is over: a command for each day whose open round can be answered no more.

The clock and what is known of notices decide whether it is given. What follows from it does not ask for either.
"""

import logging
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from services.allocation.store.asked import list_due_days
from services.chassis.commands import Commands
from services.chassis.faults import is_weather
from services.chassis.ledger import Transaction
from services.contracts.allocation import RepliesClosed
from services.contracts.base import Event

log = logging.getLogger(__name__)

DAYS_PER_RUN = 50


async def close_due_rounds(pool: "asyncpg.Pool[asyncpg.Record]", commands: Commands, now: datetime) -> bool:
    """Closes the rounds whose deadline has come; returns whether there may be more.

    Each cooperative in a transaction of its own: one whose day cannot be closed holds up nobody else.
    """
    due = await list_due_days(pool, now, DAYS_PER_RUN)
    closed = 0
    for cooperative_id in sorted({cooperative_id for cooperative_id, _, _ in due}):
        try:
            closed += await _close(commands, cooperative_id, now)
        except Exception as error:
            if is_weather(error):
                raise
            log.exception("a round of replies cannot be closed", extra={"stream": str(cooperative_id)})
    return len(due) == DAYS_PER_RUN and closed > 0


async def _close(commands: Commands, cooperative_id: UUID, now: datetime) -> int:
    async def decide(tx: Transaction) -> Sequence[tuple[UUID, Event]]:
        """What is due still, now that nothing else is applied to this cooperative."""
        still = await list_due_days(tx.conn, now, DAYS_PER_RUN, [cooperative_id])
        return [(stream, RepliesClosed(delivery_day=day, round=number)) for stream, day, number in still]

    return len(await commands.execute([cooperative_id], decide))
