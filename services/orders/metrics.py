"""What `orders` counts: pushes, pulls, the AMQP door, and the time from a push to its promise."""

import collections
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from services.orders.desk import Taken


class OrderMetrics:
    """Registered once per process, in the registry of the chassis."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.pushes = Counter(
            "orders_pushed", "Pushes of partners by what became of them", ["adapter", "outcome"], registry=registry
        )
        self.rejected = Counter(
            "orders_amqp_rejected",
            "Messages over AMQP that were not taken, by reason",
            ["reason"],
            registry=registry,
        )
        self.amqp_door_open = Gauge(
            "orders_amqp_door_open",
            "1 while this process takes in what partners publish, 0 while it cannot",
            ["queue"],  # so that there is no sample where there is no such door
            registry=registry,
        )
        self.amqp_waiting = Gauge(
            "orders_amqp_waiting_messages",
            "Messages of partners that wait in the intake, as the broker last said to this process",
            ["queue"],
            registry=registry,
        )
        self.push_to_promise = Histogram(
            "push_to_promise_seconds",
            "Time from the first push of an order until its first promise was applied",
            registry=registry,
            buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
        )

    def count_pushes(self, adapter: str, results: Iterable[Taken | Exception]) -> None:
        """What became of pushes of one partner."""
        outcomes = collections.Counter("failed" if isinstance(it, Exception) else it.outcome for it in results)
        for outcome, pushes in outcomes.items():
            self.pushes.labels(adapter, outcome).inc(pushes)


class PullMetrics:
    """Orders that are pulled from their platforms, or asked for because a push may have been missed."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.pulls = Counter(
            "orders_pulls", "Orders asked for at their platforms by what came of it", ["adapter", "outcome"],
            registry=registry,
        )  # fmt: skip
        self.waiting = Gauge("orders_pulls_waiting", "Orders still to be pulled", ["adapter"], registry=registry)
        self.oldest_due_s = Gauge(
            "orders_pull_oldest_due_seconds",
            "Since when the oldest of them is known to have changed; without those that their platforms do not know",
            ["adapter"],
            registry=registry,
        )
        self.given_up = Gauge(
            "orders_pulls_given_up",
            "Orders that are not asked for any more; without those that their platforms do not know",
            ["adapter"],
            registry=registry,
        )
        self.reconciled = Counter(
            "orders_reconciled", "Orders read from shops by what became of them", ["outcome"], registry=registry
        )
        self.reconciliations = Counter(
            "orders_reconciliations", "Shops asked for their orders by what came of it", ["outcome"], registry=registry
        )
        self.reconciled_oldest_s = Gauge(
            "orders_reconciled_oldest_seconds",
            "The longest that a shop's orders have not been read to their end",
            registry=registry,
        )
