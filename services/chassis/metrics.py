"""All metrics of the chassis. Counters are kept as things happen; what the tables say is read at the scrape."""

import asyncpg
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

disable_created_metrics()  # type: ignore[no-untyped-call]  # twice the series for nothing that anybody reads

_STATE = """
select 'produced', '', coalesce(sum(last_sequence), 0)::float8 from stream_head
union all
select 'unrelayed', '', coalesce(sum(h.last_sequence - coalesce(c.sequence, 0)), 0)::float8
    from stream_head h left join relay_cursor c using (stream) where h.last_sequence > coalesce(c.sequence, 0)
union all
select 'unrelayed_s', '', coalesce(extract(epoch from now() - min(e.occurred_at)), 0)::float8
    from stream_head h left join relay_cursor c using (stream)
    join event_log e on e.stream = h.stream and e.sequence = coalesce(c.sequence, 0) + 1
    where h.last_sequence > coalesce(c.sequence, 0)
union all
select 'applied', producer, sum(sequence)::float8 from consumer_cursor group by producer
union all
select 'lag', producer, sum(greatest(head - sequence, 0))::float8 from consumer_cursor group by producer
union all
select 'lag_s', producer, coalesce(extract(epoch from now() - min(behind_since)), 0)::float8
    from consumer_cursor group by producer
union all
select 'parked', status, count(*)::float8 from parked_event group by status
union all
select 'parked_s', '', coalesce(extract(epoch from now() - min(parked_at)), 0)::float8 from parked_event
union all
select 'rejected', '', count(*)::float8 from rejected_message
"""


class Metrics:
    """One registry per process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        r = self.registry
        self.applied = Counter("consumer_applied_events", "Events applied", ["producer"], registry=r)
        self.duplicates = Counter("consumer_duplicate_events", "Events dropped as known", registry=r)
        self.parked = Counter("consumer_parked_events", "Events that came before they could be applied", registry=r)
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
        self._produced = Gauge("event_log_produced_events", "Events ever appended", registry=r)
        self._unrelayed = Gauge("event_log_unrelayed_events", "Events that the broker has not confirmed", registry=r)
        self._unrelayed_s = Gauge("event_log_oldest_unrelayed_seconds", "Age of the oldest of them", registry=r)
        self._applied = Gauge("consumer_cursor_events", "Sum of cursors", ["producer"], registry=r)
        self._lag = Gauge("consumer_lag_events", "Events known to exist and not applied", ["producer"], registry=r)
        self._lag_s = Gauge("consumer_lag_seconds", "Longest time a stream is behind", ["producer"], registry=r)
        self._parked = Gauge("parked_events", "Parked events", ["status"], registry=r)
        self._parked_s = Gauge("parked_oldest_seconds", "Age of the oldest parked event", registry=r)
        self._rejected = Gauge("rejected_messages", "Messages that could not be read", registry=r)

    async def refresh(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        """Reads the gauges that live in tables. Raises what the database raises."""
        plain = {
            "produced": self._produced,
            "unrelayed": self._unrelayed,
            "unrelayed_s": self._unrelayed_s,
            "parked_s": self._parked_s,
            "rejected": self._rejected,
        }
        labelled = {"applied": self._applied, "lag": self._lag, "lag_s": self._lag_s, "parked": self._parked}
        for status in ("waiting", "retry", "quarantined"):
            self._parked.labels(status).set(0)
        for name, label, value in await pool.fetch(_STATE, timeout=5):
            if name in plain:
                plain[name].set(value)
            else:
                labelled[name].labels(label).set(value)
