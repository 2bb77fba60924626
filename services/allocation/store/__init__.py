"""All SQL of allocation. A row becomes a value of the domain here, and nowhere else.

Every statement takes all that a batch needs, so a batch costs a handful of them whatever its size. Whoever changes
books locks the rows of their cooperatives first (`members.lock_cooperatives`): one writer at a time per cooperative,
no deadlocks, and what was read under the lock holds until the commit.
"""

from datetime import date
from uuid import UUID

import asyncpg

from services.chassis.ledger import Connection

Reader = Connection | asyncpg.Pool
"""Reads take a connection within a transaction, or the pool."""

Day = tuple[UUID, date]
"""A delivery day of a cooperative."""
