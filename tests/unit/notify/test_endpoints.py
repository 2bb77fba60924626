"""When an endpoint is given a pause, when it is given up, and what signs for it."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.chassis.outbound import Answer
from services.notify.channels.webhook import judge, retry_after
from services.notify.domain.delivery import (
    Accepted,
    Failed,
    NotBegun,
    Outcome,
    Overtaken,
    Refused,
    Throttled,
    Unknown,
)
from services.notify.domain.endpoints import (
    LASTING,
    LEAST_FAILURES,
    LONGEST_PAUSE,
    SHORTEST_PAUSE,
    Endpoint,
    Health,
    Sent,
    pause,
    resend_fault,
)

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
DAY = timedelta(days=1)
TOLD, BROKEN = Accepted(NOW, "http_200"), Failed("http_500")
HANGS = Failed("timed_out")
BUSY = Throttled("http_429", timedelta(minutes=10), asked=True)


def after(steps: Sequence[tuple[datetime, Outcome]]) -> Health:
    """The health after one attempt after the other."""
    health = Health()
    for at, outcome in steps:
        health = health.after([outcome], at)
    return health


def test_an_endpoint_is_given_up_after_five_days_without_success() -> None:
    before = after([(NOW + n * timedelta(hours=12), BROKEN) for n in range(10)])
    assert (before.disabled_at, before.failures, before.failing_since) == (None, 10, NOW)
    health = before.after([BROKEN], NOW + LASTING)
    assert (health.disabled_at, health.disabled_reason) == (NOW + LASTING, "lasting_failure")
    assert health.last_failure == "http_500"


def test_a_single_failure_before_a_quiet_week_does_not_count() -> None:
    health = after([(NOW, BROKEN), (NOW + 7 * DAY, BROKEN)])
    assert (health.disabled_at, health.failures) == (None, 2)


def test_many_failures_in_one_bad_night_do_not_count() -> None:
    assert after([(NOW + n * timedelta(minutes=1), BROKEN) for n in range(500)]).disabled_at is None


def test_one_success_begins_the_count_anew() -> None:
    steps: list[tuple[datetime, Outcome]] = [(NOW + n * timedelta(hours=12), BROKEN) for n in range(9)]
    health = after([*steps, (NOW + 4.9 * DAY, TOLD), (NOW + 6 * DAY, BROKEN)])
    assert (health.disabled_at, health.failures, health.failing_since) == (None, 1, NOW + 6 * DAY)


outcomes = st.sampled_from([TOLD, BROKEN, BUSY, HANGS, Unknown(), NotBegun(), Overtaken(), Failed("ours", ours=True),
                            Refused("endpoint_disabled")])  # fmt: skip


@given(st.lists(st.tuples(st.integers(0, 72), outcomes), max_size=40))
def test_an_endpoint_is_given_up_exactly_when_ten_failures_in_a_row_span_five_days(
    steps: list[tuple[int, Outcome]],
) -> None:
    now, failed, given_up = NOW, list[datetime](), False
    health = Health()
    for hours, outcome in steps:
        now += timedelta(hours=hours)
        health = health.after([outcome], now)
        if outcome is TOLD and not given_up:
            failed = []
        elif outcome in (BROKEN, BUSY, HANGS) and not given_up:
            failed.append(now)
            given_up = len(failed) >= LEAST_FAILURES and failed[-1] - failed[0] >= LASTING
        assert (health.disabled_at is not None) == given_up
        if not given_up:
            assert (health.failures, health.failing_since) == (len(failed), failed[0] if failed else None)


@given(st.lists(outcomes, max_size=8))
def test_of_attempts_side_by_side_one_success_outweighs_all_failures(together: list[Outcome]) -> None:
    failing = Health(NOW - 6 * DAY, 30, "http_500")
    assert failing.after([*together, TOLD], NOW).failing_since is None


def test_what_is_our_own_fault_is_not_held_against_an_endpoint() -> None:
    for outcome in (Unknown(), NotBegun(), Overtaken(), Failed("cannot_be_composed", ours=True)):
        assert Health().after([outcome], NOW) == Health()


def test_an_endpoint_that_is_gone_is_given_up_at_once() -> None:
    health = Health().after([TOLD, Refused("endpoint_gone", gone=True)], NOW)
    assert (health.disabled_at, health.disabled_reason) == (NOW, "endpoint_gone")


def test_a_pause_begins_now_and_a_shorter_one_does_not_end_a_longer() -> None:
    health = Health().after([BUSY, TOLD], NOW)
    assert health.throttled_until == NOW + BUSY.pause
    shorter = Throttled("http_429", timedelta(seconds=5), asked=True)
    assert health.after([shorter], NOW).throttled_until == NOW + BUSY.pause


def test_an_endpoint_that_hangs_three_times_in_a_row_has_a_pause_that_grows() -> None:
    health, now, pauses = Health(), NOW, list[timedelta]()
    for _ in range(10):
        health = health.after([HANGS, HANGS, Unknown()], now)
        pauses.append(health.throttled_until - now if health.throttled_until else timedelta())
        now = max(now, health.throttled_until or now)
    assert [p.total_seconds() for p in pauses] == [0, 0, 30, 60, 120, 240, 480, 900, 900, 900]
    assert (health.failures, health.last_failure, health.timeouts) == (20, "timed_out", 10)


@pytest.mark.parametrize("answer", [TOLD, BROKEN, BUSY])
def test_any_answer_begins_the_count_of_timeouts_anew(answer: Outcome) -> None:
    health = after([(NOW, HANGS), (NOW, HANGS)]).after([HANGS, answer], NOW)
    assert health.timeouts == 0
    assert health.throttled_until == (NOW + BUSY.pause if answer is BUSY else None)


def test_what_was_not_tried_says_nothing_about_timeouts() -> None:
    health = after([(NOW, HANGS), (NOW, NotBegun()), (NOW, Unknown()), (NOW, Failed("ours", ours=True)), (NOW, HANGS)])
    assert health.timeouts == 2


def test_a_pause_for_hanging_does_not_shorten_one_that_was_asked_for() -> None:
    hanging = Health(NOW, 2, "timed_out", throttled_until=NOW + DAY, timeouts=2)
    assert hanging.after([HANGS], NOW).throttled_until == NOW + DAY


@given(st.timedeltas(min_value=timedelta(days=-9999), max_value=timedelta(days=9999)))
def test_a_pause_is_never_shorter_or_longer_than_is_reasonable(asked: timedelta) -> None:
    assert SHORTEST_PAUSE <= pause(asked) <= LONGEST_PAUSE
    if SHORTEST_PAUSE <= asked <= LONGEST_PAUSE:
        assert pause(asked) == asked


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("120", timedelta(seconds=120)), ("0", timedelta()), ("9" * 5000, LONGEST_PAUSE),
        ("Mon, 23 Nov 2026 10:05:00 GMT", timedelta(minutes=5)),
        ("Mon, 23 Nov 2026 09:00:00 -0000", -timedelta(hours=1)),
        ("", None), ("soon", None), ("-5", None), ("1.5", None), ("Mon, 99 Nov 2026 10:05:00 GMT", None), ("٣", None),
    ],
)  # fmt: skip
def test_retry_after_is_seconds_or_a_date(text: str, expected: timedelta | None) -> None:
    assert retry_after(text, NOW) == expected


@given(st.text())
def test_no_retry_after_breaks_anything(text: str) -> None:
    found = retry_after(text, NOW)
    assert found is None or isinstance(found, timedelta)


@pytest.mark.parametrize(
    ("status", "wait", "expected"),
    [
        (200, "", Accepted(NOW, "http_200")), (299, "9", Accepted(NOW, "http_299")),
        (301, "9", Failed("http_301")), (404, "9", Failed("http_404")), (500, "9", Failed("http_500")),
        (410, "9", Refused("endpoint_gone", gone=True)), (503, "", Failed("http_503")),
        (429, "60", Throttled("http_429", timedelta(minutes=1), asked=True)),
        (503, "60", Throttled("http_503", timedelta(minutes=1), asked=True)),
        (504, "1", Throttled("http_504", timedelta(seconds=5), asked=True)),
        (502, "999999", Throttled("http_502", timedelta(hours=24), asked=True)),
        (429, "soon", Throttled("http_429", timedelta(seconds=30), asked=False)),
    ],
)  # fmt: skip
def test_an_answer_means_what_the_specification_suggests(status: int, wait: str, expected: Outcome) -> None:
    assert judge(Answer(status, {"retry-after": wait} if wait else {}), NOW) == expected


def endpoint(old_until: datetime | None, health: Health | None = None) -> Endpoint:
    old = "whsec_old" if old_until else None
    return Endpoint(UUID(int=1), UUID(int=2), "https://x.vn/h", "whsec_new", old, old_until, health or Health())


def test_the_old_secret_signs_beside_the_new_one_until_its_time_is_over() -> None:
    assert endpoint(NOW + DAY).secrets(NOW) == ("whsec_new", "whsec_old")
    assert endpoint(NOW).secrets(NOW) == ("whsec_new",)
    assert endpoint(None).secrets(NOW) == ("whsec_new",)
    assert "whsec" not in repr(endpoint(NOW + DAY))


@pytest.mark.parametrize("state", ["told", "refused", "queued"])
def test_what_was_settled_or_waits_can_be_resent(state: str) -> None:
    assert resend_fault(Sent(state, None), endpoint(None)) is None


@pytest.mark.parametrize(
    ("sent", "at", "says"),
    [
        (Sent("told", UUID(int=5)), endpoint(None), "resend 00000000-0000-0000-0000-000000000005"),
        (Sent("superseded", None), endpoint(None), "newer message"),
        (Sent("sending", None), endpoint(None), "at this moment"),
        (Sent("told", None), None, "set one first"),
        (Sent("told", None), endpoint(None, Health(disabled_at=NOW)), "enable it"),
    ],
)
def test_what_cannot_be_resent_is_refused_with_what_to_do(sent: Sent, at: Endpoint | None, says: str) -> None:
    assert says in (resend_fault(sent, at) or "")
