"""The database's part of the floor: the rows that our services wrote, written again as fast as asyncpg can.

No broker, no HTTP, no validation, nothing decided; each table by one COPY or one UPDATE a batch, and the same
transactions, heads, cursors, turns and totals as in ours, with the same settings of the sessions.
"""

import asyncio
import io
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack

import asyncpg
import uvloop

from tests.perf.floor_rows import Batch, Plan

_SETTINGS = {"timezone": "UTC", "jit": "off", "enable_seqscan": "off"}


def write(dsns: Mapping[str, str], plans: Sequence[Plan], at: float) -> tuple[float, float]:
    """Writes all plans at once, from the moment `at`; returns when it began and ended. For a process of its own."""
    return uvloop.run(_write(dsns, plans, at))


async def _write(dsns: Mapping[str, str], plans: Sequence[Plan], at: float) -> tuple[float, float]:
    async with AsyncExitStack() as stack:
        writers = []
        for plan in plans:
            connections = {
                service: await asyncpg.connect(dsn, server_settings=_SETTINGS) for service, dsn in dsns.items()
            }
            for connection in connections.values():
                stack.push_async_callback(connection.close)
            writers.append(_Writer(connections, plan))
        await asyncio.sleep(max(0.0, at - time.monotonic()))
        began = time.monotonic()
        await asyncio.gather(*(writer.run() for writer in writers))
        return began, time.monotonic()


class _Writer:
    """Writes one plan over a connection to each database."""

    def __init__(self, connections: "Mapping[str, asyncpg.Connection[asyncpg.Record]]", plan: Plan) -> None:
        self._connections, self._plan = connections, plan

    async def run(self) -> None:
        """Each batch goes the way that its orders go."""
        for batch in self._plan:
            await self._take_in(batch)
            await self._link(batch)
            await self._promise(batch)
            await self._move(batch)
            await self._note(batch)
            await self._show(batch)

    async def _take_in(self, batch: Batch) -> None:
        connection = self._connections["orders"]
        async with connection.transaction():
            await self._copy("orders", batch, "customer_order", "order_line", "event_log")
            await connection.execute(_DUE, batch.columns["due"][0])
            await self._advance_head("orders", batch)

    async def _link(self, batch: Batch) -> None:
        connection = self._connections["orders"]
        async with connection.transaction():
            await connection.execute(_NO_MORE_DUE, batch.columns["due"][0])
            await self._copy("orders", batch, "customer", "customer_identity", "order_customer")

    async def _promise(self, batch: Batch) -> None:
        connection = self._connections["allocation"]
        async with connection.transaction():
            await self._copy("allocation", batch, "order_line", "event_log", "applied_turn")
            await connection.execute(_BOOKS, *batch.columns["books"])
            await self._advance_cursor("allocation", "orders", batch)
            await self._advance_head("allocation", batch)

    async def _move(self, batch: Batch) -> None:
        connection = self._connections["orders"]
        async with connection.transaction():
            await connection.execute(_ORDERS, *batch.columns["orders"])
            await connection.execute(_LINES, *batch.columns["lines"])
            await self._copy("orders", batch, "applied_turn")
            await self._advance_cursor("orders", "allocation", batch)

    async def _note(self, batch: Batch) -> None:
        async with self._connections["notify"].transaction():
            await self._copy("notify", batch, "partner_order", "partner_message", "applied_turn")
            for producer in ("orders", "allocation"):
                await self._advance_cursor("notify", producer, batch)

    async def _show(self, batch: Batch) -> None:
        connection = self._connections["catalog"]
        async with connection.transaction():
            await connection.execute(_AVAILABLE, *batch.columns["available"])
            await self._copy("catalog", batch, "applied_turn")
            await self._advance_cursor("catalog", "allocation", batch)

    async def _copy(self, service: str, batch: Batch, *tables: str) -> None:
        for table in tables:
            columns, rows = batch.copies[f"{service}.{table}"]
            await self._connections[service].copy_to_table(
                table, source=io.BytesIO(rows), columns=columns, format="binary"
            )

    async def _advance_head(self, service: str, batch: Batch) -> None:
        await self._connections[service].execute(_HEADS, *batch.columns[f"events of {service}"])

    async def _advance_cursor(self, service: str, producer: str, batch: Batch) -> None:
        await self._connections[service].execute(_CURSORS, *batch.columns[f"events of {producer}"], producer)


_DUE = "insert into contact_due (order_id) select unnest($1::uuid[])"

_NO_MORE_DUE = "delete from contact_due where order_id = any($1)"

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

_AVAILABLE = """
insert into offer_availability (offer_id, supply_steps, available_steps)
select * from unnest($1::uuid[], $2::bigint[], $3::bigint[])
on conflict (offer_id) do update set supply_steps = excluded.supply_steps, available_steps = excluded.available_steps
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
