"""The accounts of the households: what each is owed, entry by entry. Entries are only added."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import asyncpg

from services.allocation.domain.settlement import Entry
from services.allocation.store import Reader
from services.chassis.ledger import Connection


@dataclass(frozen=True, slots=True)
class BookedEntry:
    """An entry with the command that made it, and the code of its household."""

    entry: Entry
    household_code: str
    event_id: UUID
    made_at: datetime


async def insert_entries(
    conn: Connection,
    cooperative_id: UUID,
    event_id: UUID,
    made_at: datetime,
    entries: Sequence[Entry],
    correction_id: UUID | None = None,
) -> None:
    """Adds the entries that one command makes; `correction_id` is what staff call a correction."""
    await conn.execute(
        "insert into settlement_entry (event_id, household_id, cooperative_id, delivery_day, gross_vnd, fee_vnd, "
        "adjustment_vnd, reason, made_at, correction_id) select $1, x.household_id, $2, x.delivery_day, x.gross_vnd, "
        "x.fee_vnd, x.adjustment_vnd, x.reason, $3, $4 from unnest($5::uuid[], $6::date[], $7::bigint[], "
        "$8::bigint[], $9::bigint[], $10::text[]) as x (household_id, delivery_day, gross_vnd, fee_vnd, "
        "adjustment_vnd, reason)",
        event_id,
        cooperative_id,
        made_at,
        correction_id,
        [entry.household_id for entry in entries],
        [entry.delivery_day for entry in entries],
        [entry.gross_vnd for entry in entries],
        [entry.fee_vnd for entry in entries],
        [entry.adjustment_vnd for entry in entries],
        [entry.reason for entry in entries],
    )


async def list_booked(reader: Reader, cooperative_id: UUID, first: date, last: date) -> list[BookedEntry]:
    """The entries for the delivery days from `first` to `last`, by day, household code and the order they were made."""
    rows = await reader.fetch(
        "select e.*, h.code from settlement_entry e join household h using (household_id) "
        "where e.cooperative_id = $1 and delivery_day between $2 and $3 "
        'order by delivery_day, h.code collate "C", made_at, event_id',
        cooperative_id,
        first,
        last,
    )
    return [BookedEntry(_entry(row), row["code"], row["event_id"], row["made_at"]) for row in rows]


def _entry(row: asyncpg.Record) -> Entry:
    return Entry(
        row["household_id"],
        row["delivery_day"],
        row["gross_vnd"],
        row["fee_vnd"],
        row["adjustment_vnd"],
        row["reason"],
    )


async def list_settled_days(reader: Reader, cooperative_id: UUID, days: Collection[date]) -> set[date]:
    """Those of the days that are settled."""
    rows = await reader.fetch(
        "select distinct delivery_day from offer "
        "where cooperative_id = $1 and delivery_day = any($2::date[]) and settled",
        cooperative_id,
        list(days),
    )
    return {row["delivery_day"] for row in rows}


async def get_correction(reader: Reader, cooperative_id: UUID, correction_id: UUID) -> Entry | None:
    """The correction that staff call so, if it is booked."""
    row = await reader.fetchrow(
        "select * from settlement_entry where cooperative_id = $1 and correction_id = $2", cooperative_id, correction_id
    )
    return _entry(row) if row else None
