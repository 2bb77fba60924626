"""What a partner reads."""

import json
import unicodedata
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.allocation.domain.books import Reason
from services.notify.domain import partner_messages
from services.notify.domain.bodies import TYPES, json_schema, message
from services.notify.domain.facts import (
    CancellationFacts,
    DeliveredLine,
    DeliveryFacts,
    Goods,
    PartnerFacts,
    PromisedLine,
    PromiseFacts,
    RefusedLine,
    ShortageFacts,
    ShortedLine,
)
from services.notify.domain.partner_messages import FACTS, TYPE_OF
from services.notify.domain.shortfalls import LANGUAGES, explain
from services.notify.http.callbacks import CALLBACKS, examples

AT = datetime(2026, 11, 23, 3, 0, 0, tzinfo=UTC)
ORDER = UUID(int=7)
CABBAGE = Goods("Cải mèo", "kg", 500)


def said(kind: str, facts: PartnerFacts) -> Any:
    """The body as it is read after it was sent."""
    return json.loads(msgspec.json.encode(message(kind, facts, AT)))


def promise(line: PromisedLine) -> PromiseFacts:
    return PromiseFacts(ORDER, "DH-1", 42, (line,), (RefusedLine(2, "RAU-X", "unknown_sku"),))


def test_a_promise_says_per_line_what_will_come_and_what_will_not() -> None:
    body = said(partner_messages.ORDER_PROMISED, promise(PromisedLine(1, "CAI", CABBAGE, 25, 20, 3, 2, 4, "sold_out")))
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
    (read,) = said(partner_messages.ORDER_PROMISED, promise(line))["data"]["lines"]
    assert read["ordered_steps"] == read["promised_steps"] + read["short_steps"] + read["cancelled_steps"]


def test_a_shortage_says_what_was_promised_before_and_what_is_left() -> None:
    facts = ShortageFacts(ORDER, "DH-1", 43, (ShortedLine(1, "CAI", CABBAGE, 20, 15, "pledges_reduced"),))
    body = said(partner_messages.ORDER_SHORTED, facts)
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


def test_a_later_promise_says_the_same_under_another_name() -> None:
    facts = promise(PromisedLine(1, "CAI", CABBAGE, 25, 20, 3, 2, 4, "sold_out"))
    first, later = said(partner_messages.ORDER_PROMISED, facts), said(partner_messages.ORDER_CHANGED, facts)
    assert (first.pop("type"), later.pop("type")) == ("order.promised", "order.changed")
    assert first == later


def test_a_cancellation_names_the_order_and_nothing_else() -> None:
    assert said(partner_messages.ORDER_CANCELLED, CancellationFacts(ORDER, "DH-1")) == {
        "type": "order.cancelled",
        "timestamp": "2026-11-23T03:00:00+00:00",
        "data": {"order_id": "00000000-0000-0000-0000-000000000007", "partner_ref": "DH-1"},
    }


def test_a_delivery_says_of_each_line_what_came_also_where_it_is_nothing() -> None:
    lines = (DeliveredLine(1, "CAI", CABBAGE, 15), DeliveredLine(2, "NGO", Goods("Rau mùi", "bó", 1000), 0))
    body = said(partner_messages.ORDER_DELIVERED, DeliveryFacts(ORDER, "DH-1", 71, date(2026, 11, 24), lines))
    assert body == {
        "type": "order.delivered",
        "timestamp": "2026-11-23T03:00:00+00:00",
        "data": {
            "order_id": "00000000-0000-0000-0000-000000000007",
            "partner_ref": "DH-1",
            "sequence": 71,
            "delivery_day": "2026-11-24",
            "lines": [
                {
                    "line_no": 1,
                    "sku": "CAI",
                    "product": "Cải mèo",
                    "unit": "kg",
                    "delivered": "7.5",
                    "delivered_steps": 15,
                },
                {
                    "line_no": 2,
                    "sku": "NGO",
                    "product": "Rau mùi",
                    "unit": "bó",
                    "delivered": "0",
                    "delivered_steps": 0,
                },
            ],
        },
    }


@pytest.mark.parametrize("name", TYPES)
def test_every_type_has_an_example_that_its_schema_describes_completely(name: str) -> None:
    body = examples()[name]
    msgspec.convert(body, TYPES[name], strict=True)
    check(body, json_schema(name), json_schema(name))


def check(value: Any, schema: dict[str, Any], root: dict[str, Any]) -> None:
    """The part of JSON Schema that these schemas use; what an example leaves out or has too much is a fault."""
    if reference := schema.get("$ref"):
        schema = root["$defs"][reference.rsplit("/", 1)[-1]]
    if "anyOf" in schema:
        schema = next(one for one in schema["anyOf"] if (one.get("type") == "null") == (value is None))
    if schema.get("type") == "object":
        assert set(value) == set(schema["properties"]) == set(schema["required"])
        for key, part in value.items():
            check(part, schema["properties"][key], root)
    elif schema.get("type") == "array":
        for part in value:
            check(part, schema["items"], root)
    elif "enum" in schema:
        assert value in schema["enum"]
    else:
        assert isinstance(value, {"string": str, "integer": int, "null": type(None)}[schema["type"]])


def test_the_document_of_the_route_shows_every_message() -> None:
    post = CALLBACKS["callbacks"]["message"]["{$request.body#/url}"]["post"]
    content = post["requestBody"]["content"]["application/json"]
    assert set(content["examples"]) == set(content["schema"]["properties"]["type"]["enum"]) == set(TYPES)
    assert set(TYPE_OF.values()) == set(TYPES)
    assert set(TYPE_OF) == set(FACTS)


@pytest.mark.parametrize("name", TYPES)
def test_the_schema_of_every_message_is_written_down(name: str) -> None:
    folder = Path(__file__).parents[3] / "services" / "notify" / "webhooks"
    assert json.loads((folder / f"{name}.json").read_text("utf-8")) == json_schema(name)


def test_a_line_that_gets_all_has_nothing_to_explain() -> None:
    facts = promise(PromisedLine(1, "CAI", CABBAGE, 25, 25, 0, 0, 0, None))
    (line,) = said(partner_messages.ORDER_PROMISED, facts)["data"]["lines"]
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
