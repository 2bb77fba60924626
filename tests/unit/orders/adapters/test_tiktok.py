"""TikTok Shop's webhooks, as the partner centre documents them."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from services.orders.adapters import tiktok
from services.orders.adapters.base import BadSignature, Ignored, Malformed, Pull, Thin
from services.orders.domain.command import Kind, OrderCommand
from tests.unit.orders.adapters.platform import asked, who

NOW = datetime(2026, 11, 23, tzinfo=UTC)
SHOP = who("123", app_key="abcdef", shop_cipher="ROW_x")

# The documentation's own vector.
VECTOR = (
    b'{"type":1,"tts_notification_id":"7380066284010030890","shop_id":"7495540735365777507","timestamp":1718305585,'
    b'"data":{"is_on_hold_order":true,"order_id":"576653688135258178","order_status":"UNPAID","update_time":1718305585}}'
)
VECTOR_SIGNATURE = "5dec0f11ec2f6783b8deee53c9ffbf8d024302f7c7e7fa55a35d17629031ac05"


AT = 1644412885


def status_push(status: str = "AWAITING_SHIPMENT", **other: Any) -> bytes:
    data = {"order_id": "576486316948490001", "order_status": status, "update_time": 1644412885}
    push = {"type": 1, "tts_notification_id": "73271", "shop_id": "74940", "timestamp": 1644412886, "data": data}
    return json.dumps(push | other).encode()


def test_the_vector_of_the_documentation_is_accepted() -> None:
    tiktok.verify(SHOP, asked(VECTOR, {"authorization": VECTOR_SIGNATURE}), NOW)


def test_a_previous_secret_is_as_good_as_the_newest() -> None:
    credentials = who("new", "123", app_key="abcdef", shop_cipher="ROW_x")
    tiktok.verify(credentials, asked(VECTOR, {"authorization": VECTOR_SIGNATURE}), NOW)


@pytest.mark.parametrize(
    ("raw", "given", "app_key"),
    [
        (VECTOR, "", "abcdef"),
        (VECTOR, VECTOR_SIGNATURE.upper(), "abcdef"),
        (VECTOR, "Bearer " + VECTOR_SIGNATURE, "abcdef"),
        (VECTOR + b" ", VECTOR_SIGNATURE, "abcdef"),
        (VECTOR, VECTOR_SIGNATURE, "abcdeg"),
    ],
)
def test_whatever_is_not_exactly_signed_is_refused(raw: bytes, given: str, app_key: str) -> None:
    with pytest.raises(BadSignature):
        tiktok.verify(who("123", app_key=app_key), asked(raw, {"authorization": given}), NOW)


def test_a_change_of_status_names_the_order_to_pull() -> None:
    assert tiktok.read(SHOP, asked(status_push())) == Thin(
        (Pull("576486316948490001", "73271", datetime(2022, 2, 9, 13, 21, 25, tzinfo=UTC), "AWAITING_SHIPMENT"),)
    )


def test_a_cancelled_order_needs_no_pull() -> None:
    command = tiktok.read(SHOP, asked(status_push("CANCEL")))
    assert isinstance(command, OrderCommand)
    assert (command.partner_ref, command.kind) == ("576486316948490001", Kind.CANCEL)
    assert command.revision.updated_at == datetime(2022, 2, 9, 13, 21, 25, tzinfo=UTC)


def test_a_cancellation_that_is_asked_for_is_looked_up() -> None:
    data = {"order_id": "5764", "cancel_status": "CANCELLATION_REQUEST_PENDING", "create_time": 1627587600}
    (pull,) = _thin(status_push(type=11, data=data))
    assert (pull.partner_ref, pull.status) == ("5764", "CANCELLATION_REQUEST_PENDING")
    assert pull.updated_at is None  # the push has a time, of a clock that the order's details do not have


def test_a_changed_address_is_looked_up() -> None:
    (pull,) = _thin(status_push(type=3, data={"order_id": "5764", "update_time": 1644412885}))
    assert (pull.partner_ref, pull.status) == ("5764", "ADDRESS")


def test_pushes_without_a_number_are_told_apart_by_what_they_say() -> None:
    one, other = _thin(status_push(tts_notification_id="")), _thin(status_push("IN_TRANSIT", tts_notification_id=""))
    assert one[0].key != other[0].key


@pytest.mark.parametrize("kind", [2, 4, 5, 6, 7, 12, 14, 99])
def test_what_concerns_no_order_is_ignored(kind: int) -> None:
    assert tiktok.read(SHOP, asked(status_push(type=kind, data={}))) == Ignored("type")


def test_another_shop_of_the_same_app_is_ignored() -> None:
    own = who("123", app_key="abcdef", shop_cipher="ROW_x", shop_id="74940")
    assert isinstance(tiktok.read(own, asked(status_push())), Thin)
    assert tiktok.read(own, asked(status_push(shop_id="1"))) == Ignored("shop")


@pytest.mark.parametrize(
    ("raw", "fields"),
    [
        (b"", ["body"]),
        (b"[]", ["body"]),
        (b'{"type": "1"}', ["type"]),
        (status_push(data={}), ["data.order_id", "data.order_status", "data.update_time"]),
        (status_push(data={"order_id": "a b", "order_status": "X", "update_time": AT}), ["data.order_id"]),
        (status_push(data={"order_id": "1", "order_status": "X", "update_time": 1.5}), ["data.update_time"]),
        (status_push(data={"order_id": "1", "order_status": "X", "update_time": 5}), ["data.update_time"]),
        (status_push(data={"order_id": "1", "order_status": "CANCEL", "update_time": 10**15}), ["data.update_time"]),
    ],
)
def test_a_faulty_body_names_its_fields(raw: bytes, fields: list[str]) -> None:
    with pytest.raises(Malformed) as refused:
        tiktok.read(SHOP, asked(raw))
    assert [name for name, _ in refused.value.fields] == fields


def _thin(raw: bytes) -> tuple[Pull, ...]:
    found = tiktok.read(SHOP, asked(raw))
    assert isinstance(found, Thin)
    return found.pulls
