"""The metrics of notify: what became of notices, how long telling took, what still waits, what was answered."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import product

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from services.notify.domain.contacts import EMAIL, WEBHOOK
from services.notify.domain.delivery import Outcome
from services.notify.domain.ladder import LAPSED, REFUSED
from services.notify.store import calls
from services.notify.store.endpoints import Counts
from services.notify.store.shown import Open, Pressing


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
            "notify_deliveries_open",
            "Deliveries that wait for their time or for us, are being sent, or wait for a receipt",
            ["channel", "state"],
            registry=registry,
        )
        self.steps_ended = Counter(
            "notify_steps_ended",
            "Ways that did not lead to a receipt: refused, or lapsed when their time was over",
            ["channel", "state"],
            registry=registry,
        )
        self.misconfigured = Counter(
            "notify_misconfigured",
            "Attempts that failed because of our own account, set-up or program",
            ["channel", "reason"],
            registry=registry,
        )
        self.receipts = Counter(
            "notify_receipts", "Providers' receipts: arrived, failed, stray", ["channel", "outcome"], registry=registry
        )
        self.words = Counter(
            "notify_words",
            "What people wrote back: understood, stopped, not_understood, not_asked, stranger",
            ["channel", "became"],
            registry=registry,
        )
        self.pressing = Gauge(
            "notify_pressing",
            "Notices that wait so late that nobody may have read them by their deadline",
            registry=registry,
        )
        self.oldest_words_s = Gauge(
            "notify_words_oldest_seconds",
            "Age of the oldest words of a household or a stranger that nobody has understood or read, of the last week",
            registry=registry,
        )
        self.strays = Gauge(
            "notify_receipts_stray",
            "Receipts of the last day, older than ten minutes, that belong to no message of ours",
            ["channel"],
            registry=registry,
        )
        self.to_call = Gauge("notify_to_call", "Households that a person has to call", registry=registry)
        self.endpoints = Gauge(
            "notify_webhook_endpoints",
            "Partners' endpoints: open, failing (tried again and again), disabled (left alone)",
            ["state"],
            registry=registry,
        )
        self.oldest_webhook_s = Gauge(
            "notify_webhook_oldest_seconds", "Age of the oldest message that waits for a partner", registry=registry
        )
        self.told_s = Histogram(
            "notify_told_seconds",
            "Time from the change in the books to the receipt of the notice about it",
            ["kind"],
            registry=registry,
            buckets=(0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900, 3600, 14_400, 43_200),
        )

        self._shown: set[tuple[str, str]] = set()
        self._stray: set[str] = set()

    def attempted(self, channel: str, outcome: Outcome) -> None:
        """One attempt was saved."""
        self.attempts.labels(channel, type(outcome).__name__.lower()).inc()

    def came_to(self, kind: str, state: str) -> None:
        """One notice or message has this state now; that it waits is not counted."""
        if state != "queued":
            self.settled.labels(kind, state).inc()

    def told(self, kind: str, took: timedelta) -> None:
        """A receipt came so long after the books had changed."""
        self.told_s.labels(kind).observe(max(took.total_seconds(), 0))

    def expect(self, channels: Iterable[str]) -> None:
        """These may end steps; the first one that ends must be seen to come."""
        for place in product(channels, (LAPSED, REFUSED)):
            self.steps_ended.labels(*place)

    def ended(self, channel: str, state: str) -> None:
        """A step of the ladder is over without a receipt."""
        self.steps_ended.labels(channel, state).inc()

    def show(
        self,
        waiting: Sequence[Open],
        endpoints: Counts,
        to_call: Sequence[calls.Pressing],
        pressing: Pressing,
        now: datetime,
    ) -> None:
        """What the tables say at this moment."""
        found = {(of.channel, of.state): of for of in waiting}
        for place in {*product((EMAIL, WEBHOOK), ("queued", "sending")), *found, *self._shown}:
            self.waiting.labels(*place).set(found[place].count if place in found else 0)
        self._shown |= set(found)
        self.to_call.set(sum(of.count for of in to_call))
        self.pressing.set(pressing.notices)
        self.oldest_words_s.set(max((now - (pressing.oldest_words or now)).total_seconds(), 0))
        for channel in {*pressing.strays, *self._stray}:
            self.strays.labels(channel).set(pressing.strays.get(channel, 0))
        self._stray |= set(pressing.strays)
        oldest = min((of.oldest for of in waiting if of.channel == WEBHOOK), default=now)
        self.oldest_webhook_s.set(max((now - oldest).total_seconds(), 0))
        self.endpoints.labels("open").set(endpoints.open)
        self.endpoints.labels("failing").set(endpoints.failing)
        self.endpoints.labels("disabled").set(endpoints.disabled)
