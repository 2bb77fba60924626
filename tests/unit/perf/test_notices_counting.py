"""How the run of `tests.perf.notices` counts: it must see each way in which its law can be broken."""

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from infra.local.providers import Arrived
from tests.perf.notices.counting import Change, Count, count
from tests.perf.notices.market import Household
from tests.perf.notices.told_seconds import Histogram

NOW = datetime(2026, 11, 24, 11, 0, tzinfo=UTC)
ONE, OTHER = (Household(UUID(int=number), f"VH-{number:02d}", number, True) for number in (1, 2))
SAID: dict[Change, datetime] = {(ONE.household_id, 1): NOW, (ONE.household_id, 2): NOW, (OTHER.household_id, 1): NOW}


def on_zalo(household: Household, version: int, after_s: int = 5) -> tuple[str, Arrived]:
    at = NOW + timedelta(seconds=after_s)
    return "zalo", Arrived(household.phone.removeprefix("+"), f"Cải mèo {version} kg", "id", at=at)


def by_sms(household: Household, version: int, after_s: int = 9) -> tuple[str, Arrived]:
    return "sms", Arrived(household.phone, f"xin mang Cai meo {version} kg", "id", at=NOW + timedelta(seconds=after_s))


def counted(*arrived: tuple[str, Arrived], calls: tuple[tuple[Change, str], ...] = ()) -> Count:
    return count(SAID, arrived, calls, [ONE, OTHER])


def test_told_once_per_change_holds() -> None:
    found = counted(on_zalo(ONE, 1), by_sms(ONE, 2), on_zalo(OTHER, 1))
    assert found.holds
    assert found.told == {"zalo": 2, "sms": 1}
    assert sorted(found.waits_s) == [5, 5, 9]


def test_who_is_on_the_call_list_need_not_be_told_and_an_overtaken_change_neither() -> None:
    found = counted(on_zalo(ONE, 2), calls=(((OTHER.household_id, 1), "undeliverable"),))
    assert found.holds
    assert (found.overtaken, found.on_call_list["undeliverable"]) == (1, 1)


def test_what_nobody_can_know_may_have_arrived_and_be_on_the_call_list() -> None:
    found = counted(on_zalo(ONE, 2), on_zalo(OTHER, 1), calls=(((OTHER.household_id, 1), "unknown"),))
    assert found.holds
    assert found.may_know == 1


@pytest.mark.parametrize(
    ("arrived", "calls", "broken"),
    [
        ((on_zalo(ONE, 2), by_sms(ONE, 2), on_zalo(OTHER, 1)), (), "duplicates"),
        ((on_zalo(ONE, 2),), (), "missing"),
        ((on_zalo(ONE, 1), on_zalo(OTHER, 1)), (), "missing"),
        ((on_zalo(ONE, 2), on_zalo(OTHER, 1), on_zalo(OTHER, 3)), (), "invented"),
        ((on_zalo(ONE, 2, 1), on_zalo(ONE, 1, 2), on_zalo(OTHER, 1)), (), "told_backwards"),
        ((on_zalo(ONE, 2), on_zalo(OTHER, 1)), (((OTHER.household_id, 1), "undeliverable"),), "called_in_vain"),
    ],
)
def test_each_way_of_breaking_the_law_is_seen(
    arrived: tuple[tuple[str, Arrived], ...], calls: tuple[tuple[Change, str], ...], broken: str
) -> None:
    found = counted(*arrived, calls=calls)
    assert +found.broken == {broken: 1}
    assert not found.holds


def test_a_message_that_tells_no_basket_or_goes_to_a_stranger_is_not_passed_over() -> None:
    with pytest.raises(LookupError):
        counted(("sms", Arrived(ONE.phone, "xin chao", "id")))
    with pytest.raises(LookupError):
        counted(("sms", Arrived("+84900000000", "Cai meo 1 kg", "id")))


def test_a_quantile_lies_within_the_bucket_of_that_rank() -> None:
    rng = random.Random(7)
    values = sorted(rng.uniform(0, 20) for _ in range(1000))
    bounds = (1.0, 2.5, 5.0, 10.0, 30.0, float("inf"))
    found = Histogram()
    for half in (values[::2], values[1::2]):
        found += Histogram(Counter({bound: sum(value <= bound for value in half) for bound in bounds}))
    assert found.count == 1000
    for part in (0.1, 0.5, 0.99):
        value = values[int(part * 1000) - 1]
        above = next(bound for bound in bounds if value <= bound)
        below = max((bound for bound in bounds if bound < value), default=0.0)
        assert below <= found.quantile(part) <= above
