"""When staff were last told that they have to see to something, so that they are not told every minute."""

from collections.abc import Collection
from datetime import datetime, timedelta
from uuid import UUID

from services.chassis import parking
from services.chassis.ledger import Connection

Place = tuple[UUID, str, int]
"""The stream, the producer and the number of an event."""

_CLAIM = """
insert into staff_alert as a (cooperative_id, kind, told_at, version)
select cooperative_id, $2, $3, 1 from unnest($1::uuid[]) as x (cooperative_id)
on conflict (cooperative_id, kind) do update set told_at = excluded.told_at, version = a.version + 1
    where a.told_at <= excluded.told_at - $4::interval
returning cooperative_id, version
"""


async def claim(
    conn: Connection, kind: str, cooperative_ids: Collection[UUID], now: datetime, pause: timedelta
) -> dict[UUID, int]:
    """Those of them whose staff may be told now, because the last time is at least `pause` ago; with which number.

    Until the transaction ends nobody else can claim them.
    """
    rows = await conn.fetch(_CLAIM, sorted(cooperative_ids), kind, now, pause)
    return {r["cooperative_id"]: r["version"] for r in rows}


async def list_quarantined(conn: Connection) -> tuple[list[Place], set[Place]]:
    """All events in quarantine here, and those of them that staff know of; what was decided on is forgotten."""
    places = await parking.list_quarantined_places(conn)
    rows = await conn.fetch("select stream, producer, sequence from quarantine_told")
    told = {(r["stream"], r["producer"], r["sequence"]) for r in rows}
    gone = sorted(told.difference(places))
    if gone:
        await conn.execute(
            "delete from quarantine_told q using unnest($1::uuid[], $2::text[], $3::bigint[]) "
            "as x (stream, producer, sequence) "
            "where (q.stream, q.producer, q.sequence) = (x.stream, x.producer, x.sequence)",
            *_columns(gone),
        )
    return places, told.intersection(places)


async def save_quarantine_told(conn: Connection, places: Collection[Place]) -> None:
    """From now on staff know of these."""
    await conn.execute(
        "insert into quarantine_told (stream, producer, sequence) "
        "select * from unnest($1::uuid[], $2::text[], $3::bigint[]) on conflict do nothing",
        *_columns(sorted(places)),
    )


def _columns(places: Collection[Place]) -> tuple[list[UUID], list[str], list[int]]:
    return [place[0] for place in places], [place[1] for place in places], [place[2] for place in places]
