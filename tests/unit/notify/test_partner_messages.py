"""What a partner reads."""

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notify.domain import notices
from services.notify.domain.facts import (
    BasketFacts,
    CancellationFacts,
    Facts,
    Goods,
    PromisedLine,
    PromiseFacts,
    RefusedLine,
    ShortageFacts,
    ShortedLine,
)
from services.notify.domain.partner_messages import TYPE_OF, TYPES, json_schema, message
from services.notify.http.callbacks import CALLBACKS, examples

AT = datetime(2026, 11, 23, 3, 0, 0, tzinfo=UTC)
ORDER = UUID(int=7)
CABBAGE = Goods("Cải mèo", "kg", 500)


def said(kind: str, facts: Facts) -> Any:
    """The body as it is read after it was sent."""
    return json.loads(msgspec.json.encode(message(kind, facts, AT)))


def promise(line: PromisedLine) -> PromiseFacts:
    return PromiseFacts(ORDER, "DH-1", 42, (line,), (RefusedLine(2, "RAU-X", "unknown_sku"),))


def test_a_promise_says_per_line_what_will_come_and_what_will_not() -> None:
    body = said(notices.ORDER_PROMISED, promise(PromisedLine(1, "CAI", CABBAGE, 25, 20, 3, 2, 4, "sold_out")))
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
    (read,) = said(notices.ORDER_PROMISED, promise(line))["data"]["lines"]
    assert read["ordered_steps"] == read["promised_steps"] + read["short_steps"] + read["cancelled_steps"]


def test_a_shortage_says_what_was_promised_before_and_what_is_left() -> None:
    facts = ShortageFacts(ORDER, "DH-1", 43, (ShortedLine(1, "CAI", CABBAGE, 20, 15, "pledges_reduced"),))
    body = said(notices.ORDER_SHORTED, facts)
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


def test_a_later_promise_says_the_same_under_another_name() -> None:
    facts = promise(PromisedLine(1, "CAI", CABBAGE, 25, 20, 3, 2, 4, "sold_out"))
    first, later = said(notices.ORDER_PROMISED, facts), said(notices.ORDER_CHANGED, facts)
    assert (first.pop("type"), later.pop("type")) == ("order.promised", "order.changed")
    assert first == later


def test_a_cancellation_names_the_order_and_nothing_else() -> None:
    assert said(notices.ORDER_CANCELLED, CancellationFacts(ORDER, "DH-1")) == {
        "type": "order.cancelled",
        "timestamp": "2026-11-23T03:00:00+00:00",
        "data": {"order_id": "00000000-0000-0000-0000-000000000007", "partner_ref": "DH-1"},
    }


def test_what_is_for_households_is_no_message_to_a_partner() -> None:
    with pytest.raises(ValueError, match="not for partners"):
        message(notices.BASKET, BasketFacts("Vân Hồ", "Asia/Ho_Chi_Minh", date(2026, 11, 24), ()), AT)


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


@pytest.mark.parametrize("name", TYPES)
def test_the_schema_of_every_message_is_written_down(name: str) -> None:
    folder = Path(__file__).parents[3] / "services" / "notify" / "webhooks"
    assert json.loads((folder / f"{name}.json").read_text("utf-8")) == json_schema(name)
