"""`rebuild`: makes the tables that are derived from other services' events anew, from the first event on.

It works beside the running service: a schema of its own gets the service's migrations, the producers send their
streams again to a queue of its own, and the service's handlers apply them in the order in which they were applied
before (turns.py), without publishing anything; the service's own commands come from its log. `--check` compares the
result with what was there; without it the result takes the place of what was there, while the service's own
consumption waits for a moment.

Where a producer was restored, its log says `event_lost` for what it had published after its backup. The service may
have applied the real event, and its tables are right; made again, they would lack it. So such a stream is refused,
unless `--without-lost` says that it is to be done all the same.
"""

import argparse
import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic
from uuid import UUID

import asyncpg

from services.chassis import migrate, rebuilt_tables
from services.chassis.broker import Broker
from services.chassis.cloudevents import Arrival
from services.chassis.database import open_pool
from services.chassis.faults import describe, is_weather
from services.chassis.fresh import Row
from services.chassis.inbox import Inbox, Patience
from services.chassis.incarnation import lost_type
from services.chassis.lanes import shared_lane
from services.chassis.ledger import Ledger, Transaction
from services.chassis.metrics import Metrics
from services.chassis.rebuilt_tables import SCHEMA, Live
from services.chassis.replay import Replay, Tape
from services.chassis.runtime import Runtime, S, Service
from services.chassis.turns import Turn, list_turns
from services.contracts.flow import READS

_CURSORS = "select stream, producer, sequence from public.consumer_cursor where sequence > 0"

_SKIPPED = "select stream, producer, sequence from public.quarantine_act where act = 'skip'"


Reached = Mapping[UUID, Mapping[str, int]]
"""By stream, how far each producer was applied."""

Event = tuple[UUID, str, int]
"""Stream, producer, sequence number."""

AT_ONCE = 200
"""Events in one transaction."""
LONGEST_PAUSE_S = 15
"""The most that consumption waits for a rebuild; less than the 20 s after which its own locks give up."""

_TRY_AGAIN = """
with freed as (
    update public.parked_event set status = 'retry', attempts = 0, deaths = 0, begun_by = null, next_at = now()
    where status in ('retry', 'quarantined') and error like 'UndefinedTableError%'
    returning producer, stream, sequence, event
)
insert into public.quarantine_act (producer, stream, sequence, act, reason, actor, event)
select producer, stream, sequence, 'retry', 'the tables that it lacked were rebuilt', 'rebuild', event from freed
"""


class Stuck(Exception):
    """An event that was applied before cannot be applied now; the message says which and why."""


class _Lost:
    """The events that their producers have lost, as they come by."""

    def __init__(self, accepted: bool) -> None:
        self._accepted = accepted
        self._found: dict[tuple[str, UUID], list[int]] = {}

    def note(self, event: Arrival) -> None:
        """Raises Stuck where a lost event is not accepted."""
        if event.type != lost_type(event.producer):
            return
        if not self._accepted:
            raise Stuck(
                f"{event.producer} {event.stream} {event.sequence} is lost since {event.producer} was restored. "
                "What was made of it here could not be made again, and nothing was changed. "
                "`rebuild --check` shows what would be different, `rebuild --without-lost` goes on without it"
            )
        self._found.setdefault((event.producer, event.stream), []).append(event.sequence)

    def in_words(self) -> list[str]:
        """A line for each stream."""
        return [
            f"{producer} {stream}: {len(numbers)} events from {numbers[0]} to {numbers[-1]} are lost, "
            "and what was made of them before is not made again"
            for (producer, stream), numbers in sorted(self._found.items())
        ]


class _Silent(Ledger):
    """Runs transactions, and lets their events go: they were published when it was the first time."""

    async def append_now(self, tx: Transaction) -> list[Row]:
        """Writes nothing."""
        return []


@dataclass(frozen=True, slots=True)
class Run:
    """Events of one producer that were applied one after the other."""

    producer: str
    first: int
    last: int


def runs(turns: Sequence[Turn], reached: Mapping[str, int], own: str = "") -> list[Run]:
    """What was applied of one stream, in order, up to `reached` by producer.

    Each turn of the service's `own` is one command. Of what was applied before turns were written down only the order
    within each producer is known: it comes first, producers in alphabetical order, and waits for its causes as it did
    then.
    """
    ends = dict(reached)
    found: list[Run] = []
    for turn in reversed(turns):
        last = ends.get(turn.producer, 0)
        if turn.producer == own and turn.first_sequence <= last:
            found.append(Run(own, turn.first_sequence, turn.first_sequence))
        elif turn.first_sequence <= last:
            found.append(Run(turn.producer, turn.first_sequence, last))
            ends[turn.producer] = turn.first_sequence - 1
    before = [Run(producer, 1, last) for producer, last in sorted(ends.items()) if last > 0 and producer != own]
    return [*before, *reversed(found)]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The words after `rebuild`."""
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--check", action="store_true", help="only compare with what is there; changes nothing")
    how.add_argument(
        "--without-lost", action="store_true", help="also where a producer has lost events that were applied here"
    )


async def run(service: Service[S], settings: S, check: bool, without_lost: bool = False) -> int:
    """Rebuilds and prints what came of it: 0 done or equal, 1 different or not possible."""
    if not service.derived:
        print(f"{service.name}: no table is derived from events alone")
        return 0
    logging.getLogger(f"services.{service.name}").setLevel(logging.CRITICAL)  # it would speak of what is long past
    url = settings.database_url.get_secret_value()
    live = await asyncpg.connect(url, timeout=10)
    if not await live.fetchval("select pg_try_advisory_lock(hashtextextended($1, 0))", SCHEMA):
        await live.close()
        print(f"{service.name}: another rebuild is under way")
        return 1
    lost = _Lost(accepted=check or without_lost)
    try:
        await rebuilt_tables.make_schema(live)
        await migrate.migrate(url, service.migrations(), SCHEMA)
        pool = await open_pool(settings.database_url, 4, f"{service.name} rebuild", 300, schema=SCHEMA)
        broker = Broker(settings.amqp_url, settings.amqp_heartbeat_s)
        async with pool, Replay(service.name, broker, READS[service.name], settings.gap_patience_s) as replay:
            again = _Again(service, settings, pool, replay, lost)
            return await (_check(service, live, again) if check else _replace(service, live, again))
    except Stuck as error:
        print(f"{service.name}: {error}")
        return 1
    except TimeoutError:
        print(f"{service.name}: a producer was silent while the consumers waited; nothing was changed, try again")
        return 1
    finally:
        for line in lost.in_words():
            print(f"{service.name}: {line}")
        await rebuilt_tables.drop_schema(live)
        await live.close()


async def _check(service: Service[S], live: Live, again: "_Again[S]") -> int:
    async with live.transaction(isolation="repeatable_read"):
        reached = await _reached(live)
        turns = await _all_turns(live, reached)
        await rebuilt_tables.copy_as_it_was(live, service.derived)
    events = await again.apply(reached, turns, await _skipped(live))
    differences = await rebuilt_tables.compare(live, service.derived)
    for difference in differences:
        print(difference)
    verdict = "DIFFERENT" if differences else "equal"
    print(f"{service.name}: {events} events of {len(reached)} streams, {len(service.derived)} tables: {verdict}")
    return 1 if differences else 0


async def _replace(service: Service[S], live: Live, again: "_Again[S]") -> int:
    reached = await _reached(live)
    events = await again.apply(reached, await _all_turns(live, reached), await _skipped(live))
    async with asyncio.timeout(LONGEST_PAUSE_S), live.transaction():  # the consumers wait; what they did is little
        await live.execute("select from public.consumer_cursor order by stream, producer for update")
        reached = await _reached(live)
        events += await again.apply(reached, await _all_turns(live, reached), await _skipped(live))
        await rebuilt_tables.take_over(live, service.derived)
        await live.execute(_TRY_AGAIN)
    print(f"{service.name}: {events} events of {len(reached)} streams applied anew to {len(service.derived)} tables")
    return 0


async def _reached(live: Live) -> Reached:
    found: dict[UUID, dict[str, int]] = {}
    for row in await live.fetch(_CURSORS):
        found.setdefault(row["stream"], {})[row["producer"]] = row["sequence"]
    return found


async def _all_turns(live: Live, reached: Reached) -> dict[UUID, list[Turn]]:
    return {stream: await list_turns(live, stream) for stream in reached}


async def _skipped(live: Live) -> set[Event]:
    return {(r["stream"], r["producer"], r["sequence"]) for r in await live.fetch(_SKIPPED)}


class _Again(Generic[S]):
    """Applies the producers' streams to the schema of its own."""

    def __init__(
        self, service: Service[S], settings: S, pool: "asyncpg.Pool[asyncpg.Record]", replay: Replay, lost: _Lost
    ) -> None:
        ledger = _Silent(pool, lambda stream: shared_lane(stream, settings.shared_lanes), lambda logged: None)
        metrics = Metrics()
        parts = service.wire(Runtime(settings, pool, ledger, metrics))
        once, self._commands = Patience(1, 1, 1), parts.commands
        self._own = self._commands.own if self._commands else ""
        self._inbox = Inbox(ledger, READS[service.name], parts.handlers, once, metrics, own=self._own)
        self._pool, self._replay, self._lost = pool, replay, lost

    async def apply(self, reached: Reached, turns: Mapping[UUID, Sequence[Turn]], skipped: set[Event]) -> int:
        """Brings each stream to `reached`; returns how many events that took. Raises Stuck."""
        events = 0
        for stream, ends in sorted(reached.items()):
            events += await self._apply_stream(stream, runs(turns[stream], ends, self._own), skipped)
            await self._must_have_reached(stream, ends)
        return events

    async def _apply_stream(self, stream: UUID, order: Sequence[Run], skipped: set[Event]) -> int:
        """The inbox lets events pass in the order in which they are handed to it, so many runs share a transaction."""
        at, events, together = await self._cursors(stream), 0, list[Arrival]()
        tapes = {run.producer: Tape(self._replay, stream, run.producer, at.get(run.producer, 0) + 1) for run in order}
        for run in order:
            if run.producer == self._own:
                together = await self._take_in(together)
                events += await self._repeat(stream, run.first, at.get(self._own, 0))
                continue
            async for event in tapes[run.producer].up_to(run.last):
                events += 1
                self._lost.note(event)
                is_skipped = (stream, event.producer, event.sequence) in skipped
                if is_skipped or len(together) >= AT_ONCE:
                    together = await self._take_in(together)
                if is_skipped:
                    await self._pass_over(event)
                else:
                    together.append(event)
        await self._take_in(together)
        return events

    async def _take_in(self, together: list[Arrival]) -> list[Arrival]:
        """Nothing is left of them."""
        if together:
            await self._inbox.take_in(together)
        return []

    async def _repeat(self, stream: UUID, sequence: int, at: int) -> int:
        if self._commands is None or sequence <= at:
            return 0
        try:
            await self._commands.repeat(await self._commands.get(self._pool, stream, sequence))
        except Exception as error:
            if is_weather(error):
                raise
            raise Stuck(f"{self._own} {stream} {sequence} cannot be applied again: {describe(error)}") from error
        return 1

    async def _cursors(self, stream: UUID) -> dict[str, int]:
        rows = await self._pool.fetch("select producer, sequence from consumer_cursor where stream = $1", stream)
        return {row["producer"]: row["sequence"] for row in rows}

    async def _pass_over(self, event: Arrival) -> None:
        """An operator skipped it the first time."""
        await self._pool.execute(
            "insert into consumer_cursor as c (stream, producer, sequence, head) values ($1, $2, $3, $3) "
            "on conflict (stream, producer) do update set sequence = $3, head = greatest(c.head, $3)",
            event.stream, event.producer, event.sequence,
        )  # fmt: skip

    async def _must_have_reached(self, stream: UUID, ends: Mapping[str, int]) -> None:
        cursors = await self._cursors(stream)
        for producer, last in ends.items():
            at = cursors.get(producer, 0)
            if at < last:
                query = "select error from parked_event where stream = $1 and error is not null order by sequence"
                why = await self._pool.fetchval(query, stream) or "its cause is missing"
                raise Stuck(f"{producer} {stream} {at + 1} cannot be applied again: {why}")
