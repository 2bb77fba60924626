"""The ledger: a service's state and its events, committed together or not at all.

Events queued by a transaction are appended by its last statements, which take their sequence numbers under
the row lock of the stream's head. So sequence order is commit order, and a rollback leaves no hole.
"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar
from uuid import UUID

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from services.chassis import faultpoints, trace
from services.chassis.faults import Backoff
from services.chassis.fresh import Row
from services.chassis.ids import uuid7
from services.contracts.base import Event

log = logging.getLogger(__name__)

T = TypeVar("T")
if TYPE_CHECKING:
    Connection: TypeAlias = PoolConnectionProxy[asyncpg.Record]
else:
    Connection = PoolConnectionProxy  # generic in its stubs only

MAX_EVENT_BYTES = 262_144

_TAKE = """
with taken as (
    insert into stream_head as h (stream, lane, last_sequence)
    select stream, lane, events from unnest($1::uuid[], $2::smallint[], $3::bigint[]) as s (stream, lane, events)
    on conflict (stream) do update set last_sequence = h.last_sequence + excluded.last_sequence
    returning h.stream, h.lane, h.last_sequence
), causes as (
    select stream, string_agg(producer || '=' || sequence, ';' order by producer) as after
    from consumer_cursor where stream = any($1) and sequence > 0 group by stream
)
select stream, lane, last_sequence, after, now() as occurred_at from taken left join causes using (stream)
"""
_EVENT = ("stream", "sequence", "id", "type", "occurred_at", "after", "traceparent", "data")


class EventTooLarge(ValueError):
    """An event above 256 KiB; what caused it must be refused or split before it is appended."""


class DecideAgain(Exception):
    """Another transaction was first, so that what was decided in this one is out of date."""


class Transaction:
    """One database transaction: `conn` for statements, `append` for events, `after_commit` for what follows."""

    def __init__(self, conn: Connection) -> None:
        self.conn = conn
        self.appended: list[tuple[UUID, Event, str | None]] = []
        self.logged: list[Row] = []
        """What is in the log already."""
        self.applied = 0
        """Events of other services that were applied."""
        self.followers: list[Callable[[], None]] = []

    def append(self, stream: UUID, event: Event, traceparent: str | None = None) -> None:
        """Queues an event for the stream; appended in this order when the transaction ends.

        `traceparent` is that of the event or request it answers; without one, that of the current work.
        """
        self.appended.append((stream, event, traceparent or trace.current.get()))

    def after_commit(self, call: Callable[[], None]) -> None:
        """Calls `call` in this process once the transaction has committed; lost if the process dies.

        What it raises is logged and goes no further.
        """
        self.followers.append(call)


class Ledger:
    """Runs transactions on the pool and hands what they have logged to `wake`, to be relayed."""

    def __init__(
        self,
        pool: "asyncpg.Pool[asyncpg.Record]",
        lane_of: Callable[[UUID], int],
        wake: Callable[[Sequence[Row]], None],
    ) -> None:
        self.pool = pool
        self._lane_of = lane_of
        self._wake = wake

    async def transact(self, decide: Callable[[Transaction], Awaitable[T]]) -> T:
        """Runs `decide` in one transaction and returns its result once that has committed.

        `decide` is run again after DecideAgain, a deadlock or a serialization failure, so it must touch nothing but
        the transaction. Raises whatever it raises (nothing is changed then), and EventTooLarge.
        """
        backoff = Backoff(first_s=0.01, most_s=0.2)
        for attempt in range(5):
            try:
                return await self._transact_once(decide)
            except (DecideAgain, asyncpg.DeadlockDetectedError, asyncpg.SerializationError):
                if attempt == 4:
                    raise
                await backoff.wait()
        raise AssertionError("unreachable")

    async def _transact_once(self, decide: Callable[[Transaction], Awaitable[T]]) -> T:
        async with self.pool.acquire(timeout=5) as conn:
            async with conn.transaction():
                tx = Transaction(conn)
                result = await decide(tx)
                if tx.appended:
                    await self.append_now(tx)
                detail = "events" if tx.logged or tx.applied else None
                faultpoints.reach("before_commit", detail)
            faultpoints.reach("after_commit", detail)
            if tx.logged:
                self._wake(tx.logged)
            for call in tx.followers:
                try:
                    call()
                except Exception:  # it is committed: nobody may be told that it failed
                    log.exception("what should follow a commit failed")
            return result

    async def append_now(self, tx: Transaction) -> list[Row]:
        """Writes what is queued to the log before the transaction ends, and returns it as it stands there.

        Whatever is queued afterwards follows it. The streams' heads are locked from here on.
        """
        counts: dict[UUID, int] = {}
        for stream, _, _ in tx.appended:
            counts[stream] = counts.get(stream, 0) + 1
        streams = sorted(counts)  # one order everywhere, so that two transactions cannot lock crosswise
        bodies = [_body(event) for _, event, _ in tx.appended]
        rows = await tx.conn.fetch(
            _TAKE, streams, [self._lane_of(stream) for stream in streams], [counts[stream] for stream in streams]
        )
        taken = {row["stream"]: row for row in rows}
        last = {stream: row["last_sequence"] - counts[stream] for stream, row in taken.items()}
        records: list[tuple[Any, ...]] = []
        for (stream, event, traceparent), body in zip(tx.appended, bodies, strict=True):
            last[stream] += 1
            head = taken[stream]
            at = head["occurred_at"]
            records.append((stream, last[stream], uuid7(), event.type, at, head["after"], traceparent, body))
        await tx.conn.copy_records_to_table("event_log", records=records, columns=_EVENT)
        tx.appended.clear()
        logged: list[Row] = [
            dict(zip(_EVENT, record, strict=True), lane=taken[record[0]]["lane"]) for record in records
        ]
        tx.logged += logged
        return logged


def _body(event: Event) -> str:
    body = event.encode()
    if len(body) > MAX_EVENT_BYTES:
        raise EventTooLarge(f"{event.type} has {len(body)} bytes; the most is {MAX_EVENT_BYTES}")
    return body.decode()
