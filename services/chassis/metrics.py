"""All metrics of the chassis. Counters are kept as things happen; what the tables say is read at the scrape.

What is read replaces all that was read before, in one piece: a lease holder or a lane that is gone leaves no series
behind, and while the database is away there are none. All processes of a service read the same tables, so a sum over
them is wrong; see infra/prometheus/rules.yml.
"""

from collections.abc import Iterable, Iterator, Sequence

import asyncpg
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from services.chassis.faults import Unsettled
from services.chassis.lanes import shared_lane

disable_created_metrics()  # type: ignore[no-untyped-call]  # twice the series for nothing that anybody reads

STATUSES = ("waiting", "retry", "quarantined")

TABLES: dict[str, tuple[str, tuple[str, ...]]] = {
    "event_log_produced_events": ("Events ever appended", ("lane",)),
    "event_log_unrelayed_events": ("Events that the broker has not confirmed", ()),
    "event_log_oldest_unrelayed_seconds": ("Age of the oldest of them", ()),
    "event_log_lost_events": ("Events published by an earlier incarnation of the database and not in this one", ()),
    "relay_lease_seconds_left": (
        "How long the lane's lease still lasts; negative: it has run out",
        ("lane", "holder"),
    ),
    "consumer_cursor_events": ("Events applied, or skipped by an operator: the sum of cursors", ("producer", "lane")),
    "consumer_lag_events": ("Events known to exist and not applied", ("producer",)),
    "consumer_lag_seconds": ("Longest time that a stream is behind without progress", ("producer",)),
    "consumer_ahead_streams": ("Streams that end at the producer before what was applied here", ("producer",)),
    "parked_events": ("Events that came and are not applied yet", ("producer", "lane", "status")),
    "parked_oldest_seconds": ("Age of the oldest of them", ()),
    "quarantined_oldest_seconds": ("Age of the oldest quarantined event", ()),
    "rejected_messages": ("Messages ever set aside because they could not be read or trusted", ()),
    "incarnation_settled": ("1 where the database is the one that its readers know", ()),
}
"""Every metric that is read from the tables: what it says, and its labels."""

# The lane of a stream is always that of the service's own stream_head. A reader that does not know the cooperative yet
# has none, and the stream is where its hash puts it: those streams come one by one. While a cooperative moves, its
# services change lanes one after the other; so produced = applied + parked + in flight holds per lane between moves,
# and summed over the lanes always.
_LOG = """
select h.lane, sum(h.last_sequence)::float8 as produced,
    sum(greatest(h.last_sequence - coalesce(c.sequence, 0), 0))::float8 as unrelayed
from stream_head h left join relay_cursor c using (stream) group by h.lane
"""
_OLDEST = """
select coalesce(extract(epoch from now() - min(e.occurred_at)), 0)::float8
from stream_head h left join relay_cursor c using (stream)
join event_log e on e.stream = h.stream and e.sequence = coalesce(c.sequence, 0) + 1
where h.last_sequence > coalesce(c.sequence, 0)
"""
_CURSORS = """
select c.producer, h.lane, case when h.lane is null then c.stream end as stream, sum(c.sequence)::float8 as applied,
    sum(greatest(c.head - c.sequence, 0))::float8 as behind,
    coalesce(extract(epoch from now() - min(c.behind_since)), 0)::float8 as behind_s,
    count(c.ahead_since)::float8 as ahead
from consumer_cursor c left join stream_head h using (stream) where c.producer <> $1 group by 1, 2, 3
"""
_PARKED = """
select p.producer, h.lane, case when h.lane is null then p.stream end as stream, p.status, count(*)::float8 as events,
    extract(epoch from now() - min(p.parked_at))::float8 as oldest_s
from parked_event p left join stream_head h using (stream) group by 1, 2, 3, 4
"""
_LEASES = "select lane, holder, extract(epoch from until - now())::float8 as left_s from relay_lease"
# Of rejected messages only the last are kept, so they are counted by their numbers.
_REST = """
select (select coalesce(sum(last_sequence - first_sequence + 1), 0)::float8 from lost_events) as lost,
    (select coalesce(max(id), 0)::float8 from rejected_message) as rejected,
    (select case when pg_is_in_recovery() then false else identity = present_identity() end
        from incarnation)::int::float8 as settled
"""


class _Tables(Collector):
    """What the tables said when they were last read; nothing, if that failed."""

    def __init__(self) -> None:
        self.families: list[GaugeMetricFamily] = []

    def collect(self) -> Iterable[Metric]:
        return self.families

    def describe(self) -> Iterable[Metric]:
        return [GaugeMetricFamily(name, text, labels=labels) for name, (text, labels) in TABLES.items()]


class Metrics:
    """One registry per process of the service `own`. `reads`: the producers whose events it takes in.

    Streams whose lane the service was not told are where their hash puts them among `shared_lanes`.
    """

    def __init__(self, reads: Sequence[str] = (), own: str = "", shared_lanes: int = 8) -> None:
        self._reads, self._own, self._shared_lanes = reads, own, shared_lanes
        self.registry = CollectorRegistry()
        r = self.registry
        self.applied = Counter("consumer_applied_events", "Events applied", ["producer"], registry=r)
        self.duplicates = Counter("consumer_duplicate_events", "Events dropped as known", registry=r)
        self.parked = Counter("consumer_parked_events", "Events that came before they could be applied", registry=r)
        self.redelivered = Counter(
            "consumer_redelivered_messages", "Messages that the broker handed out again", registry=r
        )
        self.failures = Counter("consumer_failures", "Failed attempts to apply", ["producer", "type"], registry=r)
        self.resends_requested = Counter("consumer_resends_requested", "Resends asked for", ["producer"], registry=r)
        self.resends_served = Counter("relay_resends", "Streams sent again on request", registry=r)
        self.relayed = Counter("relay_events", "Events confirmed by the broker", registry=r)
        self.messages = Counter("relay_messages", "Messages confirmed by the broker", registry=r)
        self.relay_failures = Counter("relay_failures", "Messages not confirmed or returned", ["reason"], registry=r)
        self.lease = Gauge("relay_lease_held", "1 where this process relays the lane", ["lane"], registry=r)
        self.jobs = Counter("job_runs", "Runs of periodic jobs", ["job", "outcome"], registry=r)
        self.requests = Histogram(
            "http_request_seconds",
            "Time to answer",
            ["method", "route", "status"],
            registry=r,
            buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
        )
        self._tables = _Tables()
        r.register(self._tables)

    async def refresh(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        """Reads the gauges that live in tables, as of one moment. Raises what the database raises."""
        self._tables.families = []
        try:
            async with pool.acquire(timeout=5) as conn, conn.transaction(isolation="repeatable_read", readonly=True):
                await conn.execute("set local statement_timeout = '5s'; set local enable_seqscan = on")  # whole tables
                rows = [
                    await conn.fetch(_LOG),
                    await conn.fetch(_CURSORS, self._own),
                    *[await conn.fetch(query) for query in (_PARKED, _LEASES, _REST)],
                ]
                oldest_s = await conn.fetchval(_OLDEST)
        except Unsettled:
            self._tables.families = [_family("incarnation_settled", {(): 0.0})]
            raise
        values = dict(_values(self._reads, oldest_s, self._shared_lanes, *rows))
        self._tables.families = [_family(name, values.get(name, {})) for name in TABLES]


Rows = Sequence[asyncpg.Record]
Series = dict[tuple[str, ...], float]


def _family(name: str, series: Series) -> GaugeMetricFamily:
    text, labels = TABLES[name]
    family = GaugeMetricFamily(name, text, labels=labels)
    for values, value in series.items():
        family.add_metric(values, value)
    return family


def _by_lane(rows: Rows, value: str, shared_lanes: int, *others: str) -> Series:
    """The sums of the value by producer, lane and the other labels."""
    found: Series = {}
    for row in rows:
        lane = shared_lane(row["stream"], shared_lanes) if row["lane"] is None else row["lane"]
        key = (row["producer"], str(lane), *(row[name] for name in others))
        found[key] = found.get(key, 0.0) + row[value]
    return found


def _values(
    reads: Sequence[str],
    oldest_s: float,
    shared_lanes: int,
    log: Rows,
    cursors: Rows,
    parked: Rows,
    leases: Rows,
    rest: Rows,
) -> Iterator[tuple[str, Series]]:
    """The series of every metric, by the values of its labels."""
    yield "event_log_produced_events", {(str(r["lane"]),): r["produced"] for r in log} or {("-1",): 0.0}
    yield "event_log_unrelayed_events", {(): sum(r["unrelayed"] for r in log)}
    yield "event_log_oldest_unrelayed_seconds", {(): oldest_s}
    yield "relay_lease_seconds_left", {(str(r["lane"]), r["holder"]): r["left_s"] for r in leases}
    # A producer of which nothing came yet counts with 0, so that what it has produced is seen to be missing here.
    absent = {producer for producer in reads if producer not in {r["producer"] for r in cursors}}
    applied = {(p, "-1"): 0.0 for p in absent} | _by_lane(cursors, "applied", shared_lanes)
    yield "consumer_cursor_events", applied
    by_producer = {p: [r for r in cursors if r["producer"] == p] for p, _ in applied}
    yield "consumer_lag_events", {(p,): sum(r["behind"] for r in its) for p, its in by_producer.items()}
    yield "consumer_lag_seconds", {(p,): max((r["behind_s"] for r in its), default=0) for p, its in by_producer.items()}
    yield "consumer_ahead_streams", {(p,): sum(r["ahead"] for r in its) for p, its in by_producer.items()}
    # Zeroes, so that an alert on them is seen to end.
    none: Series = {(*place, status): 0.0 for place in applied for status in STATUSES}
    yield "parked_events", none | _by_lane(parked, "events", shared_lanes, "status")
    yield "parked_oldest_seconds", {(): _oldest(parked)}
    yield "quarantined_oldest_seconds", {(): _oldest(r for r in parked if r["status"] == "quarantined")}
    yield "rejected_messages", {(): rest[0]["rejected"]}
    yield "event_log_lost_events", {(): rest[0]["lost"]}
    yield "incarnation_settled", {(): rest[0]["settled"]}


def _oldest(parked: Iterable[asyncpg.Record]) -> float:
    return max((r["oldest_s"] for r in parked), default=0.0)
