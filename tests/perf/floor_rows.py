"""The rows of the database's part of the floor: what a run of ours has written, laid out for writing it again.

New rows are kept as the bytes that COPY takes, so that whoever writes them has nothing to encode.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from infra.rabbitmq.definitions import SERVICES
from tests.perf.ours import Ours

BATCH = 500
"""Orders of a transaction."""


@dataclass(frozen=True)
class Batch:
    """Some hundred orders: by table what is new in it (columns and bytes), and by name the columns of what follows."""

    copies: Mapping[str, tuple[Sequence[str], bytes]]
    columns: Mapping[str, Sequence[Sequence[object]]]


Plan = Sequence[Batch]
"""What one writer writes."""


@dataclass(frozen=True)
class _Table:
    """Rows of some cooperatives ($1) in a fixed order, and what stands in them at first."""

    service: str
    name: str
    place: str
    of: str
    at_first: Mapping[str, str]


_AT_FIRST = {"state": "'placed'::text", "promised_at": "null::timestamptz"}
_MINE = "t.cooperative_id = any($1)"
_STREAM = "t.stream = any($1)"
_OF_ORDER = "t.order_id in (select order_id from customer_order where cooperative_id = any($1))"
_TABLES = (
    _Table("orders", "customer_order", "t.order_id", _MINE, _AT_FIRST),
    _Table("orders", "order_line", "t.order_id, t.line_no", _OF_ORDER, {"promised_steps": "0::bigint"}),
    _Table("orders", "event_log", "t.occurred_at, t.sequence", _STREAM, {}),
    _Table("orders", "applied_turn", "t.turn, t.stream", _STREAM, {}),
    _Table("orders", "customer", "t.customer_id", _MINE, {}),
    _Table("orders", "customer_identity", "t.customer_id", _MINE, {}),
    _Table("orders", "order_customer", "t.order_id", _OF_ORDER, {}),
    _Table(
        "allocation",
        "order_line",
        "t.order_id, t.line_no",
        "t.offer_id in (select offer_id from offer_book where cooperative_id = any($1))",
        {},
    ),
    _Table("allocation", "event_log", "t.occurred_at, t.sequence", _STREAM, {}),
    _Table("allocation", "applied_turn", "t.turn, t.stream", _STREAM, {}),
    _Table(
        "notify",
        "partner_order",
        "t.order_id",
        "t.partner_id in (select partner_id from partner_endpoint where cooperative_id = any($1))",
        {},
    ),
    _Table("notify", "partner_message", "t.message_id", _MINE, {}),
    _Table("notify", "applied_turn", "t.turn, t.stream", _STREAM, {}),
    _Table("catalog", "applied_turn", "t.turn, t.stream", _STREAM, {}),
)

_EVENTS = "select stream, count(*) from part_event_log where {} group by 1"
_COLUMNS = {  # (service, name) → the columns of an update
    ("orders", "due"): "select order_id from part_customer_order where {}",
    ("orders", "orders"): "select order_id, state, promised_at from part_customer_order where {}",
    ("orders", "lines"): "select order_id, line_no, promised_steps, short_steps, reason from part_order_line where {}",
    ("orders", "events of orders"): _EVENTS,
    ("allocation", "books"): "select offer_id, sum(promised_steps)::bigint, max(position) from part_order_line "
    "where {} group by 1",
    ("allocation", "events of allocation"): _EVENTS,
}
_AVAILABLE = "select offer_id, supply_steps, available_steps from offer_availability where offer_id = any($1)"


async def make_plans(ours: Ours, cooperatives: Sequence[UUID], writers: int) -> list[Plan]:
    """The rows of `ours`, shared out by cooperative, so that no two writers wait for each other."""
    return [await _make_plan(ours, cooperatives[number::writers]) for number in range(writers)]


async def _make_plan(ours: Ours, cooperatives: Sequence[UUID]) -> Plan:
    parts = [await _Part.read(ours.dsn(service), service, cooperatives) for service in SERVICES]
    try:
        (orders,) = {part.counts["customer_order"] for part in parts if part.service == "orders"}
        batches = -(-orders // BATCH)
        plan = []
        for number in range(batches):
            copies: dict[str, tuple[Sequence[str], bytes]] = {}
            columns: dict[str, Sequence[Sequence[object]]] = {}
            for part in sorted(parts, key=lambda one: one.service):  # catalog needs to know the offers of allocation
                copies |= {
                    f"{part.service}.{name}": found for name, found in (await part.copies(number, batches)).items()
                }
                columns |= await part.columns(number, batches)
            catalog = next(part for part in parts if part.service == "catalog")
            columns["available"] = await catalog.fetch(_AVAILABLE, columns["books"][0])
            plan.append(Batch(copies, columns))
        return plan
    finally:
        for part in parts:
            await part.close()


class _Part:
    """The numbered rows of some cooperatives in one database."""

    def __init__(self, connection: "asyncpg.Connection[asyncpg.Record]", service: str) -> None:
        self.service = service
        self.counts: dict[str, int] = {}
        self._connection = connection
        self._names: dict[str, list[str]] = {}
        self._values: dict[str, str] = {}

    @classmethod
    async def read(cls, dsn: str, service: str, cooperatives: Sequence[UUID]) -> "_Part":
        """Numbers them."""
        found = cls(await asyncpg.connect(dsn), service)
        for table in _TABLES:
            if table.service == service:
                await found._number(table, cooperatives)
        return found

    async def close(self) -> None:
        """Forgets the numbers."""
        await self._connection.close()

    async def copies(self, number: int, of: int) -> dict[str, tuple[Sequence[str], bytes]]:
        """What is new in this batch, by table."""
        found: dict[str, tuple[Sequence[str], bytes]] = {}
        for name, columns in self._names.items():
            output = io.BytesIO()
            rows = f"select {self._values[name]} from part_{name} where {self._where(name, number, of)}"
            await self._connection.copy_from_query(rows, output=output, format="binary")
            found[name] = (columns, output.getvalue())
        return found

    async def columns(self, number: int, of: int) -> dict[str, Sequence[Sequence[object]]]:
        """What changes in this batch."""
        return {
            name: await self.fetch(query.format(self._where(_table(query), number, of)))
            for (service, name), query in _COLUMNS.items()
            if service == self.service
        }

    async def fetch(self, query: str, *arguments: object) -> Sequence[Sequence[object]]:
        """The columns of the result."""
        return list(zip(*await self._connection.fetch(query, *arguments), strict=True))

    async def _number(self, table: _Table, cooperatives: Sequence[UUID]) -> None:
        names = await self._connection.fetch(
            "select attname from pg_attribute where attrelid = $1::text::regclass and attnum > 0 and not attisdropped "
            "order by attnum",
            table.name,
        )
        columns = [row["attname"] for row in names]
        part = f"part_{table.name}"
        numbered = (
            f"select row_number() over (order by {table.place}) - 1 as n, t.* from {table.name} t where {table.of}"
        )
        empty = f"select 0::bigint as n, t.* from {table.name} t limit 0"
        await self._connection.execute(f"create temp table {part} as {empty}")
        await self._connection.execute(f"insert into {part} {numbered}", cooperatives)
        await self._connection.execute(f"create index on {part} (n); analyze {part}")
        self._names[table.name] = columns
        self._values[table.name] = ", ".join(table.at_first.get(name, name) for name in columns)
        self.counts[table.name] = await self._connection.fetchval(f"select count(*) from {part}")

    def _where(self, name: str, number: int, of: int) -> str:
        count = self.counts[name]
        return f"n >= {count * number // of} and n < {count * (number + 1) // of}"


def _table(query: str) -> str:
    return query.partition(" from part_")[2].split()[0]
