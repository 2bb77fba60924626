"""Nhanh.vn: its shared token, and that the further status counts where no time is told."""

from datetime import timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from services.orders.adapters import nhanh
from services.orders.adapters.base import Batch, Ignored, Ping
from services.orders.domain.command import UNTIMED, CommandLine, Contact, Kind, OrderCommand
from tests.support.platforms.base import NOW, SECRET, Told
from tests.support.platforms.nhanh import NHANH, nhanh_order, nhanh_push
from tests.unit.orders.adapters import contract


def added(status: str = "New", **other: object) -> OrderCommand:
    return contract.command(NHANH, nhanh_push("orderAdd", nhanh_order(status, **other)))


def arrived(seconds: int, status: str, **other: object) -> OrderCommand:
    """An order that came so many seconds after NOW."""
    asked = NHANH.push(Told(nhanh_push("orderUpdate", nhanh_order(status, **other))))
    found = nhanh.read(NHANH.credentials, replace(asked, received_at=NOW + timedelta(seconds=seconds)))
    assert isinstance(found, OrderCommand)
    return found


def test_the_token_stands_in_the_body_or_in_a_header() -> None:
    contract.believes(NHANH, b'{"businessId": 10000, "webhooksVerifyToken": "%s"}' % SECRET.encode(), {})
    contract.believes(NHANH, b'{"businessId": 10000}', {"verifytoken": SECRET})
    for raw in (b'{"businessId": 10000}', b'{"businessId": 10000, "webhooksVerifyToken": 5}', b"[", b"[1]", b""):
        contract.refuses(NHANH, raw, {})
    contract.refuses(NHANH, b'{"businessId": 10000}', {"verifytoken": SECRET[:-1]})


def test_a_push_of_another_business_of_the_same_app_is_refused() -> None:
    contract.refuses(NHANH, b'{"businessId": 7}', {"verifytoken": SECRET})


def test_an_added_order_becomes_a_command() -> None:
    found = added()
    assert (found.partner_ref, found.kind) == ("125123098", Kind.UPSERT)
    assert found.lines == (CommandLine(1, "CAI", Decimal(2), 15000),)
    assert found.contact == Contact("Lò Thị Mai", "0912345678", "Bản Hua Tạt, Xã Vân Hồ, Sơn La")
    free = [{"productId": 4, "quantity": "0.5", "price": 10, "discount": 1}]
    assert added(products=free).lines == (CommandLine(1, "product:4", Decimal("0.5"), None),)


def test_the_further_status_wins_and_a_duplicate_does_not_follow() -> None:
    revisions = [added(status).revision for status in ("New", "Confirming", "Packing", "Khác", "Shipping", "Success")]
    assert revisions == sorted(revisions)
    assert not added().follows(added())


def test_of_two_versions_in_one_status_the_later_arrival_wins_and_a_further_status_wins_whenever_it_came() -> None:
    for status in ("New", "Khác"):
        versions = [arrived(seconds, status, quantity=seconds + 1) for seconds in range(20)]
        assert [one.revision for one in versions] == sorted(one.revision for one in versions)
    late = 3600 * 24 * 365 * 50
    assert arrived(0, "Success").follows(arrived(late, "Shipping"))
    assert arrived(0, "Canceled").follows(arrived(late, "Success"))


def test_a_status_alone_changes_nothing_unless_it_ends_the_order() -> None:
    moved = nhanh_push("orderUpdate", {"orderId": 125123098, "status": "Shipping"})
    assert contract.read(NHANH, moved) == Ignored("status")
    for status in ("Canceled", "Aborted", "CarrierCanceled"):
        found = contract.command(NHANH, nhanh_push("orderUpdate", {"orderId": 125123098, "status": status}))
        assert (found.kind, found.contact) == (Kind.CANCEL, None)
        assert found.follows(added("Success"))
    returned = nhanh_push("orderUpdate", {"orderId": 125123098, "status": "Returned"})
    assert contract.read(NHANH, returned) == Ignored("status")


def test_deleted_orders_are_cancelled_for_good() -> None:
    found = contract.read(NHANH, {"event": "orderDelete", "businessId": 10000, "data": [12345, 12346]})
    assert isinstance(found, Batch)
    assert [(item.id, getattr(item.command, "kind", None)) for item in found.items] == [
        ("12345", Kind.CANCEL),
        ("12346", Kind.CANCEL),
    ]
    old = contract.command(NHANH, nhanh_push("orderDelete", {"orderId": 5}))
    assert (old.partner_ref, old.revision.updated_at) == ("5", UNTIMED)


def test_trials_and_other_events_are_passed_over() -> None:
    assert contract.read(NHANH, nhanh_push("webhooksEnabled", {})) == Ping()
    assert contract.read(NHANH, nhanh_push("productAdd", {})) == Ignored("event")


@pytest.mark.parametrize(
    ("event", "data", "fields"),
    [
        ("orderAdd", {"orderId": 5}, ["data.products"]),
        ("orderAdd", {"orderId": "x", "products": [{"quantity": -1}]}, ["orderId", "products[0].quantity"]),
        ("orderAdd", None, ["body"]),
        ("orderDelete", [], ["data"]),
        ("orderDelete", ["x", True], ["data[0]", "data[1]"]),
    ],
)
def test_a_malformed_body_names_its_faults(event: str, data: object, fields: list[str]) -> None:
    assert contract.faulty(NHANH, nhanh_push(event, data)) == fields
