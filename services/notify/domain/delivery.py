"""What an attempt to send came to, and what follows: told, again later, given up, overtaken, or unknown.

The rule that keeps a household from being told twice: an attempt whose outcome nobody knows is never repeated,
unless the receiver recognises a repetition (`resend_is_safe`).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Accepted:
    """The channel's receipt, and when it came."""

    at: datetime
    receipt: str


@dataclass(frozen=True, slots=True)
class Sent:
    """The provider took it. Whether it arrived it says later, in a receipt under its own id or under ours."""

    provider_id: str


@dataclass(frozen=True, slots=True)
class Failed:
    """Certainly not delivered; another attempt may help. `ours`: the receiver was not even asked."""

    reason: str
    ours: bool = False


@dataclass(frozen=True, slots=True)
class Throttled:
    """Certainly not delivered; the receiver is not to be sent anything for a while.

    `asked`: it said itself for how long, so the attempt is not held against the message.
    """

    reason: str
    pause: timedelta
    asked: bool


@dataclass(frozen=True, slots=True)
class Refused:
    """Certainly not delivered, and another attempt is no use. `gone`: nothing should ever be sent there again.

    `ours`: our own account or set-up is at fault (no balance, a template that is not approved), which an operator has
    to see to; the receiver is not to blame.
    """

    reason: str
    gone: bool = False
    ours: bool = False


@dataclass(frozen=True, slots=True)
class Unknown:
    """It may have been delivered or not."""

    reason: str = "outcome_unknown"


@dataclass(frozen=True, slots=True)
class NotBegun:
    """The attempt was not made: the process stops, or the batch took too long."""


@dataclass(frozen=True, slots=True)
class Overtaken:
    """The attempt was not made: a newer message says all that this one could."""


Outcome = Accepted | Sent | Failed | Throttled | Refused | Unknown | NotBegun | Overtaken


@dataclass(frozen=True, slots=True)
class RetryPlan:
    """The waits between attempts. With `give_up_after` (since queued) the last wait repeats until then."""

    waits: tuple[timedelta, ...]
    give_up_after: timedelta | None
    resend_is_safe: bool

    def next_at(self, attempts: int, queued_at: datetime, now: datetime) -> datetime | None:
        """When to try again after `attempts` attempts; None means: give up."""
        if self.give_up_after is None:
            return now + self.waits[attempts - 1] if attempts <= len(self.waits) else None
        again_at = now + self.waits[min(attempts, len(self.waits)) - 1]
        return again_at if again_at <= queued_at + self.give_up_after else None


def email_plan(give_up_after: timedelta) -> RetryPlan:
    """30 s, doubling to 15 min, as long as the cooperative wants to wait."""
    waits = tuple(timedelta(seconds=s) for s in (30, 60, 120, 240, 480, 900))
    return RetryPlan(waits, give_up_after, resend_is_safe=False)


WEBHOOK_PLAN = RetryPlan(
    (
        timedelta(seconds=5), timedelta(minutes=5), timedelta(minutes=30), timedelta(hours=2), timedelta(hours=5),
        timedelta(hours=10), timedelta(hours=14), timedelta(hours=20), timedelta(hours=24),
    ),
    give_up_after=None,
    resend_is_safe=True,
)  # fmt: skip
"""The schedule of Standard Webhooks; `webhook-id` stays the same, so that a receiver knows a repetition."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a delivery, and of its notice. `reason` is the notice's, `detail` the delivery's."""

    delivery_state: str
    notice_state: str
    attempts: int
    next_at: datetime
    reason: str | None = None
    detail: str | None = None
    receipt: str | None = None
    told_at: datetime | None = None


def decide(outcome: Outcome, attempts: int, queued_at: datetime, plan: RetryPlan, now: datetime) -> Verdict:
    """`attempts` counts the one that came to this outcome."""
    match outcome:
        case Accepted(at, receipt):
            return Verdict("told", "told", attempts, now, receipt=receipt, told_at=at)
        case Sent(provider_id):
            return Verdict("sent", "queued", attempts, now, receipt=provider_id)
        case Refused(reason):
            return Verdict("refused", "undeliverable", attempts, now, reason, reason)
        case NotBegun():
            return Verdict("queued", "queued", attempts - 1, now)
        case Overtaken():
            return Verdict("superseded", "superseded", attempts - 1, now)
        case Throttled(reason, pause, asked=True):
            return Verdict("queued", "queued", attempts - 1, now + pause, detail=reason)
        case Unknown(reason) if not plan.resend_is_safe:
            return Verdict("unknown", "unknown", attempts, now, reason, reason)
        case Unknown(reason) | Failed(reason) | Throttled(reason):
            again_at = plan.next_at(attempts, queued_at, now)
            if again_at is None:
                return Verdict("refused", "undeliverable", attempts, now, "gave_up", reason)
            return Verdict("queued", "queued", attempts, again_at, detail=reason)
