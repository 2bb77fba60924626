"""What follows from an attempt."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.notify.domain.delivery import (
    WEBHOOK_PLAN,
    Accepted,
    Failed,
    NotBegun,
    Overtaken,
    Refused,
    Throttled,
    Unknown,
    decide,
    email_plan,
)

QUEUED = datetime(2026, 11, 23, 10, tzinfo=UTC)
EMAIL_PLAN = email_plan(timedelta(hours=12))


def waits_until_given_up(plan_is_email: bool) -> list[float]:
    plan = EMAIL_PLAN if plan_is_email else WEBHOOK_PLAN
    now = QUEUED
    found: list[float] = []
    for attempts in range(1, 200):
        verdict = decide(Failed("smtp_451"), attempts, QUEUED, plan, now)
        if verdict.notice_state == "undeliverable":
            assert (verdict.reason, verdict.detail) == ("gave_up", "smtp_451")
            return found
        found.append((verdict.next_at - now).total_seconds())
        now = verdict.next_at
    raise AssertionError("never gave up")


def test_a_failed_letter_is_tried_for_twelve_hours_with_waits_up_to_a_quarter_of_an_hour() -> None:
    waits = waits_until_given_up(plan_is_email=True)
    assert waits[:7] == [30, 60, 120, 240, 480, 900, 900]
    assert timedelta(hours=11, minutes=45) < timedelta(seconds=sum(waits)) <= timedelta(hours=12)


def test_a_failed_webhook_follows_the_schedule_of_standard_webhooks() -> None:
    hour = 3600
    assert waits_until_given_up(plan_is_email=False) == [
        5, 300, 1800, 2 * hour, 5 * hour, 10 * hour, 14 * hour, 20 * hour, 24 * hour,
    ]  # fmt: skip


def test_told_is_the_moment_of_the_receipt() -> None:
    verdict = decide(Accepted(QUEUED, "250 ok"), 1, QUEUED, EMAIL_PLAN, QUEUED + timedelta(seconds=3))
    assert (verdict.delivery_state, verdict.notice_state, verdict.told_at) == ("told", "told", QUEUED)


def test_a_refusal_is_final() -> None:
    verdict = decide(Refused("recipient_refused"), 1, QUEUED, EMAIL_PLAN, QUEUED)
    assert (verdict.notice_state, verdict.reason, verdict.told_at) == ("undeliverable", "recipient_refused", None)


@given(st.integers(min_value=1, max_value=500), st.integers(min_value=0, max_value=100_000))
def test_a_letter_whose_outcome_is_unknown_is_never_queued_again(attempts: int, late_s: int) -> None:
    verdict = decide(Unknown(), attempts, QUEUED, EMAIL_PLAN, QUEUED + timedelta(seconds=late_s))
    assert (verdict.delivery_state, verdict.notice_state, verdict.reason) == ("unknown", "unknown", "outcome_unknown")


def test_a_webhook_whose_outcome_is_unknown_is_sent_again() -> None:
    verdict = decide(Unknown(), 1, QUEUED, WEBHOOK_PLAN, QUEUED)
    assert (verdict.notice_state, verdict.next_at) == ("queued", QUEUED + timedelta(seconds=5))


def test_an_attempt_that_was_not_begun_does_not_count() -> None:
    verdict = decide(NotBegun(), 3, QUEUED, EMAIL_PLAN, QUEUED)
    assert (verdict.notice_state, verdict.attempts, verdict.next_at) == ("queued", 2, QUEUED)


@given(st.integers(min_value=1, max_value=100), st.integers(min_value=5, max_value=86_400))
def test_a_message_that_was_asked_to_wait_loses_no_attempt_by_it(attempts: int, pause_s: int) -> None:
    pause = timedelta(seconds=pause_s)
    verdict = decide(Throttled("http_429", pause, asked=True), attempts, QUEUED, WEBHOOK_PLAN, QUEUED)
    assert (verdict.notice_state, verdict.attempts, verdict.next_at) == ("queued", attempts - 1, QUEUED + pause)
    assert (verdict.reason, verdict.detail) == (None, "http_429")


def test_an_overloaded_receiver_that_asks_for_nothing_gets_the_schedule() -> None:
    throttled = Throttled("http_502", timedelta(seconds=30), asked=False)
    verdict = decide(throttled, 1, QUEUED, WEBHOOK_PLAN, QUEUED)
    assert (verdict.attempts, verdict.next_at) == (1, QUEUED + timedelta(seconds=5))
    assert decide(throttled, 10, QUEUED, WEBHOOK_PLAN, QUEUED).reason == "gave_up"


def test_an_overtaken_message_is_let_go_without_an_attempt() -> None:
    verdict = decide(Overtaken(), 1, QUEUED, WEBHOOK_PLAN, QUEUED)
    assert (verdict.delivery_state, verdict.notice_state, verdict.attempts) == ("superseded", "superseded", 0)
    assert (verdict.told_at, verdict.reason) == (None, None)
