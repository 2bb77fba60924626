"""The canonical order format and its signature."""

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from standardwebhooks import Webhook

from services.orders.adapters import canonical
from services.orders.adapters.base import BadSignature, Credentials, Malformed
from services.orders.domain.command import CommandLine, Contact, Kind, OrderCommand
from tests.support.platforms.base import asked

PUBLISHED_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PUBLISHED_BODY = b'{"test": 2432232314}'
PUBLISHED = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}
THEN = datetime.fromtimestamp(1614265330, UTC)
OTHER_SECRET = "whsec_c29tZSBvdGhlciBzZWNyZXQgb2YgMzIgYnl0ZXMuLi4="


def verify(secrets: tuple[str, ...], headers: dict[str, str], raw: bytes, now: datetime) -> None:
    canonical.verify(Credentials(secrets, {}), asked(raw, headers), now)


def test_the_published_vector_of_standard_webhooks_verifies() -> None:
    verify((PUBLISHED_SECRET,), PUBLISHED, PUBLISHED_BODY, THEN)


def test_two_secrets_are_valid_while_a_partner_rotates() -> None:
    verify((OTHER_SECRET, PUBLISHED_SECRET), PUBLISHED, PUBLISHED_BODY, THEN)
    with pytest.raises(BadSignature):
        verify((OTHER_SECRET,), PUBLISHED, PUBLISHED_BODY, THEN)


def test_what_the_reference_library_signs_is_accepted() -> None:
    signature = Webhook(OTHER_SECRET).sign("msg_1", THEN, "{}")
    headers = {"webhook-id": "msg_1", "webhook-timestamp": "1614265330", "webhook-signature": f"v1,AAAA {signature}"}
    verify((OTHER_SECRET,), headers, b"{}", THEN)


@pytest.mark.parametrize("away", [timedelta(seconds=301), timedelta(seconds=-301), timedelta(days=400)])
def test_a_stale_timestamp_is_refused(away: timedelta) -> None:
    with pytest.raises(BadSignature):
        verify((PUBLISHED_SECRET,), PUBLISHED, PUBLISHED_BODY, THEN + away)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        PUBLISHED | {"webhook-id": "msg_other"},
        PUBLISHED | {"webhook-timestamp": "1614265331"},
        PUBLISHED | {"webhook-timestamp": "now"},
        PUBLISHED | {"webhook-timestamp": "9" * 5000},
        PUBLISHED | {"webhook-signature": ""},
        PUBLISHED | {"webhook-signature": "v1a," + PUBLISHED["webhook-signature"][3:]},
    ],
)
def test_anything_else_is_a_bad_signature(headers: dict[str, str]) -> None:
    with pytest.raises(BadSignature):
        verify((PUBLISHED_SECRET,), headers, PUBLISHED_BODY, THEN)


def test_a_changed_body_is_a_bad_signature() -> None:
    with pytest.raises(BadSignature):
        verify((PUBLISHED_SECRET,), PUBLISHED, PUBLISHED_BODY.replace(b" ", b""), THEN)


# -- Bodies --------------------------------------------------------------------------------------------------


def body(**other: Any) -> dict[str, Any]:
    return {
        "ref": "A-1001",
        "updated_at": "2026-11-23T06:00:00+07:00",
        "status": "placed",
        "delivery_day": "2026-11-24",
        "lines": [{"sku": "CAI-MEO-300G", "quantity": "1.5", "price_vnd": 15000}, {"sku": "SU-SU", "quantity": 2}],
        "contact": {"name": "Lò Thị Mai", "phone": "0912345678", "address": None},
    } | other


def read(order: dict[str, Any]) -> OrderCommand:
    found = canonical.read_content("application/json", json.dumps({"order": order}).encode())
    assert isinstance(found, OrderCommand)
    return found


def faulty_fields(order: dict[str, Any]) -> list[str]:
    with pytest.raises(Malformed) as caught:
        read(order)
    return [name for name, _ in caught.value.fields]


def test_a_body_becomes_the_command_that_it_states() -> None:
    command = read(body())
    assert (command.partner_ref, command.kind, command.delivery_day) == ("A-1001", Kind.UPSERT, date(2026, 11, 24))
    assert command.revision.updated_at == datetime(2026, 11, 22, 23, 0, tzinfo=UTC)
    assert command.lines == (
        CommandLine(1, "CAI-MEO-300G", Decimal("1.5"), 15000),
        CommandLine(2, "SU-SU", Decimal(2), None),
    )
    assert command.contact == Contact("Lò Thị Mai", "0912345678", None)
    assert "Mai" not in repr(command)


def test_a_cancellation_needs_no_lines_and_outranks_a_push_of_the_same_moment() -> None:
    command = read({"ref": "A-1001", "updated_at": "2026-11-23T06:00:00+07:00", "status": "cancelled"})
    assert (command.kind, command.lines) == (Kind.CANCEL, ())
    assert command.revision > read(body()).revision


def test_the_same_sku_may_stand_in_two_lines_and_lines_may_have_lasting_numbers() -> None:
    command = read(body(lines=[{"sku": "A", "quantity": 1, "line_no": 7}, {"sku": "A", "quantity": 2}]))
    assert [(line.line_no, line.sku) for line in command.lines] == [(7, "A"), (2, "A")]
    assert faulty_fields(body(lines=[{"sku": "A", "quantity": 1, "line_no": 2}, {"sku": "A", "quantity": 2}])) == [
        "order.lines"
    ]


@pytest.mark.parametrize(
    "quantity", [1.5, 2.0, 0, -1, "0", "0.0", "-1", "1e3", "1,5", "١", " 1", "1.2345678", True, None]
)
def test_a_quantity_that_is_not_exact_and_positive_is_refused(quantity: object) -> None:
    assert faulty_fields(body(lines=[{"sku": "A", "quantity": quantity}])) == ["order.lines[0].quantity"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("updated_at", "2026-11-23T06:00:00"),
        ("updated_at", "1614265330"),
        ("updated_at", 1614265330),
        ("updated_at", "9999-12-31T23:59:59Z"),
        ("ref", ""),
        ("ref", "a\x00b"),
        ("ref", "x" * 101),
        ("status", "paid"),
        ("delivery_day", "24/11/2026"),
        ("lines", [{"sku": "A", "quantity": 1}] * 201),
        ("discount", 5),
    ],
)
def test_a_faulty_field_is_named(field: str, value: object) -> None:
    assert faulty_fields(body(**{field: value})) == [f"order.{field}"]


def test_all_faulty_fields_are_named_at_once() -> None:
    faults = faulty_fields(body(ref="", status="?", lines=[{"sku": "", "quantity": 1.5, "price_vnd": "1"}]))
    assert faults == [
        "order.ref",
        "order.status",
        "order.lines[0].sku",
        "order.lines[0].quantity",
        "order.lines[0].price_vnd",
    ]


def test_an_order_that_is_placed_has_lines() -> None:
    assert faulty_fields(body(lines=[])) == ["order.lines"]
    without = body()
    del without["lines"]
    assert faulty_fields(without) == ["order.lines"]


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"order": {"ref": "\\ud800"}}'])
def test_a_body_that_is_no_order_is_malformed(raw: bytes) -> None:
    with pytest.raises(Malformed) as caught:
        canonical.read_content("application/json", raw)
    assert [name for name, _ in caught.value.fields] == ["body"]


def test_the_digest_of_a_push_is_the_same_for_ever() -> None:
    assert read(body()).revision.digest == "dcd3a4752b4d6bfe00a13b46d918f13e20018cf04675b119ab81715282e2c1e9"


# -- The least that is useful --------------------------------------------------------------------------------


def test_a_line_may_state_the_least_that_is_useful() -> None:
    command = read(body(lines=[{"sku": "A", "quantity": "2.5", "minimum_quantity": "1.50"}]))
    assert command.lines == (CommandLine(1, "A", Decimal("2.5"), None, Decimal("1.5")),)
    assert read(body(lines=[{"sku": "A", "quantity": 2, "minimum_quantity": "2.0"}])).lines[0].minimum == 2


@pytest.mark.parametrize("minimum", ["2.000001", 3, 0, -1, 1.5, "1,5", True])
def test_a_minimum_that_is_no_quantity_up_to_that_of_its_line_is_refused(minimum: object) -> None:
    faults = faulty_fields(body(lines=[{"sku": "A", "quantity": 2, "minimum_quantity": minimum}]))
    assert faults == ["order.lines[0].minimum_quantity"]


def test_a_minimum_is_not_blamed_for_a_faulty_quantity() -> None:
    faults = faulty_fields(body(lines=[{"sku": "A", "quantity": 1.5, "minimum_quantity": 9}]))
    assert faults == ["order.lines[0].quantity"]


def test_no_minimum_leaves_the_digest_as_it_was_and_every_minimum_has_its_own() -> None:
    without = [{"sku": "CAI-MEO-300G", "quantity": "1.5", "price_vnd": 15000}, {"sku": "SU-SU", "quantity": 2}]
    written_out = [line | {"minimum_quantity": None} for line in without]
    assert read(body(lines=written_out)).revision == read(body()).revision
    digests = {
        read(body(lines=[without[0], without[1] | {"minimum_quantity": minimum}])).revision.digest
        for minimum in (None, 1, "1.0", 2)
    }
    assert digests == {
        "dcd3a4752b4d6bfe00a13b46d918f13e20018cf04675b119ab81715282e2c1e9",
        "3acfef89cf0c109a73672db1fbb67fdae67b59cbaaecacf6348ddaefa994efa2",
        "b2c28a2706b3cc477b52b5258ab0e7621ab82764c14f2aff536392cbe49c4698",
    }
