"""Which standing offers are due: never twice, never in the past, by the local calendar of any zone."""

from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.catalog.domain.checks import check_times
from services.catalog.domain.standing import StandingDraft, due_offers, plan_standing, renewal_days
from services.catalog.domain.values import (
    Books,
    Fault,
    Faulty,
    Household,
    OfferTerms,
    Pledge,
    PledgeDraft,
    Product,
    StandingOffer,
)

SON_LA = ZoneInfo("Asia/Ho_Chi_Minh")
# Clocks put forward and back at night, at midnight and by half an hour, and a day that was left out (Apia).
ZONES = [
    SON_LA,
    *(
        ZoneInfo(name)
        for name in (
            "UTC",
            "Europe/Berlin",
            "America/New_York",
            "America/Sao_Paulo",
            "America/Havana",
            "America/St_Johns",
            "Asia/Kathmandu",
            "Asia/Beirut",
            "Atlantic/Azores",
            "Australia/Lord_Howe",
            "Pacific/Apia",
            "Pacific/Kwajalein",
        )
    ),
]
rule = settings(max_examples=200, deadline=None, derandomize=True)
POINT = UUID(int=11)
PLEDGES = (Pledge(UUID(int=21), 5),)

minutes = st.times().map(lambda moment: moment.replace(second=0, microsecond=0))
moments = st.datetimes(datetime(1990, 1, 1), datetime(2037, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds


@st.composite
def standing_offers(draw: st.DrawFn, product: int = 1) -> StandingOffer:
    """One that staff may set: on the same day the cut-off lies before arrive-by."""
    first, second = sorted(draw(st.lists(minutes, min_size=2, max_size=2, unique=True)))
    days_before = draw(st.integers(0, 7))
    if days_before and draw(st.booleans()):
        first, second = second, first
    return StandingOffer(UUID(int=product), 30_000, first, days_before, second, POINT, PLEDGES)


def key(terms: OfferTerms) -> tuple[UUID, date]:
    """What an offer is unique by."""
    return terms.product_id, terms.delivery_day


@rule
@given(standing_offers(), st.sampled_from(ZONES), moments, st.integers(1, 10))
def test_what_is_due_lies_ahead_and_is_an_offer_that_staff_could_publish(
    standing: StandingOffer, zone: ZoneInfo, now: datetime, days_ahead: int
) -> None:
    first, last = renewal_days(now, zone, days_ahead)
    for terms in due_offers([standing], set(), zone, now, days_ahead):
        assert first <= terms.delivery_day <= last
        assert terms.cut_off_at > now
        faults: list[Fault] = []
        check_times("", terms.cut_off_at, terms.arrive_by_at, terms.delivery_day, zone, faults)
        assert not faults
        assert (terms.price_vnd, terms.collection_point_id, terms.pledges) == (30_000, POINT, PLEDGES)


@rule
@given(standing_offers(), moments, st.integers(1, 10))
def test_in_son_la_exactly_the_coming_days_whose_cut_off_is_ahead_are_due(
    standing: StandingOffer, now: datetime, days_ahead: int
) -> None:
    offset = SON_LA.utcoffset(now.replace(tzinfo=None))
    assert offset is not None
    local_now = (now + offset).replace(tzinfo=None)
    wanted = []
    for ahead in range(1, max(days_ahead, standing.cut_off_days_before + 1) + 1):
        day = local_now.date() + timedelta(days=ahead)
        cut_off = datetime.combine(day - timedelta(days=standing.cut_off_days_before), standing.cut_off_time)
        if cut_off > local_now:
            wanted.append(day)
    due = list(due_offers([standing], set(), SON_LA, now, days_ahead))
    assert [terms.delivery_day for terms in due] == wanted
    for terms in due:
        assert terms.arrive_by_at.astimezone(SON_LA).time() == standing.arrive_by_time
        assert terms.cut_off_at.astimezone(SON_LA).time() == standing.cut_off_time


@rule
@given(
    st.tuples(standing_offers(1), standing_offers(2)),
    st.sampled_from(ZONES),
    moments,
    st.lists(st.timedeltas(timedelta(0), timedelta(days=2)), max_size=12),
)
def test_no_product_is_ever_published_twice_for_a_day_however_the_job_runs(
    standing: tuple[StandingOffer, StandingOffer], zone: ZoneInfo, now: datetime, pauses: list[timedelta]
) -> None:
    published: set[tuple[UUID, date]] = set()
    for pause in [timedelta(0), *pauses]:
        now += pause
        for terms in list(due_offers(standing, published, zone, now, 2)):
            assert key(terms) not in published
            published.add(key(terms))
        assert not list(due_offers(standing, published, zone, now, 2))


@settings(rule, max_examples=50)
@given(standing_offers(), st.sampled_from(ZONES), moments)
def test_every_day_is_published_before_its_cut_off_when_the_job_runs_hourly(
    standing: StandingOffer, zone: ZoneInfo, start: datetime
) -> None:
    published: set[tuple[UUID, date]] = set()
    days = 12
    for hour in range(24 * days):
        now = start + timedelta(hours=hour)
        published.update(key(terms) for terms in due_offers([standing], published, zone, now, 2))
    # From when the first horizon lies behind, until the end; a day that a zone left out has no offer.
    first = start.astimezone(zone).date() + timedelta(days=standing.cut_off_days_before + 2)
    day, last = first, (start + timedelta(days=days - 1)).astimezone(zone).date()
    while day <= last:
        noon = datetime.combine(day, time(12), zone)
        if noon.astimezone(UTC).astimezone(zone).date() == day:
            assert (standing.product_id, day) in published
        day += timedelta(days=1)


def test_what_was_withdrawn_is_not_published_again() -> None:
    standing = StandingOffer(UUID(int=1), 30_000, time(17), 1, time(5), POINT, PLEDGES)
    now = datetime(2026, 11, 23, 2, tzinfo=UTC)
    due = list(due_offers([standing], {(UUID(int=1), date(2026, 11, 24))}, SON_LA, now, 2))
    assert [terms.delivery_day for terms in due] == [date(2026, 11, 25)]


def test_an_early_cut_off_is_looked_at_early_enough() -> None:
    standing = StandingOffer(UUID(int=1), 30_000, time(17), 7, time(5), POINT, PLEDGES)
    now = datetime(2026, 11, 23, 2, tzinfo=UTC)
    days = [terms.delivery_day for terms in due_offers([standing], set(), SON_LA, now, 2)]
    assert days == [date(2026, 11, 30), date(2026, 12, 1)]


def test_a_cut_off_in_the_hour_that_summer_time_leaves_out_still_lies_before_arrive_by() -> None:
    standing = StandingOffer(UUID(int=1), 30_000, time(2, 30), 0, time(3, 0), POINT, PLEDGES)
    new_york = ZoneInfo("America/New_York")
    now = datetime(2026, 3, 7, 12, tzinfo=UTC)
    terms = next(iter(due_offers([standing], set(), new_york, now, 1)))
    assert terms.delivery_day == date(2026, 3, 8)
    assert terms.cut_off_at < terms.arrive_by_at == datetime(2026, 3, 8, 7, tzinfo=UTC)


def test_a_standing_offer_that_cannot_be_right_has_every_fault_named() -> None:
    product = Product(UUID(int=1), "cai-meo", "Cải mèo", "cải mèo", "A", "kg", 500, None, ("VietGAP",))
    draft = StandingDraft(30_001, time(5), 0, time(5), UUID(int=99), [PledgeDraft("VH-09", 1), PledgeDraft("VH-03", 1)])
    households = {"VH-03": Household(UUID(int=23), "VH-03", "hộ", 1)}
    with pytest.raises(Faulty) as refused:
        plan_standing(draft, product, Books(SON_LA, (POINT,), {}, households))
    assert [field for field, _ in refused.value.faults] == [
        "price_vnd",
        "cut_off_time",
        "collection_point_id",
        "pledges[0].household_code",
        "pledges[1].household_code",
    ]
    assert refused.value.faults[-1][1] == "VH-03 does not hold VietGAP"
