"""The ladder: by which way a notice goes next, until when that way has time, and when a person has to call instead.

One way is under way at a time. The next one begins when the last one is certain not to have arrived, or has had its
time without a receipt; a way whose outcome nobody knows is the last, because another one might tell the same twice.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from services.notify.domain.contacts import EMAIL, WEBHOOK, QuietHours, Step
from services.notify.domain.delivery import (
    Accepted,
    Failed,
    NotBegun,
    Outcome,
    Overtaken,
    Postponed,
    Refused,
    Sent,
    Throttled,
    Unknown,
    kept,
)

QUEUED, SENDING, SENT, UNKNOWN = "queued", "sending", "sent", "unknown"
TOLD, REFUSED, LAPSED, SUPERSEDED = "told", "refused", "lapsed", "superseded"
"""What a delivery can be. `sent`: the provider has it and a receipt is awaited; `lapsed`: it has had its time."""

WAITING = (QUEUED, SENT, UNKNOWN)
"""These have until the end of their step."""

SILENT = frozenset({EMAIL, WEBHOOK})
"""Channels that wake nobody, and need not wait for quiet hours to end."""

SHORTEST_STEP = timedelta(minutes=2)
LAST_STEP = timedelta(hours=12)
"""The last way has nothing after it, and goes on trying while a person calls."""

_WAITS = tuple(timedelta(seconds=s) for s in (30, 60, 120, 240, 480, 900))


@dataclass(frozen=True, slots=True)
class Policy:
    """What a cooperative sets: how long one way has, when people call, how long changes gather, when to remind."""

    step: timedelta = timedelta(minutes=15)
    call_before: timedelta = timedelta(minutes=45)
    gather: timedelta = timedelta(0)
    remind_before: timedelta = timedelta(minutes=90)


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of one way so far; `step_by_at` is until when it has time."""

    delivery_id: UUID
    contact_id: UUID
    channel: str
    state: str
    step_by_at: datetime
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """Something is under way."""


@dataclass(frozen=True, slots=True)
class Go:
    """By this way next; not before `begin_at`, and with time until `step_by_at`."""

    step: Step
    begin_at: datetime
    step_by_at: datetime


@dataclass(frozen=True, slots=True)
class Call:
    """No channel is left: `undeliverable` is certain, `unknown` may have arrived. A person calls."""

    state: str
    reason: str


@dataclass(frozen=True, slots=True)
class LetGo:
    """A newer notice says all that this one could."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What is next, which deliveries have had their time, and which are not needed any more."""

    next: Wait | Go | Call | LetGo
    lapsed: tuple[UUID, ...] = ()
    superseded: tuple[UUID, ...] = ()


@dataclass(frozen=True, slots=True)
class Times:
    """When a notice may begin to go out, from when on a person is to tell it, and after when it is of no use."""

    not_before: datetime
    alarm_at: datetime | None = None
    expires_at: datetime | None = None


def times(
    made_at: datetime, gather: timedelta, reply_by_at: datetime | None, arrive_by_at: datetime | None, policy: Policy
) -> Times:
    """Of a notice that was made then; `arrive_by_at` is when the last of its goods must be there, if there are any.

    The alarm comes so long before the last moment to answer (or, where no answer is asked for, before the goods must
    be there) that there is time to call, but not before the first way had its time; where so much is not left, half of
    what is left is for calling. Without a deadline it does not press.
    """
    deadline = reply_by_at or arrive_by_at
    if deadline is None:
        return Times(made_at + gather)
    half = (deadline - made_at) / 2
    alarm_at = max(deadline - max(policy.call_before, SHORTEST_STEP), made_at + min(policy.step, half))
    return Times(made_at + min(gather, max(half, timedelta(0))), alarm_at, arrive_by_at)


def different(steps: Iterable[Step]) -> list[Step]:
    """Members of a household may share a telephone: the same message does not go to the same place again."""
    first: dict[tuple[str, str], Step] = {}
    for step in steps:
        first.setdefault((step.channel, step.address), step)
    return list(first.values())


def climb(
    steps: Sequence[Step],
    deliveries: Collection[Delivery],
    policy: Policy,
    times: Times,
    timezone: str,
    now: datetime,
) -> Decision:
    """What is next for a notice that has not been told."""
    late = [d for d in deliveries if d.state in WAITING and d.step_by_at <= now]
    lapsed = tuple(d.delivery_id for d in late)
    if any(d.state == UNKNOWN for d in late):
        return Decision(Call("unknown", "outcome_unknown"), lapsed)
    if any(d.state in (*WAITING, SENDING) and d not in late for d in deliveries):
        return Decision(Wait(), lapsed)
    tried = {(d.contact_id, d.channel) for d in deliveries if d.state != SUPERSEDED}
    left = [step for step in steps if (step.contact_id, step.channel) not in tried]
    following = _go(left, policy, times, timezone, now) if left else None
    if following is not None:
        return Decision(following, lapsed)
    return Decision(Call("undeliverable", _why_not(deliveries) or ("too_late" if steps else "no_contact")), lapsed)


def let_go(deliveries: Collection[Delivery], now: datetime) -> Decision:
    """What is next for a notice that a newer one overtook: what is with a provider still has its time."""
    lapsed = tuple(d.delivery_id for d in deliveries if d.state in (SENT, UNKNOWN) and d.step_by_at <= now)
    superseded = tuple(d.delivery_id for d in deliveries if d.state == QUEUED)
    is_out = any(d.state in (SENDING, SENT, UNKNOWN) and d.delivery_id not in lapsed for d in deliveries)
    return Decision(Wait() if is_out else LetGo(), lapsed, superseded)


def quiet_until(channel: str, quiet: QuietHours | None, times: Times, timezone: str, at: datetime) -> datetime | None:
    """Until when a message by this channel has to wait that could go out at that time; None: it need not wait."""
    over_at = None if quiet is None or channel in SILENT else quiet.over_at(at, timezone)
    return over_at if over_at is not None and (times.alarm_at is None or over_at < times.alarm_at) else None


def postpone(
    channel: str, quiet: QuietHours | None, times: Times, timezone: str, step_by_at: datetime, now: datetime
) -> Postponed | None:
    """Where quiet hours reign when a message is about to go out. What is left of its step is left after them too."""
    over_at = quiet_until(channel, quiet, times, timezone, now)
    if over_at is None:
        return None
    step_by_at += over_at - now
    return Postponed(over_at, step_by_at if times.expires_at is None else min(step_by_at, times.expires_at))


def _go(left: Sequence[Step], policy: Policy, times: Times, timezone: str, now: datetime) -> Go | None:
    """None: it would come too late to be of use."""
    step, begin_at, alarm_at = left[0], max(now, times.not_before), times.alarm_at
    begin_at = quiet_until(step.channel, step.quiet, times, timezone, begin_at) or begin_at
    span = LAST_STEP if len(left) == 1 else policy.step
    if alarm_at is not None and len(left) > 1:
        span = min(span, max((alarm_at - begin_at) // len(left), SHORTEST_STEP))
    step_by_at = begin_at + span if times.expires_at is None else min(begin_at + span, times.expires_at)
    return Go(step, begin_at, step_by_at) if begin_at < step_by_at else None


def _why_not(deliveries: Collection[Delivery]) -> str | None:
    tried = [d for d in deliveries if d.state in (REFUSED, LAPSED, QUEUED, SENT)]
    if not tried:
        return None
    last = max(tried, key=lambda d: d.step_by_at)
    return last.reason or ("no_receipt" if last.state != REFUSED else "refused")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a delivery after an attempt. `told_at` is when the receipt came, `receipt` its own words."""

    state: str
    attempts: int
    next_at: datetime
    step_by_at: datetime
    reason: str | None = None
    provider_id: str | None = None
    receipt: str | None = None
    told_at: datetime | None = None


def judge(
    outcome: Outcome, attempts: int, step_by_at: datetime, resend_is_safe: bool, receipt_may_come: bool, now: datetime
) -> Verdict:
    """`attempts` counts the one that came to this outcome.

    A wait that would outlast the step ends it: the next way is sooner. A message that went out at the very end of its
    step still has time for its receipt. An unknown outcome waits for a receipt where one may come, and is repeated
    where the receiver knows repetitions.
    """
    match outcome:
        case Accepted(at, receipt):
            return Verdict(TOLD, attempts, now, step_by_at, receipt=kept(receipt), told_at=at)
        case Sent(provider_id):
            return Verdict(SENT, attempts, now, max(step_by_at, now + SHORTEST_STEP), provider_id=kept(provider_id))
        case Refused(reason):
            return Verdict(REFUSED, attempts, now, step_by_at, reason)
        case Overtaken():
            return Verdict(SUPERSEDED, attempts - 1, now, step_by_at)
        case NotBegun():
            return Verdict(QUEUED, attempts - 1, now, step_by_at)
        case Unknown(reason) if not resend_is_safe:
            return Verdict(UNKNOWN, attempts, now, step_by_at if receipt_may_come else min(step_by_at, now), reason)
        case Postponed(begin_at, until):
            return Verdict(QUEUED if begin_at < until else LAPSED, attempts - 1, begin_at, until)
        case Throttled(reason, pause, asked=True):
            again_at, attempts = now + pause, attempts - 1
        case Unknown(reason) | Failed(reason) | Throttled(reason):
            again_at = now + _WAITS[min(attempts, len(_WAITS)) - 1]
    return Verdict(QUEUED if again_at < step_by_at else LAPSED, attempts, again_at, step_by_at, reason)
