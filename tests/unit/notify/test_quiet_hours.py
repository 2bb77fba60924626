"""Quiet hours are kept by all that goes out: by what begins, what is repeated, and what was held up on our side."""

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from services.notify.channels import Batch
from services.notify.climbing import Ladder
from services.notify.domain import samples
from services.notify.domain.contacts import QuietHours, Step
from services.notify.domain.delivery import Failed, Outcome, Postponed, Refused, Throttled
from services.notify.domain.ladder import LAPSED, QUEUED, Call, Delivery, Go, Policy, Times, climb, judge, postpone
from services.notify.domain.links import Links
from services.notify.domain.messages import Message
from services.notify.domain.notices import SETTLEMENT_DAY, Notice
from services.notify.metrics import NoticeMetrics
from services.notify.outbox import Outbox
from services.notify.store.deliveries import Claim

ZONE = "Asia/Ho_Chi_Minh"
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
NIGHT = QuietHours(time(21), time(6, 30))
EVENING = datetime(2026, 11, 23, 14, 5, tzinfo=UTC)  # 21:05 in Sơn La
MORNING = datetime(2026, 11, 23, 23, 30, tzinfo=UTC)
CALM = Times(EVENING)
METRICS = NoticeMetrics(CollectorRegistry())
HOUSEHOLD = UUID(int=9)
NOTICE = Notice(
    UUID(int=7), UUID(int=8), SETTLEMENT_DAY, samples.PERSONAL[SETTLEMENT_DAY], EVENING, household_id=HOUSEHOLD
)


class Channel:
    """Is only asked for its name."""

    resend_is_safe, tells_later = False, False

    def __init__(self, name: str) -> None:
        self.name = name

    async def send(self, messages: Sequence[Message], batch: Batch) -> None:
        raise NotImplementedError


OUTBOXES = {
    name: Outbox(Channel(name), Ladder(frozenset(), METRICS), Links("https://cho.example", ("s",)), METRICS, MINUTE)
    for name in ("zalo", "sms", "email")
}


def claim(step: Step, times: Times, now: datetime, step_by_at: datetime, attempts: int = 1) -> Claim:
    return Claim(
        notice=NOTICE, times=times, timezone=ZONE, recipient_id=HOUSEHOLD, delivery_id=UUID(int=1),
        contact_id=step.contact_id, channel=step.channel, attempts=attempts, claimed_at=now, step_by_at=step_by_at,
        replaces=False, address=step.address, to_name=step.display_name, language=step.language, quiet=step.quiet,
    )  # fmt: skip


def way(channel: str, quiet: QuietHours | None = NIGHT, contact: int = 1) -> Step:
    return Step(UUID(int=contact), "Sùng A Dơ", "vi", quiet, channel, "+84912345678")


def wanting(quiet: QuietHours | None, step: Step) -> Step:
    return way(step.channel, quiet, step.contact_id.int)


def test_what_is_due_in_quiet_hours_waits_for_their_end_and_has_as_much_time_then_as_was_left() -> None:
    outcome = OUTBOXES["sms"].compose(claim(way("sms"), CALM, EVENING, EVENING + 4 * MINUTE, attempts=3))
    assert outcome == Postponed(MORNING, MORNING + 4 * MINUTE)
    verdict = judge(outcome, 3, EVENING + 4 * MINUTE, False, True, EVENING)
    assert (verdict.state, verdict.attempts, verdict.next_at) == (QUEUED, 2, MORNING)
    assert verdict.step_by_at == MORNING + 4 * MINUTE


@pytest.mark.parametrize(
    ("channel", "quiet", "alarm_at"),
    [("email", NIGHT, None), ("sms", None, None), ("sms", NIGHT, MORNING), ("sms", QuietHours(time(5), time(6)), None)],
)
def test_what_wakes_nobody_or_would_come_too_late_goes_out(
    channel: str, quiet: QuietHours | None, alarm_at: datetime | None
) -> None:
    of = claim(way(channel, quiet), Times(EVENING, alarm_at), EVENING, EVENING + 4 * MINUTE)
    assert isinstance(OUTBOXES[channel].compose(of), Message)


def test_what_waited_for_quiet_hours_is_not_sent_after_it_is_of_no_use() -> None:
    expires_at = MORNING + MINUTE
    found = postpone("sms", NIGHT, Times(EVENING, None, expires_at), ZONE, EVENING + HOUR, EVENING)
    assert found == Postponed(MORNING, expires_at)
    too_late = postpone("sms", NIGHT, Times(EVENING, None, MORNING), ZONE, EVENING + HOUR, EVENING)
    assert too_late is not None
    assert judge(too_late, 1, EVENING + HOUR, False, True, EVENING).state == LAPSED


OUTCOMES: tuple[Outcome, ...] = (
    Failed("http_500"), Throttled("http_429", 9 * HOUR, asked=True), Throttled("http_429", MINUTE, asked=False),
    Refused("http_400"),
)  # fmt: skip
quiets = st.none() | st.builds(QuietHours, *[st.integers(0, 23).map(time)] * 2)


@given(
    st.permutations([way(channel, None, contact) for contact in (1, 2) for channel in OUTBOXES]),
    quiets,
    st.lists(st.tuples(st.integers(0, 48), quiets), max_size=3),
    st.none() | st.integers(-60, 1200),
    st.data(),
)
def test_nothing_that_wakes_people_goes_out_in_quiet_hours_unless_they_last_beyond_the_alarm(
    ways: list[Step], first: QuietHours | None, changes: list[tuple[int, QuietHours | None]], alarm_in: int | None,
    data: st.DataObject,
) -> None:  # fmt: skip
    """Providers fail, ask to wait, the process is away for hours, and people change their quiet hours meanwhile."""
    alarm_at = None if alarm_in is None else EVENING + alarm_in * MINUTE
    times = Times(EVENING, alarm_at, None if alarm_at is None else alarm_at + HOUR)
    made: dict[UUID, Delivery] = {}
    now = EVENING - 20 * MINUTE

    def wanted() -> QuietHours | None:
        return next((quiet for after, quiet in reversed(changes) if EVENING + after * HOUR <= now), first)

    for number in range(4000):
        steps = [wanting(wanted(), step) for step in ways]
        decision = climb(steps, tuple(made.values()), Policy(), times, ZONE, now)
        for late in decision.lapsed:
            made[late] = Delivery(late, made[late].contact_id, made[late].channel, LAPSED, made[late].step_by_at)
        if isinstance(decision.next, Call):
            return
        if isinstance(decision.next, Go):
            go, attempts = decision.next, 0
            current = Delivery(UUID(int=number), go.step.contact_id, go.step.channel, QUEUED, go.step_by_at)
            next_at = go.begin_at
        held_up = data.draw(st.sampled_from([0, 0, 0, 7, 500])) * MINUTE
        now = min(max(now, next_at) + held_up, current.step_by_at)
        if now < current.step_by_at:
            quiet, step = wanted(), way(current.channel, wanted(), current.contact_id.int)
            composed = OUTBOXES[step.channel].compose(claim(step, times, now, current.step_by_at, attempts + 1))
            if isinstance(composed, Message):
                over_at = quiet.over_at(now, ZONE) if quiet else None
                may_wait = over_at is not None and (alarm_at is None or over_at < alarm_at)
                assert step.channel == "email" or not may_wait
                outcome = data.draw(st.sampled_from(OUTCOMES))
            else:
                assert isinstance(composed, Postponed)
                outcome = composed
            verdict = judge(outcome, attempts + 1, current.step_by_at, False, True, now)
            if isinstance(outcome, Postponed):
                assert (verdict.state, verdict.attempts) == (QUEUED, attempts), "it has lost nothing by waiting"
                left = current.step_by_at - now
                assert verdict.step_by_at in (verdict.next_at + left, times.expires_at)
            attempts, next_at = verdict.attempts, verdict.next_at
            current = Delivery(
                current.delivery_id, current.contact_id, current.channel, verdict.state, verdict.step_by_at
            )
        made[current.delivery_id] = current
    raise AssertionError("no end")
