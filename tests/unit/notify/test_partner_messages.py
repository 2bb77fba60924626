"""What a partner reads."""

from datetime import UTC, datetime
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from services.notify.domain.facts import (
    Goods,
    PromisedLine,
    PromiseFacts,
    RefusedLine,
    ShortageFacts,
    ShortedLine,
)
from services.notify.domain.partner_messages import message

AT = datetime(2026, 11, 23, 3, 0, 0, tzinfo=UTC)
ORDER = UUID(int=7)
CABBAGE = Goods("Cải mèo", "kg", 500)


def promise(line: PromisedLine) -> PromiseFacts:
    return PromiseFacts(ORDER, "DH-1", 42, (line,), (RefusedLine(2, "RAU-X", "unknown_sku"),))


def test_a_promise_says_per_line_what_will_come_and_what_will_not() -> None:
    body = message(promise(PromisedLine(1, "CAI", CABBAGE, 25, 20, 3, 2, 4, "sold_out")), AT)
    assert body == {
        "type": "order.promised",
        "timestamp": "2026-11-23T03:00:00+00:00",
        "data": {
            "order_id": "00000000-0000-0000-0000-000000000007",
            "partner_ref": "DH-1",
            "sequence": 42,
            "lines": [
                {
                    "line_no": 1,
                    "sku": "CAI",
                    "product": "Cải mèo",
                    "unit": "kg",
                    "ordered": "12.5",
                    "promised": "8",
                    "short": "3.5",
                    "cancelled": "1",
                    "ordered_steps": 25,
                    "promised_steps": 16,
                    "short_steps": 7,
                    "cancelled_steps": 2,
                    "reason": "sold_out",
                }
            ],
            "refused_lines": [{"line_no": 2, "sku": "RAU-X", "reason": "unknown_sku"}],
        },
    }


@given(st.tuples(*[st.integers(min_value=0, max_value=10**6)] * 3), st.integers(min_value=0, max_value=10**6))
def test_what_a_partner_reads_adds_up(parts: tuple[int, int, int], shorted: int) -> None:
    promised, short, cancelled = parts
    line = PromisedLine(1, "CAI", CABBAGE, sum(parts), promised, short, cancelled, min(shorted, promised), None)
    (read,) = message(promise(line), AT)["data"]["lines"]
    assert read["ordered_steps"] == read["promised_steps"] + read["short_steps"] + read["cancelled_steps"]


def test_a_shortage_says_what_was_promised_before_and_what_is_left() -> None:
    facts = ShortageFacts(ORDER, "DH-1", 43, (ShortedLine(1, "CAI", CABBAGE, 20, 15, "pledges_reduced"),))
    body = message(facts, AT)
    assert body["type"] == "order.shorted"
    assert body["data"]["lines"] == [
        {
            "line_no": 1,
            "sku": "CAI",
            "product": "Cải mèo",
            "unit": "kg",
            "before": "10",
            "after": "7.5",
            "before_steps": 20,
            "after_steps": 15,
            "reason": "pledges_reduced",
        }
    ]
