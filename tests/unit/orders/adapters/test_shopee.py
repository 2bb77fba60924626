"""Shopee's pushes: signed over the address and the body, or over the body alone."""

import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from services.orders.adapters import shopee
from services.orders.adapters.base import BadSignature, Ignored, Malformed, Ping, Pull, Thin
from services.orders.domain.command import Kind, OrderCommand
from tests.unit.orders.adapters.platform import URL, asked, who

NOW = datetime(2026, 11, 23, tzinfo=UTC)
KEY = "partner-key-of-a-test"
SHOP = who(KEY, partner_id="1000639", shop_id="323233231")
UPDATED_AT = datetime(2024, 7, 18, 10, 18, 38, tzinfo=UTC)


ALL_OF_IT = ["data.ordersn", "data.status", "data.update_time"]


def status_push(status: str = "READY_TO_SHIP", **other: Any) -> bytes:
    data = {"ordersn": "240716R9SYG4X5", "status": status, "update_time": 1721297918, "items": []}
    return json.dumps(
        {"msg_id": "", "code": 3, "shop_id": 323233231, "timestamp": 1721298318, "data": data} | other
    ).encode()


def signature(message: bytes, key: str = KEY) -> str:
    return hmac.new(key.encode(), message, hashlib.sha256).hexdigest()


def test_the_address_and_the_body_are_signed() -> None:
    raw = status_push()
    good = signature(URL.encode() + b"|" + raw)
    shopee.verify(SHOP, asked(raw, {"authorization": good}), NOW)
    with pytest.raises(BadSignature):
        shopee.verify(SHOP, asked(raw, {"authorization": signature(raw)}), NOW)
    with pytest.raises(BadSignature):
        shopee.verify(SHOP, asked(raw + b" ", {"authorization": good}), NOW)
    with pytest.raises(BadSignature):
        shopee.verify(SHOP, asked(raw), NOW)


def test_a_partner_can_say_that_the_body_alone_is_signed() -> None:
    over_body = who(KEY, partner_id="1", shop_id="1", signature_base="body")
    raw = status_push()
    shopee.verify(over_body, asked(raw, {"authorization": signature(raw)}), NOW)
    with pytest.raises(BadSignature):
        shopee.verify(over_body, asked(raw, {"authorization": signature(URL.encode() + b"|" + raw)}), NOW)


def test_a_vector_that_was_computed_with_openssl_is_accepted() -> None:
    # printf '%s' "$URL|{\"code\":3}" | openssl dgst -sha256 -hmac partner-key-of-a-test
    computed = "052261be1dd6795226f0b016701665276ec1e34c31b7f1bd3085716788800972"
    shopee.verify(SHOP, asked(b'{"code":3}', {"authorization": computed}), NOW)


@pytest.mark.parametrize("raw", [b"", b" {} \n"])
def test_a_test_without_content_needs_no_signature_and_says_nothing(raw: bytes) -> None:
    shopee.verify(SHOP, asked(raw), NOW)
    assert shopee.read(SHOP, asked(raw)) == Ping()


def test_a_change_of_status_names_the_order_to_pull() -> None:
    key = "323233231:240716R9SYG4X5:READY_TO_SHIP:1721297918"
    assert shopee.read(SHOP, asked(status_push())) == Thin((Pull("240716R9SYG4X5", key, UPDATED_AT, "READY_TO_SHIP"),))


def test_a_number_of_the_message_tells_it_from_others() -> None:
    found = shopee.read(SHOP, asked(status_push(msg_id="m-1")))
    assert isinstance(found, Thin)
    assert found.pulls[0].key == "m-1"


def test_a_cancelled_order_needs_no_pull_and_one_that_may_be_does() -> None:
    command = shopee.read(SHOP, asked(status_push("CANCELLED")))
    assert isinstance(command, OrderCommand)
    assert (command.partner_ref, command.kind, command.revision.updated_at) == (
        "240716R9SYG4X5",
        Kind.CANCEL,
        UPDATED_AT,
    )
    assert isinstance(shopee.read(SHOP, asked(status_push("IN_CANCEL"))), Thin)


def test_what_concerns_no_order_of_the_shop_is_ignored() -> None:
    assert shopee.read(SHOP, asked(status_push(code=4, data={}))) == Ignored("code")
    assert shopee.read(SHOP, asked(status_push(code=0, data={}))) == Ping()
    assert shopee.read(SHOP, asked(status_push(shop_id=1))) == Ignored("shop")


@pytest.mark.parametrize(
    ("raw", "fields"),
    [
        (b"[1]", ["body"]),
        (b'{"code": "3"}', ["code"]),
        (status_push(data={}), ALL_OF_IT),
        (status_push(data={"ordersn": "", "status": "", "update_time": 0}), ALL_OF_IT),
        (status_push(data={"ordersn": "A", "status": "B", "update_time": 0}), ["data.update_time"]),
    ],
)
def test_a_faulty_body_names_its_fields(raw: bytes, fields: list[str]) -> None:
    with pytest.raises(Malformed) as refused:
        shopee.read(SHOP, asked(raw))
    assert [name for name, _ in refused.value.fields] == fields
