"""The database's part of the floor: the rows that our services wrote, written again as fast as asyncpg can.

No broker, no HTTP, no validation, nothing decided; batches of some hundreds of orders, each table by one COPY or one
UPDATE a batch, and the same transactions, heads, cursors and totals as in ours.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import asyncpg

from tests.perf.ours import Ours
from tests.perf.peers.base import SERVICES

BATCH = 500
"""Orders of a transaction."""
Rows = Sequence[asyncpg.Record]
Name = tuple[str, str]
"""(service, table)"""


@dataclass(frozen=True)
class _Table:
    """Where rows are found, and what stands in them before the promise comes."""

    service: str
    name: str
    rows: str
    at_first: Mapping[str, object] = field(default_factory=dict)


_TABLES = (
    _Table(
        "orders",
        "customer_order",
        "select * from customer_order where cooperative_id = any($1) order by order_id",
        {"state": "placed", "promised_at": None},
    ),
    _Table(
        "orders",
        "order_line",
        "select l.* from order_line l join customer_order using (order_id) where cooperative_id = any($1) "
        "order by order_id, line_no",
        {"promised_steps": 0, "short_steps": 0},
    ),
    _Table("orders", "event_log", "select * from event_log where stream = any($1) order by occurred_at, sequence"),
    _Table(
        "allocation",
        "order_line",
        "select l.* from order_line l join offer_book using (offer_id) where cooperative_id = any($1) "
        "order by order_id, line_no",
    ),
    _Table("allocation", "event_log", "select * from event_log where stream = any($1) order by occurred_at, sequence"),
    _Table(
        "notify",
        "partner_order",
        "select o.* from partner_order o join partner_endpoint using (partner_id) where cooperative_id = any($1) "
        "order by order_id",
    ),
    _Table(
        "notify",
        "partner_message",
        "select * from partner_message where cooperative_id = any($1) order by message_id",
    ),
)


@dataclass(frozen=True)
class Batch:
    """The rows of some hundred orders as they are in the end, and `new`, as they are written first."""

    rows: Mapping[Name, Rows]
    new: Mapping[Name, Sequence[tuple[Any, ...]]]

    @property
    def orders(self) -> int:
        """How many."""
        return len(self.rows["orders", "customer_order"])


Plan = Sequence[Batch]
"""What one connection writes."""


async def make_plans(ours: Ours, cooperatives: Sequence[UUID], connections: int) -> list[Plan]:
    """The rows of `ours`, shared out by cooperative, so that no two connections wait for each other."""
    return [await _make_plan(ours, cooperatives[number::connections]) for number in range(connections)]


async def _make_plan(ours: Ours, cooperatives: Sequence[UUID]) -> Plan:
    found: dict[Name, Rows] = {}
    for table in _TABLES:
        connection = await asyncpg.connect(ours.dsn(table.service))
        try:
            found[table.service, table.name] = await connection.fetch(table.rows, cooperatives)
        finally:
            await connection.close()
    count = -(-len(found["orders", "customer_order"]) // BATCH)
    parts = [
        {name: rows[len(rows) * one // count : len(rows) * (one + 1) // count] for name, rows in found.items()}
        for one in range(count)
    ]
    first = {(table.service, table.name): table.at_first for table in _TABLES}
    return [
        Batch(part, {name: [(*{**row, **first[name]}.values(),) for row in rows] for name, rows in part.items()})
        for part in parts
    ]


async def write(target: Ours, plans: Sequence[Plan]) -> float:
    """Writes all plans at once into fresh databases; returns orders per second."""
    async with AsyncExitStack() as stack:
        writers = []
        for plan in plans:
            connections = {service: await asyncpg.connect(target.dsn(service)) for service in SERVICES}
            for connection in connections.values():
                stack.push_async_callback(connection.close)
            writers.append(_Writer(connections, plan))
        began = time.monotonic()
        await asyncio.gather(*(writer.run() for writer in writers))
        return sum(batch.orders for plan in plans for batch in plan) / (time.monotonic() - began)


class _Writer:
    """Writes one plan over a connection to each database."""

    def __init__(self, connections: Mapping[str, asyncpg.Connection], plan: Plan) -> None:
        self._connections, self._plan = connections, plan

    async def run(self) -> None:
        """Each batch goes the way that its orders go."""
        for batch in self._plan:
            await self._in_orders(batch)
            await self._in_allocation(batch)
            await self._moved(batch)
            await self._in_notify(batch)

    async def _in_orders(self, batch: Batch) -> None:
        async with self._connections["orders"].transaction():
            await self._copy("orders", batch)
            await self._advance_head("orders", batch)

    async def _in_allocation(self, batch: Batch) -> None:
        nets, last = Counter[UUID](), dict[UUID, int]()
        for row in batch.rows["allocation", "order_line"]:
            nets[row["offer_id"]] += row["promised_steps"]
            last[row["offer_id"]] = max(row["position"], last.get(row["offer_id"], 0))
        connection = self._connections["allocation"]
        async with connection.transaction():
            await self._copy("allocation", batch)
            await connection.execute(_BOOKS, list(nets), list(nets.values()), list(last.values()))
            await self._advance_cursor("allocation", "orders", batch)
            await self._advance_head("allocation", batch)

    async def _moved(self, batch: Batch) -> None:
        orders, lines = batch.rows["orders", "customer_order"], batch.rows["orders", "order_line"]
        connection = self._connections["orders"]
        async with connection.transaction():
            await connection.execute(_ORDERS, *_columns(orders, "order_id", "state", "promised_at"))
            await connection.execute(
                _LINES, *_columns(lines, "order_id", "line_no", "promised_steps", "short_steps", "reason")
            )
            await self._advance_cursor("orders", "allocation", batch)

    async def _in_notify(self, batch: Batch) -> None:
        async with self._connections["notify"].transaction():
            await self._copy("notify", batch)
            for producer in ("orders", "allocation"):
                await self._advance_cursor("notify", producer, batch)

    async def _copy(self, service: str, batch: Batch) -> None:
        for table in _TABLES:
            if table.service == service:
                records = batch.new[service, table.name]
                await self._connections[service].copy_records_to_table(table.name, records=records)

    async def _advance_head(self, service: str, batch: Batch) -> None:
        await self._connections[service].execute(_HEADS, *_events(batch.rows[service, "event_log"]))

    async def _advance_cursor(self, service: str, producer: str, batch: Batch) -> None:
        await self._connections[service].execute(_CURSORS, *_events(batch.rows[producer, "event_log"]), producer)


def _columns(rows: Rows, *names: str) -> list[list[object]]:
    return [[row[name] for row in rows] for name in names]


def _events(rows: Rows) -> tuple[list[UUID], list[int]]:
    counts = Counter[UUID](row["stream"] for row in rows)
    return list(counts), list(counts.values())


_BOOKS = """
update offer_book b set promised_net_steps = b.promised_net_steps + x.steps,
    last_position = greatest(b.last_position, x.position)
from unnest($1::uuid[], $2::bigint[], $3::bigint[]) as x (offer_id, steps, position) where b.offer_id = x.offer_id
"""

_ORDERS = """
update customer_order o set state = x.state, promised_at = x.promised_at
from unnest($1::uuid[], $2::text[], $3::timestamptz[]) as x (order_id, state, promised_at)
where o.order_id = x.order_id
"""

_LINES = """
update order_line l set promised_steps = x.promised_steps, short_steps = x.short_steps, reason = x.reason
from unnest($1::uuid[], $2::int[], $3::bigint[], $4::bigint[], $5::text[])
    as x (order_id, line_no, promised_steps, short_steps, reason)
where l.order_id = x.order_id and l.line_no = x.line_no
"""

_HEADS = """
with head as (
    insert into stream_head as h (stream, lane, last_sequence)
    select stream, 0, events from unnest($1::uuid[], $2::bigint[]) as x (stream, events)
    on conflict (stream) do update set last_sequence = h.last_sequence + excluded.last_sequence
)
insert into relay_cursor as c (stream, sequence) select * from unnest($1::uuid[], $2::bigint[])
on conflict (stream) do update set sequence = c.sequence + excluded.sequence, relayed_at = now()
"""

_CURSORS = """
insert into consumer_cursor as c (producer, stream, sequence, head)
select $3, stream, events, events from unnest($1::uuid[], $2::bigint[]) as x (stream, events)
on conflict (stream, producer) do update set sequence = c.sequence + excluded.sequence, head = c.head + excluded.head
"""
