"""The systems that ours is measured against keep the same tables in no dearer way."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from infra.local.stack import Stack
from services.allocation.app import service as allocation
from services.chassis import migrate
from services.chassis.runtime import Service
from services.notify.app import service as notify
from services.orders.app import service as orders
from tests.support.servers import fresh_database

SCHEMAS = Path(__file__).parents[1] / "perf" / "peers" / "schema"

_TABLES = """
select c.relname, coalesce(c.reloptions, '{}') as options,
    (select count(*) from pg_index where indrelid = c.oid) as indexes
from pg_class c where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace
"""


async def tables(dsn: str) -> Mapping[str, tuple[list[str], int]]:
    """By name: storage options, and the number of indexes."""
    conn = await asyncpg.connect(dsn)
    try:
        return {row["relname"]: (row["options"], row["indexes"]) for row in await conn.fetch(_TABLES)}
    finally:
        await conn.close()


@pytest.mark.parametrize("service", [orders, allocation, notify], ids=lambda service: service.name)
async def test_no_table_of_a_peer_costs_more_than_ours_of_that_name(stack: Stack, service: "Service[Any]") -> None:
    async with fresh_database(stack, service.name) as dsn, fresh_database(stack, service.name) as theirs_dsn:
        await migrate.migrate(dsn, service.migrations())
        conn = await asyncpg.connect(theirs_dsn)
        await conn.execute((SCHEMAS / f"{service.name}.sql").read_text())
        await conn.close()
        ours, theirs = await tables(dsn), await tables(theirs_dsn)
    shared = ours.keys() & theirs.keys()
    assert {"product", "order_line", "partner_message"} & shared
    for name in shared:
        assert theirs[name][0] == ours[name][0], name
        assert theirs[name][1] <= ours[name][1], name
