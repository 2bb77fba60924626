"""When a person wants quiet, and that nothing about it is printed."""

from datetime import UTC, datetime, time, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notify.domain.contacts import UNION, Address, Consent, Contact, QuietHours, Step

ZONE = "Asia/Ho_Chi_Minh"
NIGHT = QuietHours(time(21), time(5))
clocks = st.times().map(lambda t: t.replace(second=0, microsecond=0))


@pytest.mark.parametrize(
    ("now", "over_at"),
    [
        ("2026-11-24T20:59+07:00", None),
        ("2026-11-24T21:00+07:00", "2026-11-25T05:00+07:00"),
        ("2026-11-24T23:59+07:00", "2026-11-25T05:00+07:00"),
        ("2026-11-25T00:00+07:00", "2026-11-25T05:00+07:00"),
        ("2026-11-25T04:59+07:00", "2026-11-25T05:00+07:00"),
        ("2026-11-25T05:00+07:00", None),
        ("2026-11-24T14:00+00:00", "2026-11-25T05:00+07:00"),
    ],
)
def test_a_night_is_quiet_until_morning(now: str, over_at: str | None) -> None:
    wanted = None if over_at is None else datetime.fromisoformat(over_at)
    assert NIGHT.over_at(datetime.fromisoformat(now), ZONE) == wanted


def test_a_midday_rest_is_quiet_until_afternoon() -> None:
    rest = QuietHours(time(11, 30), time(13))
    assert rest.over_at(datetime.fromisoformat("2026-11-24T11:29+07:00"), ZONE) is None
    over_at = datetime.fromisoformat("2026-11-24T13:00+07:00")
    assert rest.over_at(datetime.fromisoformat("2026-11-24T12:00+07:00"), ZONE) == over_at


def test_quiet_ends_in_the_future_also_where_the_clock_was_set_back() -> None:
    now = datetime.fromisoformat("2026-10-25T02:15+01:00")  # for the second time in this night
    wanted = datetime.fromisoformat("2026-10-25T02:30+01:00")
    assert QuietHours(time(21), time(2, 30)).over_at(now, "Europe/Berlin") == wanted


@given(clocks, clocks, st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31)))  # noqa: DTZ001 - made aware below
def test_quiet_ends_at_the_first_moment_that_is_not_quiet(start: time, end: time, at: datetime) -> None:
    """Against an oracle that walks on minute by minute."""
    if start == end:
        return
    quiet, now = QuietHours(start, end), at.replace(second=0, microsecond=0, tzinfo=UTC)
    minutes = {(start.hour * 60 + start.minute + n) % 1440 for n in range(_minutes(start, end))}

    def is_quiet(moment: datetime) -> bool:
        local = moment + timedelta(hours=7)
        return local.hour * 60 + local.minute in minutes

    walked = now
    while is_quiet(walked):
        walked += timedelta(minutes=1)
    assert quiet.over_at(now, ZONE) == (None if walked == now else walked)


def _minutes(start: time, end: time) -> int:
    return (end.hour * 60 + end.minute - start.hour * 60 - start.minute) % 1440


def test_nothing_about_a_person_is_printed() -> None:
    private = ("bà Dợ", "+84912345678", "by phone to chị Hà")
    address = Address("sms", private[1])
    values = (
        address,
        Step(uuid4(), private[0], "vi", NIGHT, "sms", private[1]),
        Contact(uuid4(), uuid4(), uuid4(), private[0], "vi", NIGHT, 1, (address,)),
        Consent("sms", "work", datetime.now(UTC), private[2], datetime.now(UTC), None, datetime.now(UTC), private[2]),
    )
    for value in values:
        assert not [text for text in private if text in repr(value)]


def test_a_person_belongs_to_its_household_else_to_the_cooperative_else_to_the_union() -> None:
    household, cooperative = uuid4(), uuid4()

    def recipient(cooperative_id: UUID | None, household_id: UUID | None) -> UUID:
        return Contact(uuid4(), cooperative_id, household_id, "x", "vi", None, 1).recipient

    assert recipient(cooperative, household) == household
    assert recipient(cooperative, None) == cooperative
    assert recipient(None, None) == UNION
