"""All SQL of catalog. A row becomes a value of the domain here, and nowhere else.

Whoever writes offers or standing offers locks the cooperative's row first: so staff and the renewal of one
cooperative take turns, and cooperatives never wait for each other.
"""

import asyncpg

from services.chassis.ledger import Connection

Reader = Connection | asyncpg.Pool
"""Reads take a connection within a transaction, or the pool."""
