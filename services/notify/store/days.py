"""What notify adds up over a day, so that one notice says all of it: arrivals, settlements, and news for staff."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from uuid import UUID

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from services.chassis.ledger import Connection
from services.contracts.allocation import SettlementCorrected
from services.notify.domain.facts import ArrivedLine, SettledDay

Key = tuple[UUID, date]
"""A household and a delivery day."""

OrderKey = tuple[date, UUID, UUID]
"""A delivery day, a cooperative, and an order."""

DayKey = tuple[UUID, date, str]
"""A cooperative, a delivery day, and a kind of notice to its staff."""

_LINES = msgspec.json.Decoder(dict[str, ArrivedLine])


class ReceivedDay(Struct, frozen=True):
    """What was weighed in from a household on a day, by arrival; `version` grows with each change."""

    cooperative_id: UUID
    version: int
    lines: Mapping[str, ArrivedLine]

    def with_line(self, arrival_id: UUID, line: ArrivedLine) -> "ReceivedDay":
        """After this was weighed in, or stands in place of what was."""
        return replace(self, version=self.version + 1, lines={**self.lines, str(arrival_id): line})


class Item(Struct, frozen=True):
    """Of one offer: its product's name, how much is missing, and how many orders get less."""

    name: str
    steps: int
    orders: int


class StaffDay(Struct, frozen=True):
    """The news of a day by offer; `version` grows with each change, however many come in one transaction."""

    version: int
    content: Mapping[str, Item]


_ITEMS = msgspec.json.Decoder(dict[str, Item])


async def list_received(conn: Connection, keys: Collection[Key]) -> dict[Key, ReceivedDay]:
    """Those of them of which something was weighed in."""
    rows = await conn.fetch(
        "select r.* from received_day r join unnest($1::uuid[], $2::date[]) as x (household_id, delivery_day) "
        "using (household_id, delivery_day)",
        [household_id for household_id, _ in keys],
        [day for _, day in keys],
    )
    return {
        (r["household_id"], r["delivery_day"]): ReceivedDay(
            r["cooperative_id"], r["version"], _LINES.decode(r["lines"])
        )
        for r in rows
    }


async def save_received(conn: Connection, received: Mapping[Key, ReceivedDay]) -> None:
    """Inserts or replaces."""
    await conn.execute(
        "insert into received_day (household_id, delivery_day, cooperative_id, version, lines) "
        "select * from unnest($1::uuid[], $2::date[], $3::uuid[], $4::int[], $5::jsonb[]) "
        "on conflict (household_id, delivery_day) do update set version = excluded.version, lines = excluded.lines",
        [household_id for household_id, _ in received],
        [day for _, day in received],
        [one.cooperative_id for one in received.values()],
        [one.version for one in received.values()],
        [msgspec.json.encode(one.lines).decode() for one in received.values()],
    )


async def save_orders(conn: Connection, orders: Mapping[OrderKey, bool]) -> None:
    """The day had these orders; those with True got less than they were promised, which stays so."""
    in_order = sorted(orders)  # one order everywhere, so that two transactions cannot lock crosswise
    await conn.execute(
        "insert into order_day (delivery_day, cooperative_id, order_id, shorted) "
        "select * from unnest($1::date[], $2::uuid[], $3::uuid[], $4::boolean[]) "
        "on conflict (delivery_day, cooperative_id, order_id) do update set shorted = true "
        "where excluded.shorted and not order_day.shorted",
        [day for day, _, _ in in_order],
        [cooperative_id for _, cooperative_id, _ in in_order],
        [order_id for _, _, order_id in in_order],
        [orders[key] for key in in_order],
    )


async def save_settled(conn: Connection, settled: Mapping[Key, tuple[UUID, SettledDay]]) -> None:
    """Inserts or replaces; each with its cooperative."""
    await conn.execute(
        "insert into settled_day (household_id, delivery_day, cooperative_id, gross_vnd, fee_vnd, net_vnd) "
        "select * from unnest($1::uuid[], $2::date[], $3::uuid[], $4::bigint[], $5::bigint[], $6::bigint[]) "
        "on conflict (household_id, delivery_day) do update set gross_vnd = excluded.gross_vnd, "
        "fee_vnd = excluded.fee_vnd, net_vnd = excluded.net_vnd",
        [household_id for household_id, _ in settled],
        [day for _, day in settled],
        [cooperative_id for cooperative_id, _ in settled.values()],
        [day.gross_vnd for _, day in settled.values()],
        [day.fee_vnd for _, day in settled.values()],
        [day.net_vnd for _, day in settled.values()],
    )


async def save_corrections(conn: Connection, corrections: Sequence[tuple[UUID, SettlementCorrected]]) -> None:
    """Each with its cooperative; one that is there already stays."""
    await conn.execute(
        "insert into settlement_correction (correction_id, household_id, delivery_day, cooperative_id, amount_vnd) "
        "select * from unnest($1::uuid[], $2::uuid[], $3::date[], $4::uuid[], $5::bigint[]) on conflict do nothing",
        [event.correction_id for _, event in corrections],
        [event.household_id for _, event in corrections],
        [event.delivery_day for _, event in corrections],
        [cooperative_id for cooperative_id, _ in corrections],
        [event.amount_vnd for _, event in corrections],
    )


async def list_staff_days(conn: Connection, keys: Collection[DayKey]) -> dict[DayKey, StaffDay]:
    """Those of them of which there is news."""
    if not keys:
        return {}
    rows = await conn.fetch(
        "select s.* from staff_day s join unnest($1::uuid[], $2::date[], $3::text[]) "
        "as x (cooperative_id, delivery_day, kind) using (cooperative_id, delivery_day, kind)",
        [key[0] for key in keys],
        [key[1] for key in keys],
        [key[2] for key in keys],
    )
    return {
        (r["cooperative_id"], r["delivery_day"], r["kind"]): StaffDay(r["version"], _ITEMS.decode(r["content"]))
        for r in rows
    }


async def save_staff_days(conn: Connection, news: Mapping[DayKey, StaffDay]) -> None:
    """Inserts or replaces."""
    await conn.execute(
        "insert into staff_day (cooperative_id, delivery_day, kind, version, content) "
        "select * from unnest($1::uuid[], $2::date[], $3::text[], $4::int[], $5::jsonb[]) "
        "on conflict (cooperative_id, delivery_day, kind) do update "
        "set version = excluded.version, content = excluded.content",
        [key[0] for key in news],
        [key[1] for key in news],
        [key[2] for key in news],
        [day.version for day in news.values()],
        [msgspec.json.encode(day.content).decode() for day in news.values()],
    )
