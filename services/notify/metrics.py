"""The metrics of notify: what became of notices, how long telling took, what still waits, what was answered."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class NoticeMetrics:
    """Registered beside those of the chassis. `settled` counts every notice that came to a state."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.settled = Counter(
            "notify_notices_settled",
            "Notices by what became of them: told, undeliverable, unknown, superseded",
            ["kind", "state"],
            registry=registry,
        )
        self.attempts = Counter(
            "notify_attempts", "Attempts to send by what came of them", ["channel", "outcome"], registry=registry
        )
        self.replies = Counter(
            "notify_replies", "Answers of households: confirm, less, cannot", ["answer"], registry=registry
        )
        self.waiting = Gauge(
            "notify_deliveries_open", "Deliveries that wait or are being sent", ["channel", "state"], registry=registry
        )
        self.told_s = Histogram(
            "notify_told_seconds",
            "Time from the change in the books to the receipt of the notice about it",
            ["kind"],
            registry=registry,
            buckets=(0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 14_400, 43_200),
        )
