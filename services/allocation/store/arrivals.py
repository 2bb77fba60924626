"""What has arrived at the collection point, and which lots fill which order lines."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from services.allocation.domain.arrivals import Arrival, Place
from services.allocation.domain.lots import Part
from services.allocation.store import Day, Reader
from services.chassis.ledger import Connection


@dataclass(frozen=True, slots=True)
class RecordedArrival:
    """An arrival with the lot that it belongs to, and when it was last recorded."""

    arrival: Arrival
    lot: str
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class Bringing:
    """What a household may bring of one offer that was shared out; `asked_steps` is 0 where nothing is asked of it."""

    offer_id: UUID
    product_id: UUID
    product_code: str
    step_grams: int | None
    household_id: UUID
    household_code: str
    asked_steps: int
    settled: bool


async def list_bringing(reader: Reader, day: Day) -> list[Bringing]:
    """Every household that pledged, with every offer of the day that was shared out; and what is asked of it."""
    rows = await reader.fetch(
        "select o.offer_id, o.product_id, p.code as product_code, o.step_grams, h.household_id, "
        "h.code as household_code, coalesce(i.quantity_steps, 0) as asked_steps, o.settled "
        "from offer o join product p using (product_id) join pledge g using (offer_id) "
        "join household h using (household_id) left join basket_item i using (offer_id, household_id) "
        "where o.cooperative_id = $1 and o.delivery_day = $2 and o.assigned "
        'order by p.code collate "C", o.offer_id, h.code collate "C"',
        *day,
    )
    return [Bringing(**row) for row in rows]


_ARRIVAL = (
    "select arrival_id, offer_id, household_id, accepted_steps, rejected_steps, reason, grams, lot, recorded_at "
    "from arrival where cooperative_id = $1"
)


async def list_arrivals(reader: Reader, day: Day) -> list[RecordedArrival]:
    """The arrivals of a day in the order of their lots."""
    rows = await reader.fetch(f'{_ARRIVAL} and delivery_day = $2 order by lot collate "C", arrival_id', *day)
    return [_recorded(row) for row in rows]


async def list_known_arrivals(reader: Reader, cooperative_id: UUID, arrival_ids: Collection[UUID]) -> list[Arrival]:
    """Those of the arrivals that are recorded, of whatever day."""
    rows = await reader.fetch(f"{_ARRIVAL} and arrival_id = any($2::uuid[])", cooperative_id, list(arrival_ids))
    return [_recorded(row).arrival for row in rows]


def _recorded(row: asyncpg.Record) -> RecordedArrival:
    return RecordedArrival(
        Arrival(
            row["arrival_id"],
            row["offer_id"],
            row["household_id"],
            row["accepted_steps"],
            row["rejected_steps"],
            row["reason"],
            row["grams"],
        ),
        row["lot"],
        row["recorded_at"],
    )


async def save_arrivals(conn: Connection, arrivals: Sequence[tuple[Day, RecordedArrival]]) -> None:
    """Stores arrivals, each id once; one that is there is replaced."""
    await conn.execute(
        "insert into arrival (arrival_id, cooperative_id, delivery_day, offer_id, household_id, lot, accepted_steps, "
        "rejected_steps, reason, grams, recorded_at) select * from unnest($1::uuid[], $2::uuid[], $3::date[], "
        "$4::uuid[], $5::uuid[], $6::text[], $7::bigint[], $8::bigint[], $9::text[], $10::bigint[], "
        "$11::timestamptz[]) on conflict (cooperative_id, arrival_id) do update "
        "set accepted_steps = excluded.accepted_steps, rejected_steps = excluded.rejected_steps, "
        "reason = excluded.reason, grams = excluded.grams, recorded_at = excluded.recorded_at",
        [one.arrival.arrival_id for _, one in arrivals],
        [cooperative_id for (cooperative_id, _), _ in arrivals],
        [delivery_day for (_, delivery_day), _ in arrivals],
        [one.arrival.offer_id for _, one in arrivals],
        [one.arrival.household_id for _, one in arrivals],
        [one.lot for _, one in arrivals],
        [one.arrival.accepted_steps for _, one in arrivals],
        [one.arrival.rejected_steps for _, one in arrivals],
        [one.arrival.reason for _, one in arrivals],
        [one.arrival.grams for _, one in arrivals],
        [one.recorded_at for _, one in arrivals],
    )


async def save_line_lots(conn: Connection, parts: Mapping[UUID, Sequence[Part]]) -> None:
    """Stores which lots fill the lines of each offer."""
    rows = [
        (part.order_id, part.line_no, offer_id, part.lot_code, part.quantity_steps)
        for offer_id, own in parts.items()
        for part in own
    ]
    columns = ("order_id", "line_no", "offer_id", "lot", "quantity_steps")
    await conn.copy_records_to_table("line_lot", records=rows, columns=columns)


async def list_accepted(reader: Reader, day: Day, offer_ids: Collection[UUID]) -> dict[Place, tuple[str, int]]:
    """By offer of the day and household: the lot, and what was accepted of it."""
    rows = await reader.fetch(
        "select offer_id, household_id, lot, sum(accepted_steps)::bigint as steps from arrival "
        "where cooperative_id = $1 and delivery_day = $2 and offer_id = any($3::uuid[]) "
        "group by offer_id, household_id, lot",
        *day,
        list(offer_ids),
    )
    return {(row["offer_id"], row["household_id"]): (row["lot"], row["steps"]) for row in rows}
