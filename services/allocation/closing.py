"""The time to answer is over: a command for each day whose open round can be answered no more."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from services.allocation.store.asked import list_due_days
from services.chassis.commands import Commands
from services.chassis.ledger import Transaction
from services.contracts.allocation import RepliesClosed
from services.contracts.base import Event

DAYS_PER_RUN = 50


async def close_due_rounds(pool: "asyncpg.Pool[asyncpg.Record]", commands: Commands, now: datetime) -> bool:
    """Closes the rounds whose deadline has come; returns whether there may be more."""
    due = await list_due_days(pool, now, DAYS_PER_RUN)
    streams = sorted({cooperative_id for cooperative_id, _, _ in due})

    async def decide(tx: Transaction) -> Sequence[tuple[UUID, Event]]:
        """What is due still, now that nothing else is applied to these cooperatives."""
        still = set(await list_due_days(tx.conn, now, DAYS_PER_RUN, streams))
        return [(stream, RepliesClosed(delivery_day=day, round=number)) for stream, day, number in sorted(still)]

    if due:
        await commands.execute(streams, decide)
    return len(due) == DAYS_PER_RUN
