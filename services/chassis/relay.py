"""The relay: sends the event log to RabbitMQ, in order per stream, with confirms, on its own connection.

One relay per lane at a time holds the lane's lease. Per stream a cursor says how far the broker has confirmed; it only
moves if it still stands where the relay read it. Sending twice is harmless, since readers drop duplicates; not
sending is what it prevents. A resend goes to the reader that asked and moves no cursor.
"""

import asyncio
import contextlib
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

import aio_pika
import asyncpg
from aio_pika.abc import AbstractExchange

from services.chassis import cloudevents, compression, faultpoints, topology
from services.chassis.broker import Broker, Link, answered
from services.chassis.faults import BROKER_WEATHER, Backoff, describe, is_weather
from services.chassis.fresh import Fresh, Row
from services.chassis.ids import uuid7
from services.chassis.ledger import Connection
from services.chassis.metrics import Metrics
from services.chassis.packing import MOST_EVENTS, MOST_PER_STREAM, Batch, Bodies, most_per_stream

log = logging.getLogger(__name__)

HEADS_PER_MESSAGE = 1000
POLL_S = 1.0
BETWEEN_S = 0.02
"""From one turn of a lane to the next: the first event goes at once, and those on its heels share a message."""
CONFIRM_S = 10
"""How long the broker may take to confirm a message; above it the connection is given up."""
MOST_RESENT = 1000
MOST_RESENT_BYTES = 4_194_304
"""What one resend sends at most; the reader asks for more once it has taken that in."""

_READ = """
select h.stream, coalesce(c.sequence, 0) as relayed,
       e.sequence, e.id, e.type, e.occurred_at, e.after, e.traceparent, e.data
from stream_head h left join relay_cursor c using (stream)
cross join lateral (
    select * from event_log e where e.stream = h.stream and e.sequence > coalesce(c.sequence, 0)
    order by e.sequence limit $2
) e
where h.lane = $1 and h.last_sequence > coalesce(c.sequence, 0)
"""
_READ_ALL = f"{_READ} limit $3"
_READ_SOME = f"{_READ} and h.stream = any($4) limit $3"

_ADVANCE = """
insert into relay_cursor as c (stream, sequence)
select stream, sequence from unnest($1::uuid[], $3::bigint[]) as x (stream, sequence)
where exists (select from relay_lease where lane = $4 and holder = $5 and fence = $6 and until > now() for share)
on conflict (stream) do update set sequence = excluded.sequence, relayed_at = now()
where c.sequence = (select f from unnest($1::uuid[], $2::bigint[]) as y (s, f) where s = c.stream)
"""

_LEASE = """
insert into relay_lease as l (lane, holder, until)
select lane, $2, now() + make_interval(secs => $3) from unnest($1::smallint[]) lane order by lane
on conflict (lane) do update set holder = excluded.holder, until = excluded.until,
    fence = l.fence + (l.holder <> excluded.holder)::int
where l.holder = excluded.holder or l.until < now()
returning lane, fence
"""

_HEADS = """
select stream, c.sequence from stream_head join relay_cursor c using (stream)
where lane = $1 and ($2::uuid is null or stream > $2) order by stream limit $3
"""

_RESEND = """
select h.lane, e.stream, e.sequence, e.id, e.type, e.occurred_at, e.after, e.traceparent, e.data
from stream_head h join event_log e using (stream)
where h.stream = $1 and e.sequence >= $2 order by e.sequence limit $3
"""

_HEADS_OF = """
select stream, c.sequence from stream_head join relay_cursor c using (stream) where lane = $1 and stream = any($2)
"""


@dataclass(slots=True)
class _Lane:
    """What the relay remembers of a lane between batches."""

    number: int
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    hints: set[UUID] = field(default_factory=set)
    """Streams known to have something new; emptied when read."""
    look_everywhere: bool = True
    """At the start, after a failure and at each slow poll all streams are looked at, not only the hints."""
    turn_due: float = 0.0
    """Before it nothing is sent, except what a turn leaves over."""
    poll_due: float = 0.0
    """The next slow poll; it comes however busy the lane is, since hints can get lost."""
    fence: int | None = None
    """Of the held lease, or None while another process holds it."""
    fresh: Fresh = field(default_factory=Fresh)
    relayed: dict[UUID, int] = field(default_factory=dict)
    """Up to where this relay has moved the cursors of streams under this lease; what others moved is not known."""
    told: set[UUID] = field(default_factory=set)
    """Streams relayed since the last heads message."""
    heads_from: UUID | None = None
    """The round of all streams goes on behind this one with the next heads message; None: from the first."""
    heads_due: float = 0.0


class Relay:
    """Relays `lanes` of one service's event log from this process."""

    def __init__(
        self,
        service: str,
        broker: Broker,
        pool: "asyncpg.Pool[asyncpg.Record]",
        lanes: Iterable[int],
        holder: str,
        lease_s: int,
        heads_every_s: int,
        metrics: Metrics,
    ) -> None:
        self._service, self._broker, self._pool = service, broker, pool
        self._lanes = {lane: _Lane(lane) for lane in lanes}
        self._holder, self._lease_s, self._heads_every_s = holder, lease_s, heads_every_s
        self._metrics = metrics
        self._exchange: AbstractExchange | None = None
        self._connected = asyncio.Event()
        self._lost = asyncio.Event()
        self._stopping = False

    @property
    def connected(self) -> bool:
        """Whether the relay's own connection to the broker stands."""
        return self._connected.is_set()

    def wake(self, logged: Iterable[Row]) -> None:
        """Hands over what was appended and committed; lanes of other processes are passed over."""
        for row in logged:
            lane = self._lanes.get(row["lane"])
            if lane is not None:
                lane.hints.add(row["stream"])
                lane.fresh.add(row)
                lane.woken.set()

    def look_at(self, lanes: Iterable[int]) -> None:
        """Says that something is new in these lanes, without saying in which streams."""
        for number in lanes:
            if lane := self._lanes.get(number):
                lane.look_everywhere = True
                lane.woken.set()

    def serves(self, lane: int) -> bool:
        """Whether this process holds the lane's lease."""
        found = self._lanes.get(lane)
        return found is not None and found.fence is not None

    async def run(self) -> None:
        """Relays until `stop`; reconnects for ever. On the way out it sends what waits and gives the leases back."""
        try:
            async with asyncio.TaskGroup() as group:  # a keeper that dies must not leave lanes behind that do nothing
                keepers = [group.create_task(self._keep_connected()), group.create_task(self._keep_leases())]
                await asyncio.gather(*(self._relay_lane(lane) for lane in self._lanes.values()))
                for task in keepers:
                    task.cancel()
        finally:
            await self._release_leases()

    def stop(self) -> None:
        """Lets each lane finish what waits and ends `run`."""
        self._stopping = True
        for lane in self._lanes.values():
            lane.woken.set()

    async def publish_control(self, kind: str, key: str, content: object) -> None:
        """Sends a control event through the service's exchange. Raises if the broker does not take it."""
        body = cloudevents.control(self._service, kind, uuid7(), datetime.now(UTC), content)
        await self._publish(body, key)

    async def resend(self, stream: UUID, sequence: int, reader: str, to: str) -> None:
        """Sends what is relayed and unrelayed of a stream, from this number on, to one reader only.

        `to` names the reader's queue; empty: its queue of the stream's lane. Not more than MOST_RESENT events at a
        time, so that a reader that has everything to learn is not drowned. The stream itself goes on meanwhile.
        """
        rows = await self._pool.fetch(_RESEND, stream, sequence, MOST_RESENT)
        bodies = Bodies()
        for row in rows:
            bodies.add(cloudevents.envelope(self._service, row))
            if bodies.size > MOST_RESENT_BYTES:
                break
        if not rows:
            return
        key = topology.own_key(reader, to or str(rows[0]["lane"]))
        for body in bodies.messages():
            await self._publish(body, key)
        await self.publish_control(cloudevents.RESENT, key, {"stream": str(stream)})
        self._metrics.resends_served.inc()

    async def _keep_connected(self) -> None:
        backoff = Backoff()
        while True:
            try:
                async with self._broker.connected(f"{self._service} relay") as link:
                    lost = self._lost = asyncio.Event()
                    link.connection.close_callbacks.add(lambda *_, gone=lost: gone.set())
                    self._exchange = await answered(self._open_exchange(link, lost))
                    self._connected.set()
                    backoff.reset()
                    await lost.wait()
                    self._connected.clear()
                    self._exchange = None
            except BROKER_WEATHER as error:
                log.warning("the broker is away: %s", describe(error))
            finally:
                self._connected.clear()
                self._exchange = None
            await backoff.wait()

    async def _open_exchange(self, link: Link, lost: asyncio.Event) -> AbstractExchange:
        channel = await link.connection.channel(publisher_confirms=True, on_return_raises=True)
        channel.close_callbacks.add(lambda *_: lost.set())
        return await channel.get_exchange(topology.exchange_name(self._service), ensure=False)

    async def _keep_leases(self) -> None:
        while True:
            try:
                rows = await self._pool.fetch(_LEASE, list(self._lanes), self._holder, float(self._lease_s))
                held = {row["lane"]: row["fence"] for row in rows}
                for lane in self._lanes.values():
                    if lane.number in held and lane.fence != held[lane.number]:
                        lane.relayed.clear()
                        lane.look_everywhere = True
                        lane.woken.set()
                    lane.fence = held.get(lane.number)
                    self._metrics.lease.labels(str(lane.number)).set(lane.fence is not None)
            except Exception as error:
                if not is_weather(error):
                    raise
                log.warning("leases not renewed: %s", describe(error))
            await asyncio.sleep(self._lease_s / 3)

    async def _release_leases(self) -> None:
        try:
            await self._pool.execute("update relay_lease set until = now() where holder = $1", self._holder)
        except Exception as error:
            if not is_weather(error):
                raise
            log.warning("leases not given back; they end by themselves: %s", describe(error))

    async def _relay_lane(self, lane: _Lane) -> None:
        backoff = Backoff()
        while True:
            last = self._stopping
            if not last:
                await self._wait_for_work(lane)
            try:
                more = True
                while more and lane.fence is not None and self._exchange is not None:
                    more = await self._relay_some(lane)
                    await self._tell_heads(lane)
                backoff.reset()
            except Exception as error:
                if not is_weather(error) and not isinstance(error, BROKER_WEATHER):
                    raise
                lane.look_everywhere = True  # the hints of what was not sent are spent
                self._metrics.relay_failures.labels(type(error).__name__).inc()
                log.warning("not relayed, trying again: %s", describe(error), extra={"lane": lane.number})
                if not last:
                    await backoff.wait()
            if last:
                return

    async def _wait_for_work(self, lane: _Lane) -> None:
        """Until woken, or until the slow poll, which looks at every stream of the lane; then until the lane's turn."""
        clock = asyncio.get_running_loop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(lane.poll_due):
                await lane.woken.wait()
        await asyncio.sleep(max(0.0, lane.turn_due - clock.time()))
        lane.turn_due = clock.time() + BETWEEN_S
        lane.woken.clear()
        if clock.time() >= lane.poll_due:
            lane.look_everywhere = True
            lane.poll_due = clock.time() + POLL_S

    async def _relay_some(self, lane: _Lane) -> bool:
        """Sends one read's worth of events; returns whether there may be more."""
        hints, lane.hints = lane.hints, set()
        everywhere, lane.look_everywhere = lane.look_everywhere, False
        if not hints and not everywhere:
            return False
        each = MOST_PER_STREAM if everywhere else most_per_stream(len(hints))
        rows = await self._next(lane, None if everywhere else hints, each)
        batch = Batch(each)
        for row, relayed in rows:
            batch.add(row, relayed, self._service)
        if rows:
            key = str(lane.number)
            await asyncio.gather(*(self._publish(body, key) for body in batch.bodies.messages()))
            faultpoints.reach("after_confirm")
            self._metrics.relayed.inc(batch.events)
            lane.told |= batch.reached.keys()
            if not await self._advance(lane, batch):
                return False  # the lease has gone: the next poll looks again
        if len(rows) >= MOST_EVENTS:
            lane.hints |= hints
            lane.look_everywhere |= everywhere
        else:
            lane.hints |= batch.cut
        return bool(lane.hints) or lane.look_everywhere

    async def _next(self, lane: _Lane, hints: Iterable[UUID] | None, each: int) -> list[tuple[Row, int]]:
        """What follows in these streams, or in all of the lane, each with what was relayed of its stream before."""
        if hints is None:
            rows = await self._pool.fetch(_READ_ALL, lane.number, each, MOST_EVENTS)
            return [(row, row["relayed"]) for row in rows]
        found: list[tuple[Row, int]] = []
        unknown = []
        for stream in sorted(hints):
            relayed = lane.relayed.get(stream)
            fresh = lane.fresh.take(stream, relayed, min(each, MOST_EVENTS - len(found)))
            if fresh is None or relayed is None:
                unknown.append(stream)
            else:
                found += [(row, relayed) for row in fresh]
        room = MOST_EVENTS - len(found)
        if unknown and room:
            rows = await self._pool.fetch(_READ_SOME, lane.number, each, room, unknown)
            found += [(row, row["relayed"]) for row in rows]
        return found

    async def _advance(self, lane: _Lane, batch: Batch) -> bool:
        """Moves the cursors to what was sent; False where none moved."""
        streams = sorted(batch.reached)
        done = await self._pool.execute(
            _ADVANCE,
            streams,
            [batch.begun[stream] for stream in streams],
            [batch.reached[stream] for stream in streams],
            lane.number,
            self._holder,
            lane.fence,
        )
        moved = int(done.rpartition(" ")[2])
        if moved == len(streams):
            lane.relayed |= batch.reached
        else:
            lane.relayed.clear()  # somebody else has moved some
        return bool(moved)

    async def _publish(self, body: bytes, key: str) -> None:
        exchange = self._exchange
        if exchange is None:
            raise ConnectionError("the broker is away")
        packed, encoding = compression.compress(body)
        message = aio_pika.Message(
            packed,
            content_type=cloudevents.CONTENT_TYPE,
            content_encoding=encoding,
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            message_id=str(uuid7()),
            user_id=self._service,
            app_id=self._service,
        )
        lost = self._lost
        try:
            async with asyncio.timeout(CONFIRM_S):
                await answered(exchange.publish(message, key, mandatory=True))
        except TimeoutError:
            lost.set()  # silent, or blocked: another connection, perhaps to another node, will do
            raise
        self._metrics.messages.inc()

    async def _tell_heads(self, lane: _Lane) -> None:
        """Says how far the streams reach: those relayed lately, and in turn all others of the lane."""
        now_s = asyncio.get_running_loop().time()
        if now_s < lane.heads_due:
            return
        turn = await self._pool.fetch(_HEADS, lane.number, lane.heads_from, HEADS_PER_MESSAGE)
        lately = await self._pool.fetch(_HEADS_OF, lane.number, list(lane.told))
        lane.heads_due = now_s + self._heads_every_s
        heads = [(str(row["stream"]), row["sequence"]) for row in (*turn, *lately)]
        for start in range(0, len(heads), HEADS_PER_MESSAGE):
            some = dict(heads[start : start + HEADS_PER_MESSAGE])
            body = cloudevents.control(self._service, cloudevents.HEADS, uuid7(), datetime.now(UTC), some)
            await self._publish(body, str(lane.number))
        lane.heads_from = turn[-1]["stream"] if len(turn) == HEADS_PER_MESSAGE else None
        lane.told.clear()


async def oldest_waiting_s(conn: Connection, lanes: Sequence[int]) -> float:
    """Age in seconds of the oldest event of these lanes that the broker has not confirmed; 0 if there is none."""
    age_s = await conn.fetchval(
        "select extract(epoch from now() - min(e.occurred_at))::float8 "
        "from stream_head h left join relay_cursor c using (stream) "
        "join event_log e on e.stream = h.stream and e.sequence = coalesce(c.sequence, 0) + 1 "
        "where h.lane = any($1) and h.last_sequence > coalesce(c.sequence, 0)",
        list(lanes),
    )
    return age_s or 0.0
