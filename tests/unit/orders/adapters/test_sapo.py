"""Sapo web: the signature of the new and the old brand, and its order bodies."""

from decimal import Decimal
from typing import Any

import pytest

from services.orders.adapters.base import Ignored
from services.orders.domain.command import UNTIMED, CommandLine, Kind, OrderCommand
from tests.support.platforms.base import in_base64
from tests.support.platforms.shopify_family import PARTIAL_REFUND, SAPO, SAPO_TIMES, family_order
from tests.unit.orders.adapters import contract


def order(**other: Any) -> dict[str, Any]:
    return family_order(0, SAPO_TIMES, **other)


def command(body: Any, topic: str = "orders/updated", header: str = "x-sapo-topic") -> OrderCommand:
    return contract.command(SAPO, body, {header: topic})


@pytest.mark.parametrize("header", ["x-sapo-hmac-sha256", "x-bizweb-hmac-sha256"])
def test_both_brands_sign_alike(header: str) -> None:
    contract.believes(SAPO, b'{"id": 1}', {header: in_base64(b'{"id": 1}')})
    contract.refuses(SAPO, b'{"id":1}', {header: in_base64(b'{"id": 1}')})


def test_a_created_order_has_the_price_after_discounts() -> None:
    items = [
        {"id": 287254363, "sku": "CAI", "quantity": 2, "unit": "Chai", "price": 20000, "discounted_unit_price": 18000},
        {"id": 287254364, "sku": None, "variant_id": 9, "quantity": 0.5, "price": 781000},
    ]
    found = command(order(line_items=items), "orders/create", "x-bizweb-topic")
    assert found.lines == (
        CommandLine(287254363, "CAI", Decimal(2), 18000),
        CommandLine(287254364, "product:9", Decimal("0.5"), 781000),
    )


def test_an_updated_order_follows_and_loses_what_was_refunded() -> None:
    found = command(order(modified_on="2026-11-23T08:00:01Z", refunds=PARTIAL_REFUND))
    assert found.follows(command(order(), "orders/create"))
    assert [line.quantity for line in found.lines] == [2, 2]


@pytest.mark.parametrize("ending", [{"cancelled_on": "2026-11-23T08:30:00Z"}, {"status": "cancelled"}])
def test_a_cancelled_order_is_cancelled(ending: dict[str, Any]) -> None:
    assert command(order(**ending), "orders/cancelled").kind is Kind.CANCEL
    assert command({"id": 5}, "orders/delete").revision.updated_at == UNTIMED


def test_a_duplicate_does_not_follow() -> None:
    assert not command(order()).follows(command(order()))


def test_test_orders_and_other_topics_are_ignored() -> None:
    assert contract.read(SAPO, order(test=True), {"x-sapo-topic": "orders/create"}) == Ignored("test")
    assert contract.read(SAPO, {}, {"x-sapo-topic": "products/update"}) == Ignored("topic")


def test_a_malformed_body_names_its_faults_and_sapo_go_is_refused_by_name() -> None:
    body = order(modified_on=None, line_items=[{"quantity": None}])
    assert contract.faulty(SAPO, body, {"x-sapo-topic": "orders/create"}) == ["modified_on", "line_items[0].quantity"]
    go = {"x-sapo-topic": "orders/update", "x-sapo-tenant-domain": "van-ho.mysapogo.com"}
    assert contract.faulty(SAPO, order(), go) == ["body"]
