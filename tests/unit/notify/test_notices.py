"""Which notices are about the same, so that only the newest need be read."""

from datetime import UTC, date, datetime
from uuid import UUID

import pytest

from services.notify.domain import samples
from services.notify.domain.notices import ARRIVAL, BASKET, BASKET_CONFIRMED, REMINDER, Notice

DAY = date(2026, 11, 24)


def notice(kind: str, version: int | None = 1, day: date | None = DAY, household: int = 1, number: int = 1) -> Notice:
    facts, at = samples.PERSONAL[kind], datetime(2026, 11, 23, tzinfo=UTC)
    return Notice(UUID(int=number), UUID(int=9), kind, facts, at, None, UUID(int=household), day, version)


@pytest.mark.parametrize("kind", [BASKET, BASKET_CONFIRMED, REMINDER])
def test_all_that_a_newer_basket_says_anew_is_about_the_same(kind: str) -> None:
    assert notice(kind).about == notice(BASKET, version=2, number=2).about


@pytest.mark.parametrize(
    "other", [notice(BASKET, household=2), notice(BASKET, day=date(2026, 11, 25)), notice(ARRIVAL, version=2)]
)
def test_another_household_day_or_kind_is_about_something_else(other: Notice) -> None:
    assert other.about != notice(BASKET).about


def test_what_has_no_versions_is_replaced_by_nothing() -> None:
    assert notice(ARRIVAL, None, None, number=1).about != notice(ARRIVAL, None, None, number=2).about
