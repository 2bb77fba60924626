"""Lazada's pushes: one for each line of an order."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from services.orders.adapters import lazada
from services.orders.adapters.base import BadSignature, Ignored, Malformed, Pull, Thin
from tests.unit.orders.adapters.platform import asked, who

NOW = datetime(2026, 11, 23, tzinfo=UTC)
SHOP = who("3412gyo124goi3124", app_key="123456")
UPDATED_AT = datetime(2020, 10, 26, 7, 50, 38, tzinfo=UTC)


def status_push(status: str = "pending", line: str = "260422900298363", time: int = 1603698638, **other: Any) -> bytes:
    data = {
        "order_status": status,
        "trade_order_id": "260422900198363",
        "trade_order_line_id": line,
        "status_update_time": time,
    }
    push = {"seller_id": "1234567", "message_type": 0, "data": data, "timestamp": 1603766859530, "site": "lazada_vn"}
    return json.dumps(push | other).encode()


def test_app_key_and_body_are_signed_in_lower_case() -> None:
    # printf '%s' '123456{"message_type":0}' | openssl dgst -sha256 -hmac 3412gyo124goi3124
    good = "4772af0875cb255bfda1df7c7680a27d4800f50e2b26112d2e9c5159d6a50b0d"
    raw = b'{"message_type":0}'
    lazada.verify(SHOP, asked(raw, {"authorization": good}), NOW)
    for given in ("", good.upper(), good[:-1] + "0"):
        with pytest.raises(BadSignature):
            lazada.verify(SHOP, asked(raw, {"authorization": given}), NOW)
    with pytest.raises(BadSignature):
        lazada.verify(SHOP, asked(raw + b"\n", {"authorization": good}), NOW)


@pytest.mark.parametrize("status", ["unpaid", "pending", "canceled", "delivered"])
def test_a_change_of_a_line_names_the_order_to_pull_also_where_the_line_is_cancelled(status: str) -> None:
    key = f"1234567:260422900298363:{status}:1603698638"
    assert _thin(status_push(status)) == (Pull("260422900198363", key, UPDATED_AT, status),)


def test_times_in_milliseconds_are_taken_for_what_they_are() -> None:
    assert _thin(status_push(time=1603698638000))[0].updated_at == UPDATED_AT


def test_pushes_of_two_lines_are_two() -> None:
    assert _thin(status_push())[0].key != _thin(status_push(line="260422900298364"))[0].key


def test_numbers_may_come_as_numbers() -> None:
    data = {
        "order_status": "pending",
        "trade_order_id": 2604,
        "trade_order_line_id": 26,
        "status_update_time": 1603698638,
    }
    assert _thin(status_push(seller_id=1234567, data=data))[0].partner_ref == "2604"


@pytest.mark.parametrize("kind", [3, 4, 5, 8, 10, 14])
def test_what_concerns_no_order_is_ignored(kind: int) -> None:
    assert lazada.read(SHOP, asked(status_push(message_type=kind, data={}))) == Ignored("message_type")


def test_another_seller_of_the_same_app_is_ignored() -> None:
    own = who("3412gyo124goi3124", app_key="123456", seller_id="1")
    assert lazada.read(own, asked(status_push())) == Ignored("seller")


@pytest.mark.parametrize(
    ("raw", "fields"),
    [
        (b"nothing", ["body"]),
        (b"{}", ["message_type"]),
        (b'{"message_type": "0"}', ["message_type"]),
        (
            status_push(data={}),
            ["data.trade_order_id", "data.trade_order_line_id", "data.order_status", "data.status_update_time"],
        ),
        (status_push(time=-1), ["data.status_update_time"]),
    ],
)
def test_a_faulty_body_names_its_fields(raw: bytes, fields: list[str]) -> None:
    with pytest.raises(Malformed) as refused:
        lazada.read(SHOP, asked(raw))
    assert [name for name, _ in refused.value.fields] == fields


def _thin(raw: bytes) -> tuple[Pull, ...]:
    found = lazada.read(SHOP, asked(raw))
    assert isinstance(found, Thin)
    return found.pulls
