"""Which database this is. A restored copy or a promoted standby may lack events that were published already.

Every new connection compares the identity of the database with the one that is settled. If they differ, nothing is
read or written for the business: the service asks its readers through every lane how far they know its streams,
lifts its heads to that, so that no number is published twice with different content, and notes what is lost. While
it waits it parks what arrives and answers those who ask it the same, so that any number of services can be
restored at once.
"""

import asyncio
import logging
from collections.abc import Iterable, Sequence
from uuid import UUID

import asyncpg
from pydantic import SecretStr

from services.chassis import cloudevents, cursors, parking, topology
from services.chassis.cloudevents import Arrival, ReachAsked, ReachTold
from services.chassis.database import open_pool
from services.chassis.faults import BROKER_WEATHER, Unsettled, describe, is_weather
from services.chassis.lanes import shared_lane
from services.chassis.ledger import Connection
from services.chassis.relay import Relay

log = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0
ASK_EVERY_S = 3.0
STREAMS_PER_MESSAGE = 5000
"""Of an answer; far below what the broker carries in one message."""

_IS_SETTLED = "select identity = present_identity() from incarnation"

_NOT_MIGRATED = (asyncpg.UndefinedTableError, asyncpg.UndefinedFunctionError)

_LANES = """
select lane::smallint from generate_series(0, $1 - 1) lane
union select lane from stream_head
union select lane from relay_lease where until > (select max(until) from relay_lease) - interval '1 hour'
order by lane
"""
"""The shared lanes, those of the streams, and those that were served last: what was published may wait in each."""

_ANSWER_FOR = f"""
insert into settling_answer (identity, lane, reader, part) select present_identity(), lane, $2, 0 from ({_LANES}) lanes
where exists (select from incarnation where identity <> present_identity()) on conflict do nothing
"""  # noqa: S608 - only fixed text

_WAITS_FOR = """
select lane, reader from unnest($2::smallint[]) lane cross join unnest($3::text[]) reader
except select lane, reader from settling_answer where identity = $1
group by lane, reader having min(part) = 0 or count(*) >= max(parts)
order by lane, reader
"""

_SAVE_REACH = """
insert into settling_reach as r (identity, stream, sequence)
select $1, stream, sequence from unnest($2::uuid[], $3::bigint[]) x (stream, sequence) order by stream
on conflict (identity, stream) do update set sequence = greatest(r.sequence, excluded.sequence)
"""

_LOST = """
select r.stream, coalesce(h.last_sequence, 0) + 1 as first_sequence, r.sequence as last_sequence
from settling_reach r left join stream_head h using (stream)
where r.identity = $1 and r.sequence > coalesce(h.last_sequence, 0) order by r.stream
"""

_LIFT = """
with lost as (
    select * from unnest($1::uuid[], $2::smallint[], $3::bigint[], $4::bigint[]) x (stream, lane, first, last)
), lifted as (
    insert into stream_head (stream, lane, last_sequence) select stream, lane, last from lost order by stream
    on conflict (stream) do update set last_sequence = excluded.last_sequence
), noted as (
    insert into lost_events (stream, first_sequence, last_sequence) select stream, first, last from lost
)
insert into event_log (stream, sequence, id, type, data)
select stream, sequence, gen_random_uuid(), $5, '{}' from lost cross join generate_series(first, last) sequence
"""


def lost_type(service: str) -> str:
    """The type of what stands in the log for an event that was published and is lost."""
    return f"{service}.event_lost.v1"


async def check(conn: "asyncpg.Connection[asyncpg.Record]") -> None:
    """For each new connection of the pool. Raises Unsettled where the database is not the one that is settled."""
    try:
        settled = await conn.fetchval(_IS_SETTLED)
    except _NOT_MIGRATED:
        return  # not migrated yet
    except asyncpg.ObjectNotInPrerequisiteStateError:
        raise Unsettled("the server takes no writes") from None
    if not settled:
        raise Unsettled("the database is not the one that was settled with the readers")


class Incarnation:
    """Keeps the service's database settled; `waits_for` says what is still missing."""

    def __init__(
        self,
        service: str,
        url: SecretStr,
        readers: Sequence[str],
        lanes: Sequence[int],
        shared_lanes: int,
        relay: Relay,
    ) -> None:
        self._service, self._url, self._readers = service, url, readers
        self._own_lanes, self._shared_lanes, self._relay = lanes, shared_lanes, relay
        self._aside: asyncpg.Pool[asyncpg.Record] | None = None
        self.waits_for: list[str] = []

    async def run(self) -> None:
        """Looks every second whether the database is the settled one, and settles it where it is not."""
        self._aside = await open_pool(self._url, 2, f"{self._service} incarnation", 10)
        asked_at_s = 0.0
        async with self._aside:
            while True:
                now_s = asyncio.get_running_loop().time()
                try:
                    if await self._aside.fetchval(_IS_SETTLED):
                        self.waits_for = []
                    elif now_s >= asked_at_s + ASK_EVERY_S:
                        asked_at_s = now_s
                        await self._settle_or_ask()
                    else:
                        await self._settle()
                except Exception as error:
                    if not is_weather(error) and not isinstance(error, BROKER_WEATHER):
                        raise
                    log.warning("cannot look whether the database is settled: %s", describe(error))
                await asyncio.sleep(LOOK_EVERY_S)

    async def park(self, arrivals: Sequence[Arrival], reads: Sequence[str]) -> None:
        """Keeps what arrives while the database is not settled; it is applied afterwards."""
        streams = sorted({arrival.stream for arrival in arrivals})
        async with self._pool.acquire(timeout=5) as conn, conn.transaction():
            before = await cursors.lock_cursors(conn, reads, streams)
            new = [a for a in arrivals if a.sequence > before[a.stream, a.producer].sequence]
            heads: dict[tuple[UUID, str], int] = {}
            for arrival in new:
                for producer, known in ((arrival.producer, arrival.sequence), *arrival.after.items()):
                    place = (arrival.stream, producer)
                    if place in before:
                        heads[place] = max(heads.get(place, 0), known)
            await parking.park(conn, new)
            await cursors.advance(conn, before, {}, heads)

    async def answer(self, producer: str, asked: ReachAsked) -> None:
        """Tells a producer how far its streams are known here."""
        rows = await self._pool.fetch(
            "select stream, greatest(head, sequence) as reach from consumer_cursor where producer = $1 order by stream",
            producer,
        )
        starts = range(0, max(1, len(rows)), STREAMS_PER_MESSAGE)  # who knows nothing says so
        parts = [rows[start : start + STREAMS_PER_MESSAGE] for start in starts]
        for number, part in enumerate(parts, 1):
            reach = {r["stream"]: r["reach"] for r in part}
            told = ReachTold(asked.identity, asked.lane, reach, number, len(parts))
            await self._relay.publish_control(cloudevents.REACH_TOLD, topology.control_key(producer), told)

    async def take_answer(self, reader: str, told: ReachTold) -> None:
        """Notes what a reader knows."""
        async with self._pool.acquire(timeout=5) as conn, conn.transaction():
            if await conn.fetchval(_IS_SETTLED):
                return  # a late answer
            await conn.execute(_SAVE_REACH, told.identity, list(told.reach), list(told.reach.values()))
            await conn.execute(
                "insert into settling_answer (identity, lane, reader, part, parts) values ($1, $2, $3, $4, $5) "
                "on conflict (identity, lane, reader, part) do update set parts = excluded.parts",
                told.identity, told.lane, reader, told.part, told.parts,
            )  # fmt: skip

    @property
    def _pool(self) -> "asyncpg.Pool[asyncpg.Record]":
        if self._aside is None:
            raise Unsettled("the process is starting")
        return self._aside

    async def _settle_or_ask(self) -> None:
        waiting = await self._settle()
        if not waiting:
            return
        identity = await self._pool.fetchval("select present_identity()")
        log.warning("the database is not the one that was settled; asking the readers", extra={"waits_for": waiting})
        for lane in sorted({lane for lane, _ in waiting} & set(self._own_lanes)):
            question = {"identity": identity, "lane": lane}
            await self._relay.publish_control(cloudevents.REACH_ASKED, str(lane), question)

    async def _settle(self) -> list[tuple[int, str]]:
        """Settles if all readers have answered; returns (lane, reader) of the answers that are missing."""
        async with self._pool.acquire(timeout=5) as conn, conn.transaction():
            row = await conn.fetchrow(
                "select identity <> present_identity() as new, present_identity() as now from incarnation for update"
            )
            if row is None or not row["new"]:
                return []
            lanes = [r["lane"] for r in await conn.fetch(_LANES, self._shared_lanes)]
            rows = await conn.fetch(_WAITS_FOR, row["now"], lanes, list(self._readers))
            waiting = [(r["lane"], r["reader"]) for r in rows]
            self.waits_for = [_in_words(waiting)] if waiting else []
            if not waiting:
                await self._lift(conn, row["now"])
            return waiting

    async def _lift(self, conn: Connection, identity: str) -> None:
        lost = await conn.fetch(_LOST, identity)
        if lost:
            streams = [r["stream"] for r in lost]
            firsts, lasts = [r["first_sequence"] for r in lost], [r["last_sequence"] for r in lost]
            lanes = [shared_lane(stream, self._shared_lanes) for stream in streams]
            await conn.execute(_LIFT, streams, lanes, firsts, lasts, lost_type(self._service))
        await conn.execute("update incarnation set identity = $1", identity)
        await conn.execute("delete from settling_answer")
        await conn.execute("delete from settling_reach")
        count = sum(r["last_sequence"] - r["first_sequence"] + 1 for r in lost)
        log.error("settled on a new database", extra={"identity": identity, "streams": len(lost), "lost_events": count})


def _in_words(waiting: Iterable[tuple[int, str]]) -> str:
    readers = sorted({reader for _, reader in waiting})
    return f"the database was restored; {', '.join(readers)} must say how far they know its events"


async def settle_without(url: str, reader: str, shared_lanes: int) -> int:
    """An operator's word that a reader will not answer: counts as its answer that it knows nothing more.

    Returns for how many lanes; 0 where the database is settled. What only that reader knows can then be published
    a second time with other content.
    """
    conn = await asyncpg.connect(url, timeout=10)
    try:
        done = await conn.execute(_ANSWER_FOR, shared_lanes, reader)
        return int(done.rpartition(" ")[2])
    finally:
        await conn.close()


async def watch(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    """Gives up the pool's connections when the database under them was made anew, so that each is checked again."""
    while True:
        try:
            async with pool.acquire(timeout=5) as conn:
                if not await conn.fetchval(_IS_SETTLED):
                    await pool.expire_connections()
        except Exception as error:
            if not is_weather(error) and not isinstance(error, _NOT_MIGRATED):
                raise
        await asyncio.sleep(LOOK_EVERY_S)
