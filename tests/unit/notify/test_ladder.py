"""By which way a notice goes next, and when a person has to call."""

from datetime import UTC, datetime, time, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from services.notify.domain.contacts import QuietHours, Step
from services.notify.domain.delivery import Accepted, Failed, NotBegun, Outcome, Refused, Sent, Throttled, Unknown
from services.notify.domain.ladder import (
    LAPSED,
    LAST_STEP,
    QUEUED,
    REFUSED,
    SENDING,
    SENT,
    SHORTEST_STEP,
    TOLD,
    UNKNOWN,
    Call,
    Decision,
    Delivery,
    Go,
    LetGo,
    Policy,
    Times,
    Wait,
    climb,
    different,
    judge,
    let_go,
    times,
)

ZONE = "Asia/Ho_Chi_Minh"
NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)  # 17:00 in Sơn La
MINUTE = timedelta(minutes=1)
POLICY, CALM = Policy(), Times(NOW)


def way(contact: int, channel: str, quiet: QuietHours | None = None) -> Step:
    return Step(UUID(int=contact), "Sùng A Dơ", "vi", quiet, channel, "+84912345678")


WAYS = tuple(way(contact, channel) for contact in (1, 2) for channel in ("zalo", "sms", "email"))


def go(decision: object) -> Go:
    assert isinstance(decision, Go)
    return decision


def delivery(step: Step, state: str, step_by_at: datetime, reason: str | None = None) -> Delivery:
    number = WAYS.index(step)
    return Delivery(UUID(int=number), step.contact_id, step.channel, state, step_by_at, reason)


def test_the_preferred_way_comes_first_and_has_the_time_of_a_step() -> None:
    found = go(climb(WAYS, (), POLICY, CALM, ZONE, NOW).next)
    assert (found.step, found.begin_at, found.step_by_at) == (WAYS[0], NOW, NOW + POLICY.step)


def test_without_a_receipt_in_time_the_next_way_begins() -> None:
    tried = [delivery(WAYS[0], SENT, NOW - MINUTE)]
    decision = climb(WAYS, tried, POLICY, CALM, ZONE, NOW)
    assert (go(decision.next).step, decision.lapsed) == (WAYS[1], (tried[0].delivery_id,))


def test_an_unknown_outcome_is_the_last_way() -> None:
    waits = climb(WAYS, [delivery(WAYS[0], UNKNOWN, NOW + MINUTE)], POLICY, CALM, ZONE, NOW)
    assert waits.next == Wait()
    calls = climb(WAYS, [delivery(WAYS[0], UNKNOWN, NOW)], POLICY, CALM, ZONE, NOW)
    assert calls.next == Call("unknown", "outcome_unknown")


def test_what_a_newer_notice_overtook_is_let_go_once_no_provider_has_it() -> None:
    queued, sent = delivery(WAYS[0], QUEUED, NOW + MINUTE), delivery(WAYS[1], SENT, NOW + MINUTE)
    assert let_go([queued], NOW) == Decision(LetGo(), (), (queued.delivery_id,))
    assert let_go([queued, sent], NOW) == Decision(Wait(), (), (queued.delivery_id,))
    assert let_go([sent], NOW + MINUTE) == Decision(LetGo(), (sent.delivery_id,), ())
    assert let_go([delivery(WAYS[0], SENDING, NOW)], NOW).next == Wait(), "what is being sent may still arrive"
    assert let_go([], NOW) == Decision(LetGo())


def test_nobody_to_write_to_is_for_a_person_at_once() -> None:
    assert climb((), (), POLICY, CALM, ZONE, NOW).next == Call("undeliverable", "no_contact")


def test_the_call_list_says_why_the_last_way_failed() -> None:
    tried = [delivery(WAYS[0], REFUSED, NOW, "zalo_-114"), delivery(WAYS[1], LAPSED, NOW + MINUTE, "esms_100")]
    assert climb(WAYS[:2], tried, POLICY, CALM, ZONE, NOW).next == Call("undeliverable", "esms_100")


@given(st.text(st.characters(), max_size=300))
def test_what_a_provider_says_is_kept_as_a_row_can_hold_it(said: str) -> None:
    for outcome in (Accepted(NOW, said), Sent(said)):
        verdict = judge(outcome, 1, NOW + MINUTE, False, False, NOW)
        held = verdict.receipt if isinstance(outcome, Accepted) else verdict.provider_id
        assert held is not None
        assert held.isascii()
        assert held.isprintable()
        assert len(held) == min(len(said), 200)


def test_what_a_provider_says_in_plain_ascii_is_kept_to_the_letter() -> None:
    said = "250 2.0.0 OK: queued as ~4F/1 <x>"
    assert judge(Accepted(NOW, said), 1, NOW, False, False, NOW).receipt == said


def test_ways_share_the_time_before_the_alarm() -> None:
    found = go(climb(WAYS[:3], (), POLICY, Times(NOW, NOW + 30 * MINUTE), ZONE, NOW).next)
    assert found.step_by_at == NOW + 10 * MINUTE


def test_a_way_has_two_minutes_even_when_time_is_over() -> None:
    assert go(climb(WAYS, (), POLICY, Times(NOW, NOW - MINUTE), ZONE, NOW).next).step_by_at == NOW + SHORTEST_STEP


def test_the_last_way_goes_on_while_a_person_calls() -> None:
    found = go(climb(WAYS[:1], (), POLICY, Times(NOW, NOW + MINUTE), ZONE, NOW).next)
    assert found.step_by_at == NOW + LAST_STEP


def test_quiet_hours_are_kept_unless_it_would_be_too_late() -> None:
    quiet = QuietHours(time(16), time(5))
    sms, email = way(1, "sms", quiet), way(1, "email", quiet)
    morning = datetime(2026, 11, 23, 22, tzinfo=UTC)
    assert go(climb([sms], (), POLICY, CALM, ZONE, NOW).next).begin_at == morning
    assert go(climb([sms], (), POLICY, Times(NOW, NOW + 60 * MINUTE), ZONE, NOW).next).begin_at == NOW
    assert go(climb([email], (), POLICY, CALM, ZONE, NOW).next).begin_at == NOW


def test_a_person_has_time_to_call_before_the_deadline() -> None:
    zero, in_two_hours = timedelta(0), NOW + 120 * MINUTE
    assert times(NOW, zero, in_two_hours, None, POLICY).alarm_at == NOW + 75 * MINUTE
    assert times(NOW, zero, None, in_two_hours, POLICY).alarm_at == NOW + 75 * MINUTE
    assert times(NOW, zero, NOW + 50 * MINUTE, None, POLICY).alarm_at == NOW + POLICY.step
    assert times(NOW, MINUTE, None, None, POLICY) == Times(NOW + MINUTE)


@given(st.integers(1, 1440), st.integers(0, 600), st.integers(2, 720), st.integers(0, 720))
def test_the_alarm_comes_before_the_deadline_and_the_first_way_begins_before_it_too(
    left: int, gather_s: int, step: int, call_before: int
) -> None:
    policy = Policy(step=step * MINUTE, call_before=call_before * MINUTE)
    deadline = NOW + left * MINUTE
    found = times(NOW, timedelta(seconds=gather_s), deadline, None, policy)
    assert found.alarm_at is not None
    assert NOW <= found.not_before < deadline
    assert found.alarm_at < deadline


def test_one_telephone_is_one_way_whoever_of_the_household_it_is_written_down_for() -> None:
    mother, daughter = way(1, "zalo"), way(2, "zalo")
    assert different([mother, way(1, "sms"), daughter, way(2, "email")]) == [
        mother, way(1, "sms"), way(2, "email"),
    ]  # fmt: skip


def test_what_would_come_after_the_truck_is_not_begun() -> None:
    expired = Times(NOW, None, NOW)
    assert climb(WAYS, (), POLICY, expired, ZONE, NOW).next == Call("undeliverable", "too_late")
    found = go(climb(WAYS[:1], (), POLICY, Times(NOW, None, NOW + 60 * MINUTE), ZONE, NOW).next)
    assert found.step_by_at == NOW + 60 * MINUTE


OUTCOMES: tuple[Outcome, ...] = (
    Accepted(NOW, "250"), Sent("1"), Failed("http_500"), Throttled("http_429", timedelta(hours=9), asked=True),
    Throttled("http_429", MINUTE, asked=False), Refused("http_400"), Unknown(), NotBegun(),
)  # fmt: skip


@given(
    st.permutations(WAYS).flatmap(lambda ways: st.integers(0, len(ways)).map(lambda n: tuple(ways[:n]))),
    st.data(),
    st.none() | st.integers(-60, 300),
)
def test_every_story_ends_told_or_with_a_call_and_no_way_is_taken_twice(
    ways: tuple[Step, ...], data: st.DataObject, alarm_in: int | None
) -> None:
    now, pressing = NOW, Times(NOW, None if alarm_in is None else NOW + alarm_in * MINUTE)
    made: dict[UUID, Delivery] = {}
    attempts: dict[UUID, int] = {}
    taken: list[Step] = []
    for _ in range(2000):
        unknown = any(d.state == UNKNOWN for d in made.values())
        decision = climb(ways, tuple(made.values()), POLICY, pressing, ZONE, now)
        for late in decision.lapsed:
            made[late] = delivery(WAYS[late.int], LAPSED, made[late].step_by_at)
        if isinstance(decision.next, Call):
            assert (decision.next.state == "unknown") is unknown
            assert unknown or taken == list(ways)
            return
        if isinstance(decision.next, Go):
            following = decision.next
            assert not any(d.state in (QUEUED, SENT, UNKNOWN) for d in made.values())
            assert following.begin_at + SHORTEST_STEP <= following.step_by_at
            taken.append(following.step)
            made[UUID(int=WAYS.index(following.step))] = delivery(following.step, QUEUED, following.step_by_at)
        (current,) = [d for d in made.values() if d.state in (QUEUED, SENT, UNKNOWN)]
        step = WAYS[current.delivery_id.int]
        if current.state == QUEUED:
            tries = attempts[current.delivery_id] = attempts.get(current.delivery_id, 0) + 1
            outcome = data.draw(st.sampled_from(OUTCOMES))
            verdict = judge(outcome, tries, current.step_by_at, step.channel == "sms", step.channel == "zalo", now)
            attempts[current.delivery_id] = verdict.attempts
            if verdict.state == TOLD:
                return
            made[current.delivery_id] = delivery(step, verdict.state, verdict.step_by_at, verdict.reason)
            now = max(now, min(verdict.next_at, current.step_by_at)) if verdict.state == QUEUED else now
            now += timedelta(seconds=1)
        else:
            now = max(now, current.step_by_at)
    raise AssertionError("no end")
