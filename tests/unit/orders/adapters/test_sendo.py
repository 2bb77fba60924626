"""Sendo: the key in the address and in the body, its two shapes of an order, and that a cancellation is final."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from services.orders.adapters.base import Ignored
from services.orders.domain.command import CommandLine, Contact, Kind, OrderCommand
from tests.support.platforms.base import SECRET
from tests.support.platforms.sendo import SENDO, SENDO_CANCEL, sendo_order, sendo_push
from tests.unit.orders.adapters import contract


def created(**other: Any) -> OrderCommand:
    return contract.command(SENDO, sendo_push("SALESORDER.CREATE", sendo_order(0, **other)))


def test_both_keys_must_fit() -> None:
    raw = json.dumps(sendo_push("SALESORDER.CREATE", {})).encode()
    contract.believes(SENDO, raw, {}, key=SECRET)
    contract.believes(SENDO, raw, {}, key=SECRET.replace("+", " "))
    contract.refuses(SENDO, raw, {}, key=SECRET[:-1])
    contract.refuses(SENDO, raw, {})
    for other in (b'{"shop_key": "x"}', b'{"shop_key": null}', b"{", b"[]"):
        contract.refuses(SENDO, other, {}, key=SECRET)


def test_a_created_order_becomes_a_command() -> None:
    found = created()
    assert (found.partner_ref, found.kind) == ("142873645429", Kind.UPSERT)
    assert found.lines == (CommandLine(1, "CAI", Decimal(2), 15000), CommandLine(2, "product:6", Decimal(1), None))
    assert found.contact == Contact("Lò Thị Mai", "0912345678", "Bản Hua Tạt")
    assert found.revision.updated_at == datetime.fromtimestamp(1795410000, UTC)


def test_the_shape_of_the_pull_interface_says_the_same() -> None:
    order = sendo_order(0)
    details = [
        {"product_variant_id": 5, "sku": "CAI", "quantity": 2, "price": 15000},
        {"product_variant_id": 6, "sku": None, "quantity": 1, "price": 8000.5},
    ]
    nested = {"sales_order": order, "sku_details": details}
    assert contract.command(SENDO, sendo_push("SALESORDER.CREATE", nested)) == created()


def test_a_later_push_follows_and_a_duplicate_does_not() -> None:
    later = contract.command(SENDO, sendo_push("SALESORDER.CREATE", sendo_order(1)))
    assert later.follows(created())
    assert not created().follows(created())


def test_a_cancellation_is_final_whatever_its_clock_says() -> None:
    found = contract.command(SENDO, sendo_push("SALESORDER.UPDATE", SENDO_CANCEL))
    assert found.kind is Kind.CANCEL
    assert found.follows(created())
    assert not created(updated_date_time_stamp=4_000_000_000).follows(found)
    assert created(order_status=13).kind is Kind.CANCEL


def test_other_updates_say_nothing_of_the_order() -> None:
    unlocked = {"order_action": "UNLOCK", "order_number": "1", "data": {"can_action": True}}
    assert contract.read(SENDO, sendo_push("SALESORDER.UPDATE", unlocked)) == Ignored("action")
    assert contract.read(SENDO, sendo_push("PRODUCT.UPDATE", {})) == Ignored("type")


@pytest.mark.parametrize(
    ("other", "fields"),
    [
        ({"order_number": ""}, ["order_number"]),
        ({"updated_date_time_stamp": "hôm qua"}, ["updated_date_time_stamp"]),
        ({"updated_date_time_stamp": 0}, ["updated_date_time_stamp"]),
        ({"sales_order_details": []}, ["sales_order_details"]),
        ({"sales_order_details": [{"quantity": "nhiều"}]}, ["sales_order_details[0].quantity"]),
    ],
)
def test_a_malformed_order_names_its_faults(other: dict[str, Any], fields: list[str]) -> None:
    assert contract.faulty(SENDO, sendo_push("SALESORDER.CREATE", sendo_order(0, **other))) == fields
