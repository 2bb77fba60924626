"""What a partner reads."""

import unicodedata
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.allocation.domain.books import Reason
from services.notify.domain.facts import (
    Goods,
    PromisedLine,
    PromiseFacts,
    RefusedLine,
    ShortageFacts,
    ShortedLine,
)
from services.notify.domain.partner_messages import message
from services.notify.domain.shortfalls import LANGUAGES, explain

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
                    "why_vi": "Đã hết hàng: số khách đặt nhiều hơn số chào bán.",
                    "why_en": "Sold out: more was ordered than was on offer.",
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
            "why_vi": "Sau khi hứa với khách, số các hộ đăng ký giảm xuống, nên phần đã hứa mà không còn đủ hàng "
            "bị rút lại.",
            "why_en": "After the promise the households' pledges were lowered, and what they no longer covered "
            "was taken back.",
        }
    ]


def test_a_line_that_gets_all_has_nothing_to_explain() -> None:
    (line,) = message(promise(PromisedLine(1, "CAI", CABBAGE, 25, 25, 0, 0, 0, None)), AT)["data"]["lines"]
    assert (line["reason"], line["why_vi"], line["why_en"]) == (None, None, None)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_reason_of_allocation_has_a_sentence_of_its_own_in_every_language(language: str) -> None:
    sentences = [explain(reason)[language] for reason in (*Reason, "another")]
    assert len(set(sentences)) == len(sentences)
    for sentence in sentences:
        assert sentence == unicodedata.normalize("NFC", sentence).strip()
        assert sentence.isprintable()
        assert sentence.endswith(".")


def test_of_an_unknown_reason_it_is_only_said_that_less_is_promised_than_was_ordered() -> None:
    assert explain("frost")["en"] == explain("")["en"] == "Less is promised at present than was ordered."
    assert explain("frost")["vi"] == "Số hứa giao hiện ít hơn số khách đặt."
