"""Books and lines of offers: what a batch of commands needs of them, and what it changed.

All of it under the lock of the cooperatives, so the order of the reads does not matter.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from services.allocation.domain.books import Command, Line, OfferBook, Reason
from services.allocation.domain.policies import PromiseRule
from services.allocation.domain.reach import QueueEnds, offers_named, orders_named, queue_ends
from services.allocation.store import Day, Reader
from services.chassis.ledger import Connection

_LINE_COLUMNS = (
    "order_id", "line_no", "offer_id", "position", "ordered_steps", "promised_steps", "short_steps", "shorted_steps",
    "cancelled_steps", "reason", "tier", "minimum_steps", "needed_steps",
)  # fmt: skip
_LINE = f"select {', '.join(_LINE_COLUMNS)} from order_line"  # noqa: S608 - only fixed text

# Every place at an end of a queue holds a step at least, so as many places as steps are looked for are enough.
_AT_QUEUE_ENDS = """
where order_id = any(array(
    select place.order_id
    from unnest($1::uuid[], $2::bigint[], $3::bigint[]) as waiting (offer_id, needed_steps, steps) cross join lateral (
        select order_id, sum(short_steps) over (order by tier, position) - short_steps as steps_before
        from (select order_id, tier, position, short_steps from order_line
              where offer_id = waiting.offer_id and needed_steps = waiting.needed_steps and short_steps > 0
              order by tier, position limit waiting.steps) first
    ) place where place.steps_before < waiting.steps
    union
    select place.order_id
    from unnest($4::uuid[], $5::bigint[], $6::bool[]) as newest (offer_id, steps, tiered) cross join lateral (
        select order_id, sum(net_steps) over (order by tier desc, position desc) - net_steps as steps_before
        from ((select order_id, tier, position, promised_steps - shorted_steps as net_steps from order_line
               where not newest.tiered and offer_id = newest.offer_id and promised_steps > shorted_steps
               order by position desc limit newest.steps)
              union all
              (select order_id, tier, position, promised_steps - shorted_steps as net_steps from order_line
               where newest.tiered and offer_id = newest.offer_id and promised_steps > shorted_steps
               order by tier desc, position desc limit newest.steps)) last
    ) place where place.steps_before < newest.steps
)) and order_id <> all($7::uuid[])
"""

# Also the places of which nothing is coming any more.
_TRAVELLING = f"""
{_LINE} where promised_steps > 0
    and offer_id in (select offer_id from offer where cooperative_id = $1 and delivery_day = $2)
    and order_id in (select order_id from order_line where offer_id = any($3::uuid[]) and promised_steps > 0)
"""  # noqa: S608 - only fixed text


@dataclass(frozen=True, slots=True)
class Loaded:
    """Books by offer, each offer's cooperative, and whole orders, as far as a batch can reach."""

    books: Mapping[UUID, OfferBook]
    cooperatives: Mapping[UUID, UUID]
    lines: Sequence[Line]


def _line(row: asyncpg.Record) -> Line:
    reason = row["reason"]
    return Line(
        row["order_id"],
        row["line_no"],
        row["offer_id"],
        row["position"],
        row["ordered_steps"],
        row["promised_steps"],
        row["short_steps"],
        row["shorted_steps"],
        row["cancelled_steps"],
        None if reason is None else Reason(reason),
        row["tier"],
        row["minimum_steps"],
        row["needed_steps"],
    )


async def load_books(conn: Connection, commands: Sequence[Command]) -> Loaded:
    """All that `decide` needs for these commands, and little more. At most four statements."""
    orders = orders_named(commands)
    lines = await _list_lines(conn, orders)
    books, cooperatives = await _list_books(conn, offers_named(commands) | {line.offer_id for line in lines})
    ends = queue_ends(commands, books.values(), lines)
    if ends.waiting or ends.newest:
        lines += await _list_lines_at(conn, ends, orders)
        if further := {line.offer_id for line in lines} - books.keys():
            more_books, more_cooperatives = await _list_books(conn, further)
            books, cooperatives = books | more_books, cooperatives | more_cooperatives
    return Loaded(books, cooperatives, lines)


async def _list_lines(conn: Connection, order_ids: Collection[UUID]) -> list[Line]:
    if not order_ids:
        return []
    rows = await conn.fetch(f"{_LINE} where order_id = any($1::uuid[])", list(order_ids))
    return [_line(row) for row in rows]


async def _list_lines_at(conn: Connection, ends: QueueEnds, loaded_orders: Collection[UUID]) -> list[Line]:
    """The whole orders that own a place at these ends, but for those that are loaded."""
    waiting = [
        (offer_id, needed_steps, end.steps)
        for offer_id, end in ends.waiting.items()
        for needed_steps in range(1, end.needs + 1)
    ]
    rows = await conn.fetch(
        f"{_LINE} {_AT_QUEUE_ENDS}",
        [offer_id for offer_id, _, _ in waiting],
        [needed_steps for _, needed_steps, _ in waiting],
        [steps for _, _, steps in waiting],
        list(ends.newest),
        [end.steps for end in ends.newest.values()],
        [end.tiered for end in ends.newest.values()],
        list(loaded_orders),
    )
    return [_line(row) for row in rows]


async def _list_books(conn: Connection, offer_ids: Collection[UUID]) -> tuple[dict[UUID, OfferBook], dict[UUID, UUID]]:
    rows = await conn.fetch(
        "select offer_id, cooperative_id, supply_steps, promised_net_steps, open, listed, last_position, rule, "
        "short_steps, largest_minimum, tiered from offer_book where offer_id = any($1::uuid[])",
        list(offer_ids),
    )
    books = {
        row["offer_id"]: OfferBook(
            row["offer_id"],
            row["supply_steps"],
            row["promised_net_steps"],
            row["open"],
            row["listed"],
            row["last_position"],
            None if row["rule"] is None else PromiseRule(row["rule"]),
            row["short_steps"],
            row["largest_minimum"],
            row["tiered"],
        )
        for row in rows
    }
    return books, {row["offer_id"]: row["cooperative_id"] for row in rows}


async def save_books(conn: Connection, books: Sequence[OfferBook], cooperatives: Mapping[UUID, UUID]) -> None:
    """Stores books, new or changed; an offer keeps its cooperative."""
    if not books:
        return
    await conn.execute(
        "insert into offer_book "
        "(offer_id, cooperative_id, supply_steps, promised_net_steps, open, listed, last_position, rule, short_steps, "
        "largest_minimum, tiered) select * from unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bigint[], $5::bool[], "
        "$6::bool[], $7::bigint[], $8::text[], $9::bigint[], $10::bigint[], $11::bool[]) "
        "on conflict (offer_id) do update set supply_steps = excluded.supply_steps, "
        "promised_net_steps = excluded.promised_net_steps, open = excluded.open, listed = excluded.listed, "
        "last_position = excluded.last_position, rule = excluded.rule, short_steps = excluded.short_steps, "
        "largest_minimum = excluded.largest_minimum, tiered = excluded.tiered",
        [book.offer_id for book in books],
        [cooperatives[book.offer_id] for book in books],
        [book.supply_steps for book in books],
        [book.promised_net_steps for book in books],
        [book.open for book in books],
        [book.listed for book in books],
        [book.last_position for book in books],
        [book.rule for book in books],
        [book.short_steps for book in books],
        [book.largest_minimum for book in books],
        [book.tiered for book in books],
    )


async def insert_lines(conn: Connection, lines: Sequence[Line]) -> None:
    """Stores new places."""
    if not lines:
        return
    rows = [
        (
            line.order_id, line.line_no, line.offer_id, line.position, line.ordered_steps, line.promised_steps,
            line.short_steps, line.shorted_steps, line.cancelled_steps, line.reason, line.tier, line.minimum_steps,
            line.needed_steps,
        )
        for line in lines
    ]  # fmt: skip
    await conn.copy_records_to_table("order_line", records=rows, columns=_LINE_COLUMNS)


async def save_lines(conn: Connection, lines: Sequence[Line]) -> None:
    """Stores places that have changed. What was ordered, by whom and in which tier never does."""
    if not lines:
        return
    await conn.execute(
        "update order_line l set promised_steps = x.promised_steps, short_steps = x.short_steps, "
        "shorted_steps = x.shorted_steps, cancelled_steps = x.cancelled_steps, reason = x.reason, "
        "minimum_steps = x.minimum_steps, needed_steps = x.needed_steps "
        "from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::text[], "
        "$8::bigint[], $9::bigint[]) as x (offer_id, position, promised_steps, short_steps, shorted_steps, "
        "cancelled_steps, reason, minimum_steps, needed_steps) "
        "where (l.offer_id, l.position) = (x.offer_id, x.position)",
        [line.offer_id for line in lines],
        [line.position for line in lines],
        [line.promised_steps for line in lines],
        [line.short_steps for line in lines],
        [line.shorted_steps for line in lines],
        [line.cancelled_steps for line in lines],
        [line.reason for line in lines],
        [line.minimum_steps for line in lines],
        [line.needed_steps for line in lines],
    )


async def list_coming(conn: Connection, offer_ids: Collection[UUID]) -> Loaded:
    """The books of these offers with all places that have a net promise."""
    books, cooperatives = await _list_books(conn, offer_ids)
    rows = await conn.fetch(
        f"{_LINE} where offer_id = any($1::uuid[]) and promised_steps > shorted_steps", list(offer_ids)
    )
    return Loaded(books, cooperatives, [_line(row) for row in rows])


async def list_travelling(conn: Connection, day: Day, offer_ids: Collection[UUID]) -> list[Line]:
    """Of the orders that were promised something of these offers: all promised places on offers of the day."""
    return [_line(row) for row in await conn.fetch(_TRAVELLING, *day, list(offer_ids))]


async def list_order_lines(reader: Reader, order_id: UUID) -> list[Line]:
    """All places of one order; none where nothing of it is in the books."""
    return [_line(row) for row in await reader.fetch(f"{_LINE} where order_id = $1", order_id)]


async def get_owner(reader: Reader, offer_id: UUID) -> UUID | None:
    """The cooperative of an offer that is in the books."""
    owner: UUID | None = await reader.fetchval("select cooperative_id from offer_book where offer_id = $1", offer_id)
    return owner
