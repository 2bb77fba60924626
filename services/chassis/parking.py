"""The SQL of events that wait: parked, failed or quarantined. Called inside the transaction that applies."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from services.chassis import cloudevents
from services.chassis.cloudevents import Arrival
from services.chassis.gate import Parked, Place
from services.chassis.lanes import Served
from services.chassis.ledger import Connection

MOST_PARKED = 1000
"""Per stream and producer; what comes beyond is let go, and a resend brings it again."""

MOST_MARKED_DEATHS = 2
"""Processes that may die over a marked event before an operator has to decide; one died before there was a mark."""


async def list_parked(conn: Connection, streams: Sequence[UUID], retried: Iterable[Place], most: int) -> list[Parked]:
    """What is parked of the next `most` numbers of these streams.

    A failed event is not blocked where it is due and its place is retried.
    """
    allowed = set(retried)
    rows = await conn.fetch(
        "select stream, producer, p.status, p.next_at <= now() as due, p.event "
        "from consumer_cursor c join parked_event p using (stream, producer) "
        "where stream = any($1) and p.sequence > c.sequence and p.sequence <= c.sequence + $2 "
        "order by stream, producer, p.sequence",
        streams,
        most,
    )
    return [
        Parked(
            cloudevents.read_one(r["event"]),
            r["status"] == "quarantined"
            or (r["status"] == "retry" and not (r["due"] and (r["stream"], r["producer"]) in allowed)),
        )
        for r in rows
    ]


async def _count_parked(conn: Connection, streams: Sequence[UUID]) -> dict[Place, int]:
    """How many events are parked of each stream and producer."""
    rows = await conn.fetch(
        "select stream, producer, count(*) from parked_event where stream = any($1) group by stream, producer", streams
    )
    return {(r["stream"], r["producer"]): r["count"] for r in rows}


async def park(conn: Connection, early: Sequence[Arrival]) -> int:
    """Keeps events that cannot be applied yet; returns how many of them were not parked already."""
    room = await _count_parked(conn, sorted({event.stream for event in early}))
    known = await _list_known(conn, early) if room else set()
    kept = []
    for event in sorted(early, key=lambda e: e.sequence):
        place = (event.stream, event.producer)
        if (*place, event.sequence) in known:
            continue
        room[place] = room.get(place, 0) + 1
        if room[place] <= MOST_PARKED:
            kept.append(event)
    if not kept:
        return 0
    await conn.execute(
        "insert into parked_event (producer, stream, sequence, status, event) "
        "select p, s, q, 'waiting', e from unnest($1::text[], $2::uuid[], $3::bigint[], $4::json[]) as x (p, s, q, e) "
        "on conflict do nothing",
        [e.producer for e in kept],
        [e.stream for e in kept],
        [e.sequence for e in kept],
        [cloudevents.parked_json(e) for e in kept],
    )
    return len(kept)


async def _list_known(conn: Connection, early: Sequence[Arrival]) -> set[tuple[UUID, str, int]]:
    """(stream, producer, sequence) of those that are parked already."""
    rows = await conn.fetch(
        "select stream, producer, sequence from parked_event "
        "join unnest($1::uuid[], $2::text[], $3::bigint[]) as x (stream, producer, sequence) "
        "using (stream, producer, sequence)",
        [e.stream for e in early],
        [e.producer for e in early],
        [e.sequence for e in early],
    )
    return {(r["stream"], r["producer"], r["sequence"]) for r in rows}


async def unpark(conn: Connection, applied: Mapping[Place, int]) -> None:
    """Removes the parked events up to these numbers, which have been applied."""
    await conn.execute(
        "delete from parked_event p "
        "using unnest($1::uuid[], $2::text[], $3::bigint[]) as x (stream, producer, sequence) "
        "where p.producer = x.producer and p.stream = x.stream and p.sequence <= x.sequence",
        [stream for stream, _ in applied],
        [producer for _, producer in applied],
        list(applied.values()),
    )


@dataclass(frozen=True, slots=True)
class Begun:
    """An event that is about to be applied. `again`: a process that is no more had begun it, or its stream with it."""

    deaths: int
    again: bool
    quarantined: bool


_BEGIN = """
with known as (
    select deaths,
        case when begun_by <> $4 then pg_try_advisory_xact_lock(hashtextextended(begun_by::text, 0)) end as again
    from parked_event where (stream, producer, sequence) = ($2, $1, $3)
), counted as (
    select greatest($5, coalesce((select deaths + coalesce(again, false)::int from known), 0)) as deaths,
        coalesce((select again from known), false) as again
)
insert into parked_event as p (producer, stream, sequence, status, next_at, begun_by, deaths, event)
select $1, $2, $3, 'retry', now(), $4, deaths, $6 from counted
on conflict (stream, producer, sequence) do update set begun_by = $4, deaths = excluded.deaths, next_at = now(),
    status = case when excluded.deaths >= $7 then 'quarantined' else 'retry' end,
    error = case when excluded.deaths >= $7 then 'processes died over it' else p.error end
returning deaths, status, (select again from counted) as again
"""


async def hold_mark(conn: "Connection | asyncpg.Connection[asyncpg.Record]", holder: UUID) -> None:
    """Shows, as long as this connection lives, that the process lives whose marks carry this name."""
    await conn.execute("select pg_advisory_lock(hashtextextended($1, 0))", str(holder))


async def begin(conn: Connection, event: Arrival, holder: UUID, deaths: int) -> Begun:
    """Marks an event as begun by this process, before it is applied in a transaction of its own.

    `deaths`: of processes that died over the stream's mark. An event whose mark was left behind by MOST_MARKED_DEATHS
    dead processes is quarantined instead: whatever it does to the process, the neighbours need that process.
    """
    row = await conn.fetchrow(
        _BEGIN,
        event.producer,
        event.stream,
        event.sequence,
        holder,
        deaths,
        cloudevents.parked_json(event),
        MOST_MARKED_DEATHS,
    )
    assert row is not None
    return Begun(row["deaths"], row["again"], row["status"] == "quarantined")


async def park_failed(
    conn: Connection, event: Arrival, error: str, most_attempts: int, first_s: int, most_s: int
) -> tuple[int, bool]:
    """Counts a failure of an event and plans its retry; returns (attempts, quarantined).

    The wait doubles from first_s to most_s; after most_attempts failures an operator has to decide.
    """
    row = await conn.fetchrow(
        "insert into parked_event as p (producer, stream, sequence, status, attempts, next_at, error, event) "
        "values ($1, $2, $3, case when $5 <= 1 then 'quarantined' else 'retry' end, 1, "
        "  now() + make_interval(secs => $6), $4, $8) "
        "on conflict (stream, producer, sequence) do update set attempts = p.attempts + 1, error = excluded.error, "
        "  begun_by = null, deaths = 0, "
        "  status = case when p.attempts + 1 >= $5 then 'quarantined' else 'retry' end, "
        "  next_at = now() + make_interval(secs => least($7, $6 * power(2, least(p.attempts, 20)))) "
        "returning attempts, status",
        event.producer,
        event.stream,
        event.sequence,
        error[:2000],
        most_attempts,
        float(first_s),
        float(most_s),
        cloudevents.parked_json(event),
    )
    assert row is not None
    return row["attempts"], row["status"] == "quarantined"


_DUE = """
select p.stream, p.producer, h.lane from parked_event p left join stream_head h using (stream)
where p.status = 'retry' and p.next_at <= now() order by p.next_at
"""

_HELD = """
select p.stream, p.producer, h.lane from consumer_cursor c
join parked_event p on p.stream = c.stream and p.producer = c.producer and p.sequence = c.sequence + 1
left join stream_head h on h.stream = c.stream
where c.behind_since < now() - interval '2 s' and p.status = 'waiting' order by random()
"""


async def list_due(conn: Connection, served: Served, limit: int) -> list[Place]:
    """Streams of these lanes whose failed event is to be tried again now.

    What kills a process must not be tried by those of the other lanes.
    """
    return await _first_served(conn, _DUE, served, limit)


async def list_held(conn: Connection, served: Served, limit: int) -> list[Place]:
    """Some streams of these lanes whose next event waits for long: its cause may have passed out of sight, by a skip.

    Chosen at random, since most of them go on waiting, and those behind them must have their turn too.
    """
    return await _first_served(conn, _HELD, served, limit)


async def _first_served(conn: Connection, query: str, served: Served, limit: int) -> list[Place]:
    """The first places that are served: reading goes on past those of other lanes, however many wait there."""
    found: list[Place] = []
    if not await conn.fetchval(f"select exists ({query})"):  # mostly there is none, and this takes no transaction
        return found
    async with conn.transaction():
        async for row in conn.cursor(query):
            if served.has(row["stream"], row["lane"]):
                found.append((row["stream"], row["producer"]))
                if len(found) == limit:
                    break
    return found


@dataclass(frozen=True, slots=True)
class Quarantined:
    """An event that failed too often; its stream waits behind it."""

    producer: str
    stream: UUID
    sequence: int
    attempts: int
    error: str
    parked_at: datetime
    event: str


async def list_quarantined(conn: "Connection | asyncpg.Connection[asyncpg.Record]") -> list[Quarantined]:
    """Everything in quarantine, oldest first."""
    rows = await conn.fetch(
        "select producer, stream, sequence, attempts, error, parked_at, event from parked_event "
        "where status = 'quarantined' order by parked_at"
    )
    return [Quarantined(**dict(r)) for r in rows]


async def list_quarantined_places(
    conn: "Connection | asyncpg.Connection[asyncpg.Record]",
) -> list[tuple[UUID, str, int]]:
    """(stream, producer, sequence) of everything in quarantine, oldest first."""
    rows = await conn.fetch(
        "select stream, producer, sequence from parked_event where status = 'quarantined' order by parked_at"
    )
    return [(r["stream"], r["producer"], r["sequence"]) for r in rows]


async def resolve(
    conn: "Connection | asyncpg.Connection[asyncpg.Record]",
    producer: str,
    stream: UUID,
    sequence: int,
    act: str,
    reason: str,
    actor: str,
) -> bool:
    """`retry` plans the event for now with fresh attempts; `skip` moves the cursor past it. Records the act.

    Returns False where the event is not in quarantine any more.
    """
    await conn.execute("select from consumer_cursor where stream = $1 order by producer for update", stream)
    event = await conn.fetchval(
        "select event from parked_event where stream = $1 and producer = $2 and sequence = $3 "
        "and status = 'quarantined' for update",
        stream,
        producer,
        sequence,
    )
    if event is None:
        return False
    await conn.execute(
        "insert into quarantine_act (producer, stream, sequence, act, reason, actor, event) "
        "values ($1, $2, $3, $4, $5, $6, $7)",
        producer, stream, sequence, act, reason, actor, event,
    )  # fmt: skip
    place = (stream, producer, sequence)
    if act == "retry":
        await conn.execute(
            "update parked_event set status = 'retry', attempts = 0, deaths = 0, begun_by = null, next_at = now() "
            "where stream = $1 and producer = $2 and sequence = $3",
            *place,
        )
        return True
    await conn.execute("delete from parked_event where stream = $1 and producer = $2 and sequence = $3", *place)
    await conn.execute(
        "update consumer_cursor set sequence = $3, asked_at = null, behind_since = case when head > $3 then now() end "
        "where stream = $1 and producer = $2 and sequence = $3 - 1",
        *place,
    )
    return True
