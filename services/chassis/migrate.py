"""Migrations: numbered SQL files, forward only, applied once each under an advisory lock.

The checksum of an applied file is kept: a file that was edited afterwards stops the start with a clear line.
"""

import hashlib
import logging
import re
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from services.chassis.ledger import Connection

log = logging.getLogger(__name__)

_LOCK = 0x63686F7068  # any constant of our own
_NAME = re.compile(r"^(\d{4})_[a-z0-9_]+\.sql$")


class WrongMigrations(Exception):
    """The files and what the database has applied do not fit together; the message says where."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file: `component` is `chassis` or the service; `number` orders within it."""

    component: str
    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the file's text."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def find(component: str, folder: Path) -> list[Migration]:
    """The migrations of one folder in order. Raises WrongMigrations on a gap or a name that is not NNNN_name.sql."""
    found = []
    for path in sorted(folder.glob("*.sql")):
        match = _NAME.match(path.name)
        if match is None:
            raise WrongMigrations(f"{path.name}: migrations are named NNNN_name.sql")
        found.append(Migration(component, int(match[1]), path.name, path.read_text("utf-8")))
    if [migration.number for migration in found] != list(range(1, len(found) + 1)):
        raise WrongMigrations(f"{component}: the numbers must run from 0001 without a gap")
    return found


async def pending(
    conn: "asyncpg.Connection[asyncpg.Record] | Connection", migrations: list[Migration]
) -> list[Migration]:
    """What is not applied yet. Raises WrongMigrations if an applied file was edited."""
    if await conn.fetchval("select to_regclass('schema_migration')") is None:
        return migrations
    rows = await conn.fetch("select component, number, checksum from schema_migration")
    applied = {(row["component"], row["number"]): row["checksum"] for row in rows}
    for migration in migrations:
        known = applied.get((migration.component, migration.number), migration.checksum)
        if known != migration.checksum:
            raise WrongMigrations(f"{migration.component}/{migration.name} was edited after it was applied")
    return [m for m in migrations if (m.component, m.number) not in applied]


async def migrate(url: str, migrations: list[Migration], schema: str = "public") -> list[Migration]:
    """Applies what is pending, each file in one transaction, and returns it. Safe to run from many places at once."""
    conn = await asyncpg.connect(url, timeout=10, server_settings={"search_path": schema})
    try:
        await conn.execute("select pg_advisory_lock($1)", _LOCK)
        await conn.execute(
            "create table if not exists schema_migration (component text, number int, name text not null, "
            "checksum text not null, applied_at timestamptz not null default now(), primary key (component, number))"
        )
        done = await pending(conn, migrations)
        for migration in done:
            async with conn.transaction():
                await conn.execute(migration.sql)
                await conn.execute(
                    "insert into schema_migration (component, number, name, checksum) values ($1, $2, $3, $4)",
                    migration.component,
                    migration.number,
                    migration.name,
                    migration.checksum,
                )
            log.info("applied %s/%s", migration.component, migration.name)
        return done
    finally:
        await conn.close()
