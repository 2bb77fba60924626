"""How a partner's endpoint fares: when it is given a pause, when it is given up, and which secrets sign for it.

It is given up when nothing has got through for five days and at least ten attempts in a row have failed. The endpoint
is judged and not the message: one that an endpoint cannot digest uses up its own schedule (75 hours), while others
that get through show that somebody listens. Five days outlast a long weekend, and ten attempts are a whole schedule, so
that a single failure before a quiet week does not count. The specification recommends to disable what fails
"consistently over a long period of time", and to say so by another channel.
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

from services.notify.domain.delivery import Accepted, Failed, Outcome, Refused, Throttled

LASTING = timedelta(days=5)
LEAST_FAILURES = 10

SHORTEST_PAUSE, LONGEST_PAUSE = timedelta(seconds=5), timedelta(hours=24)
"""However short or long a pause an endpoint asks for. The longest is also the last wait of the schedule."""
USUAL_PAUSE = timedelta(seconds=30)
"""Where it seems to be overloaded and asks for none."""

TIMED_OUT = "timed_out"
"""The reason of an attempt that nobody answered in time."""
HANGING = 3
"""After so many rounds in a row without any answer an endpoint has a pause, and then one message at a time."""
LONGEST_WAIT = timedelta(minutes=15)
"""The longest pause of an endpoint that hangs: so late at most is it noticed that it answers again."""

GONE, LASTING_FAILURE = "endpoint_gone", "lasting_failure"
"""Why an endpoint is disabled: it answered 410, or nothing got through for too long."""


def pause(asked: timedelta) -> timedelta:
    """What is granted of the pause that an endpoint asks for."""
    return min(max(asked, SHORTEST_PAUSE), LONGEST_PAUSE)


def wait(timeouts: int) -> timedelta:
    """The pause of an endpoint that hangs: 30 s, doubling to 15 min."""
    return min(USUAL_PAUSE * (1 << min(timeouts - HANGING, 10)), LONGEST_WAIT)


@dataclass(frozen=True, slots=True)
class Health:
    """`failures` in a row since `failing_since`; the last of them for the reason `last_failure`.

    `timeouts`: rounds in a row of which nothing came but timeouts. Attempts side by side are one round, since one bad
    moment of the network lets them all fail.
    """

    failing_since: datetime | None = None
    failures: int = 0
    last_failure: str | None = None
    throttled_until: datetime | None = None
    disabled_at: datetime | None = None
    disabled_reason: str | None = None
    timeouts: int = 0

    def after(self, outcomes: Sequence[Outcome], now: datetime) -> "Health":
        """What attempts that ran side by side make of it: one that got through outweighs those that did not."""
        if self.disabled_at is not None:
            return self
        if any(isinstance(outcome, Refused) and outcome.gone for outcome in outcomes):
            return replace(self, disabled_at=now, disabled_reason=GONE, last_failure="http_410", throttled_until=None)
        pauses = [outcome.pause for outcome in outcomes if isinstance(outcome, Throttled)]
        throttled = replace(self, throttled_until=self._throttled_until(now + max(pauses))) if pauses else self
        if any(isinstance(outcome, Accepted) for outcome in outcomes):
            return replace(throttled, failing_since=None, failures=0, last_failure=None, timeouts=0)
        reasons = [
            outcome.reason
            for outcome in outcomes
            if isinstance(outcome, Throttled) or (isinstance(outcome, Failed) and not outcome.ours)
        ]  # what a crash of ours interrupted, or we could not word, says nothing about the endpoint
        return throttled._failed(reasons, now) if reasons else self

    def _throttled_until(self, until: datetime) -> datetime:
        return max(until, self.throttled_until) if self.throttled_until else until

    def _failed(self, reasons: Sequence[str], now: datetime) -> "Health":
        since, failures = self.failing_since or now, self.failures + len(reasons)
        timeouts = self.timeouts + 1 if all(reason == TIMED_OUT for reason in reasons) else 0
        failing = replace(self, failing_since=since, failures=failures, last_failure=reasons[-1], timeouts=timeouts)
        if failures >= LEAST_FAILURES and now - since >= LASTING:
            return replace(failing, disabled_at=now, disabled_reason=LASTING_FAILURE, throttled_until=None)
        if timeouts >= HANGING:
            return replace(failing, throttled_until=self._throttled_until(now + wait(timeouts)))
        return failing


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a partner takes messages about the orders of one cooperative, and what they are signed with."""

    cooperative_id: UUID
    partner_id: UUID
    url: str = field(repr=False)
    secret: str = field(repr=False)
    old_secret: str | None = field(default=None, repr=False)
    old_secret_until: datetime | None = None
    health: Health = Health()

    @property
    def disabled(self) -> bool:
        """Nothing is sent there until it is set again or enabled."""
        return self.health.disabled_at is not None

    def secrets(self, now: datetime) -> tuple[str, ...]:
        """What signs now: the secret, and beside it the one before while the partner changes over."""
        if self.old_secret is None or self.old_secret_until is None or self.old_secret_until <= now:
            return (self.secret,)
        return self.secret, self.old_secret


@dataclass(frozen=True, slots=True)
class Sent:
    """A message to a partner as far as resending it goes; `overtaken_by` is a newer one that says all of it."""

    state: str
    overtaken_by: UUID | None


def resend_fault(sent: Sent, endpoint: Endpoint | None) -> str | None:
    """Why a message cannot be sent again now, and what to do; None where it can."""
    if sent.overtaken_by is not None:
        return f"A newer message says all of this one: resend {sent.overtaken_by}."
    if sent.state == "superseded":
        return "A newer message has taken its place."
    if sent.state == "sending":
        return "It is being sent at this moment; look again in a minute."
    if endpoint is None:
        return "The partner has no webhook any more; set one first."
    return "The webhook is disabled; enable it or set it again first." if endpoint.disabled else None
