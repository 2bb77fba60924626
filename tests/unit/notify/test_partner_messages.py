"""What follows from an attempt to send a message to a partner. For notices, see test_ladder.py."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.notify.domain.delivery import Accepted, Failed, NotBegun, Overtaken, Refused, Throttled, Unknown
from services.notify.domain.partner_messages import decide

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
HOUR = 3600


def test_a_failed_webhook_follows_the_schedule_of_standard_webhooks() -> None:
    found: list[float] = []
    for attempts in range(1, 10):
        verdict = decide(Failed("http_500"), attempts, NOW)
        assert (verdict.state, verdict.reason) == ("queued", None)
        found.append((verdict.next_at - NOW).total_seconds())
    assert found == [5, 300, 1800, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR]
    last = decide(Failed("http_500"), 10, NOW)
    assert (last.state, last.reason, last.detail) == ("undeliverable", "gave_up", "http_500")


def test_told_is_the_moment_of_the_receipt() -> None:
    verdict = decide(Accepted(NOW, "http_204"), 1, NOW + timedelta(seconds=3))
    assert (verdict.state, verdict.told_at, verdict.receipt) == ("told", NOW, "http_204")


def test_a_refusal_is_final() -> None:
    verdict = decide(Refused("endpoint_gone", gone=True), 1, NOW)
    assert (verdict.state, verdict.reason, verdict.told_at) == ("undeliverable", "endpoint_gone", None)


def test_a_webhook_whose_outcome_is_unknown_is_sent_again() -> None:
    verdict = decide(Unknown(), 1, NOW)
    assert (verdict.state, verdict.next_at) == ("queued", NOW + timedelta(seconds=5))


def test_an_attempt_that_was_not_begun_does_not_count() -> None:
    verdict = decide(NotBegun(), 3, NOW)
    assert (verdict.state, verdict.attempts, verdict.next_at) == ("queued", 2, NOW)


@given(st.integers(min_value=1, max_value=100), st.integers(min_value=5, max_value=86_400))
def test_a_message_that_was_asked_to_wait_loses_no_attempt_by_it(attempts: int, pause_s: int) -> None:
    pause = timedelta(seconds=pause_s)
    verdict = decide(Throttled("http_429", pause, asked=True), attempts, NOW)
    assert (verdict.state, verdict.attempts, verdict.next_at) == ("queued", attempts - 1, NOW + pause)
    assert (verdict.reason, verdict.detail) == (None, "http_429")


def test_an_overloaded_receiver_that_asks_for_nothing_gets_the_schedule() -> None:
    throttled = Throttled("http_502", timedelta(seconds=30), asked=False)
    verdict = decide(throttled, 1, NOW)
    assert (verdict.attempts, verdict.next_at) == (1, NOW + timedelta(seconds=5))
    assert decide(throttled, 10, NOW).reason == "gave_up"


def test_an_overtaken_message_is_let_go_without_an_attempt() -> None:
    verdict = decide(Overtaken(), 1, NOW)
    assert (verdict.state, verdict.attempts, verdict.told_at, verdict.reason) == ("superseded", 0, None, None)
