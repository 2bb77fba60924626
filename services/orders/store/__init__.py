"""All SQL of the service, by subject: the books from catalog, partners and their SKU maps, orders."""

import asyncpg

from services.chassis.ledger import Connection

Reader = Connection | asyncpg.Pool
"""Reads take a connection within a transaction, or the pool."""
