"""Until when a household may answer."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from msgspec.structs import replace

from services.notify.domain.facts import BasketFacts, BasketItem, Goods

REPLY_BY = datetime(2026, 11, 23, 13, 0, tzinfo=UTC)
ARRIVE_BY = datetime(2026, 11, 23, 22, 30, tzinfo=UTC)
ITEM = BasketItem(UUID(int=1), Goods("Cải mèo", "kg", 500), 5, "Bản Hua Tạt", ARRIVE_BY, UUID(int=2))
FACTS = BasketFacts("Vân Hồ", "Asia/Ho_Chi_Minh", date(2026, 11, 24), (ITEM,), REPLY_BY, reply_minutes=120)


@pytest.mark.parametrize(
    ("told_at", "until"),
    [
        (None, REPLY_BY),
        (REPLY_BY - timedelta(minutes=121), REPLY_BY),
        (REPLY_BY - timedelta(minutes=119), REPLY_BY + timedelta(minutes=1)),
        (REPLY_BY + timedelta(hours=3), REPLY_BY + timedelta(hours=5)),
        (ARRIVE_BY - timedelta(minutes=30), ARRIVE_BY),
        (ARRIVE_BY + timedelta(hours=1), ARRIVE_BY),
    ],
)
def test_told_late_it_has_its_whole_time_but_not_beyond_the_arrival(told_at: datetime | None, until: datetime) -> None:
    assert FACTS.answerable_until(told_at) == until


def test_what_asks_for_nothing_or_does_not_say_how_long_is_not_prolonged() -> None:
    assert replace(FACTS, reply_by_at=None, reply_minutes=None).answerable_until(ARRIVE_BY) is None
    assert replace(FACTS, reply_minutes=None).answerable_until(ARRIVE_BY) == REPLY_BY
