"""The SQL of a rebuild: a schema of its own, comparing tables, putting rebuilt rows in the place of the old ones.

Table names come from the services' code (`Service.derived`, parents first), never from outside.
"""
# ruff: noqa: S608 - the names in the statements are constants of the code

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

import asyncpg

SCHEMA = "rebuilding"

MOST_SHOWN = 5

if TYPE_CHECKING:
    Live: TypeAlias = asyncpg.Connection[asyncpg.Record]
else:
    Live = asyncpg.Connection  # generic in its stubs only


async def make_schema(live: Live) -> None:
    """An empty schema; what a rebuild that was broken off left there is deleted."""
    await drop_schema(live)
    await live.execute(f"create schema {SCHEMA}")


async def drop_schema(live: Live) -> None:
    """Deletes the schema with all that is in it."""
    await live.execute(f"set client_min_messages = warning; drop schema if exists {SCHEMA} cascade")


async def copy_as_it_was(live: Live, tables: Sequence[str]) -> None:
    """Keeps the live tables as this transaction sees them; one that is missing counts as empty."""
    for table in tables:
        source = f"public.{table}" if await _exists(live, table) else f"{SCHEMA}.{table}"
        await live.execute(f"create table {SCHEMA}.was_{table} as table {source}")


async def compare(live: Live, tables: Sequence[str]) -> list[str]:
    """A line for each row that only one side has; at most MOST_SHOWN for each table and side, and how many more."""
    found = []
    for table in tables:
        was, now = (f"select t::text from {SCHEMA}.{name} t" for name in (f"was_{table}", table))
        for side, one, other in (("only before", was, now), ("only rebuilt", now, was)):
            rows = await live.fetch(f"select row from (({one}) except all ({other})) x (row) order by row")
            found += [f"{table}: {side}: {row['row']}" for row in rows[:MOST_SHOWN]]
            if len(rows) > MOST_SHOWN:
                found.append(f"{table}: {side}: {len(rows) - MOST_SHOWN} more rows")
    return found


async def take_over(live: Live, tables: Sequence[str]) -> None:
    """Makes the live tables hold what was rebuilt, row by row; a table or foreign key that is missing comes back."""
    for table in tables:
        if not await _exists(live, table):
            await live.execute(f"create table public.{table} (like {SCHEMA}.{table} including all)")
    for table in reversed(tables):
        key = ", ".join(await _key(live, table))
        await live.execute(f"delete from public.{table} where ({key}) not in (select {key} from {SCHEMA}.{table})")
    for table in tables:
        columns, unique = await _columns(live, table), await _key(live, table)
        names = ", ".join(columns)
        others = [name for name in columns if name not in unique]
        changes = ", ".join(f"{name} = excluded.{name}" for name in others)
        await live.execute(
            f"insert into public.{table} ({names}) select {names} from {SCHEMA}.{table} "
            f"on conflict ({', '.join(unique)}) do " + (f"update set {changes}" if changes else "nothing")
        )
    await _restore_foreign_keys(live)


async def _exists(live: Live, table: str) -> bool:
    return await live.fetchval("select to_regclass($1) is not null", f"public.{table}") is True


async def _columns(live: Live, table: str) -> list[str]:
    rows = await live.fetch(
        "select attname from pg_attribute where attrelid = $1::text::regclass and attnum > 0 and not attisdropped "
        "and attgenerated = '' order by attnum",
        f"{SCHEMA}.{table}",
    )
    return [row["attname"] for row in rows]


async def _key(live: Live, table: str) -> list[str]:
    rows = await live.fetch(
        "select a.attname from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any(i.indkey) "
        "where i.indrelid = $1::text::regclass and i.indisprimary order by array_position(i.indkey, a.attnum)",
        f"{SCHEMA}.{table}",
    )
    return [row["attname"] for row in rows]


async def _restore_foreign_keys(live: Live) -> None:
    """Those that the migrations make and that went when a table was dropped."""
    await live.execute(f"set local search_path = {SCHEMA}")  # so that definitions name tables without their schema
    missing = await live.fetch(
        "select c.conrelid::regclass::text as owner, c.conname, pg_get_constraintdef(c.oid) as definition "
        "from pg_constraint c where c.contype = 'f' and c.connamespace = $1::text::regnamespace and not exists ("
        "  select from pg_constraint p where p.contype = 'f' and p.connamespace = 'public'::regnamespace "
        "  and p.conname = c.conname and p.conrelid = to_regclass('public.' || c.conrelid::regclass::text))",
        SCHEMA,
    )
    await live.execute("set local search_path = public")
    for row in missing:
        await live.execute(f"alter table {row['owner']} add constraint {row['conname']} {row['definition']}")
