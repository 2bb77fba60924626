"""Shopify: its signature, its order bodies, and what is left of an order after refunds."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from services.orders.adapters import shopify
from services.orders.adapters.base import Ignored, Malformed
from services.orders.domain.command import UNTIMED, CommandLine, Contact, Kind, OrderCommand
from tests.support.platforms.base import SECRET, Platform, in_base64, who
from tests.support.platforms.shopify_family import PARTIAL_REFUND, SHOPIFY, SHOPIFY_TIMES, family_order
from tests.unit.orders.adapters import contract

# printf '%s' '{"id":1}' | openssl dgst -sha256 -hmac 'hush' -binary | base64
VECTOR = ("hush", b'{"id":1}', "VnKUjZsLuN5iZWjn5EntcBVCF9kMN43LglzCE1/GSeY=")


def order(**other: Any) -> dict[str, Any]:
    return family_order(0, SHOPIFY_TIMES, **other)


def command(body: Any, topic: str = "orders/updated") -> OrderCommand:
    return contract.command(SHOPIFY, body, {"x-shopify-topic": topic})


def faulty(body: Any, topic: str = "orders/updated") -> list[str]:
    return contract.faulty(SHOPIFY, body, {"x-shopify-topic": topic})


def line(**other: Any) -> dict[str, Any]:
    return {"id": 7, "sku": "CAI", "quantity": 2, "price": "15000"} | other


def test_the_signature_is_over_the_raw_body() -> None:
    secret, raw, signature = VECTOR
    shop = Platform("shopify", who(secret), (), SHOPIFY.sign)
    contract.believes(shop, raw, {"x-shopify-hmac-sha256": signature})
    contract.refuses(shop, raw + b"\n", {"x-shopify-hmac-sha256": signature})
    contract.refuses(shop, raw, {"x-shopify-hmac-sha256": signature.lower()})
    contract.refuses(shop, raw, {})


def test_a_push_of_another_shop_of_the_same_app_is_refused() -> None:
    shop = Platform("shopify", who(SECRET, shop_domain="van-ho.myshopify.com"), (), SHOPIFY.sign)
    signed = {"x-shopify-hmac-sha256": in_base64(b"{}")}
    contract.believes(shop, b"{}", signed | {"x-shopify-shop-domain": "van-ho.myshopify.com"})
    contract.refuses(shop, b"{}", signed | {"x-shopify-shop-domain": "moc-chau.myshopify.com"})
    contract.refuses(shop, b"{}", signed)


def test_an_order_becomes_a_command() -> None:
    found = command(order(), "orders/create")
    assert (found.partner_ref, found.kind, found.delivery_day) == ("5678901234567", Kind.UPSERT, None)
    assert found.revision.updated_at == datetime(2026, 11, 23, 8, 0, 0, 123456, tzinfo=UTC)
    assert found.lines == (CommandLine(1, "CAI", Decimal(2), 15000), CommandLine(2, "SU-SU", Decimal(3), 8000))
    assert found.contact == Contact("Lò Thị Mai", "0912345678", "Bản Hua Tạt, Xã Vân Hồ, Sơn La")


def test_a_partial_refund_takes_away_what_the_body_says() -> None:
    assert [one.quantity for one in command(order(refunds=PARTIAL_REFUND)).lines] == [2, 2]
    items = [line(), line(id=8, quantity=3, current_quantity=1)]
    assert [one.quantity for one in command(order(line_items=items, refunds=PARTIAL_REFUND)).lines] == [2, 1]
    money = [{"id": 1, "refund_line_items": [], "order_adjustments": [{"amount": "-5000"}]}]
    assert [one.quantity for one in command(order(refunds=money)).lines] == [2, 3]


@pytest.mark.parametrize(
    "ending",
    [
        {"cancelled_at": "2026-11-23T08:30:00Z"},
        {"financial_status": "refunded"},
        {"financial_status": "voided"},
        {"line_items": [line(current_quantity=0)]},
        {"line_items": [line()], "refunds": [{"refund_line_items": [{"line_item_id": 7, "quantity": 2}]}]},
    ],
)
def test_what_ends_an_order_cancels_it_and_outranks_a_push_of_the_same_second(ending: dict[str, Any]) -> None:
    found = command(order(**ending), "orders/cancelled")
    assert found.kind is Kind.CANCEL
    assert found.revision > command(order(fulfillment_status="fulfilled")).revision


def test_a_deleted_order_stays_cancelled() -> None:
    found = command({"id": 5678901234567}, "orders/delete")
    assert (found.partner_ref, found.kind, found.revision.updated_at) == ("5678901234567", Kind.CANCEL, UNTIMED)


def test_a_repeated_push_does_not_follow_the_first() -> None:
    assert not command(order(), "orders/updated").follows(command(order(), "orders/create"))


@pytest.mark.parametrize(
    ("priced", "price_vnd"),
    [
        ({"total_discount": "5000"}, 12500),
        ({"discount_allocations": [{"amount": "1000"}, {"amount": "3000.00"}], "total_discount": "9"}, 13000),
        ({"total_discount": "1"}, None),
        ({"price": "dear"}, None),
        ({"price": "-1"}, None),
    ],
)
def test_the_price_is_what_the_customer_pays_for_one_item(priced: dict[str, Any], price_vnd: int | None) -> None:
    assert command(order(line_items=[line(**priced)])).lines[0].price_vnd == price_vnd


def test_another_currency_has_no_price() -> None:
    assert command(order(currency="USD", line_items=[line()])).lines[0].price_vnd is None


def test_the_delivery_day_is_read_where_the_shop_asks_for_one() -> None:
    asked: dict[str, Any] = {"name": "delivery_day", "value": "2026-11-25"}
    attributes = [{"name": "Ghi chú", "value": None}, asked]
    assert command(order(note_attributes=attributes)).delivery_day == date(2026, 11, 25)
    asked["value"] = "mai"
    assert faulty(order(note_attributes=attributes)) == ["note_attributes[1].value"]


def test_test_notifications_and_other_topics_are_ignored() -> None:
    test = order(id=shopify.TEST_ORDER)
    assert contract.read(SHOPIFY, test, {"x-shopify-topic": "orders/cancelled"}) == Ignored("test")
    for topic in ("refunds/create", "orders/edited", "customers/redact", ""):
        assert contract.read(SHOPIFY, {}, {"x-shopify-topic": topic}) == Ignored("topic")


def test_masked_customers_pass_through_and_no_customer_is_none() -> None:
    masked = {"name": "L******i", "phone": "******78"}
    assert command(order(shipping_address=masked)).contact == Contact("L******i", "******78", None)
    assert command(order(shipping_address=None)).contact is None
    by = {"first_name": "Mai", "last_name": "Lò Thị", "phone": 912345678}
    assert command(order(shipping_address=None, customer=by)).contact == Contact("Lò Thị Mai", "912345678", None)


def test_all_faulty_fields_are_named_at_once() -> None:
    body = order(id=0, updated_at="hôm qua", line_items=[line(quantity=-1), line(quantity="1,5"), line(sku=5)])
    assert faulty(body) == [
        "id",
        "updated_at",
        "line_items[0].quantity",
        "line_items[1].quantity",
        "line_items[2].sku",
    ]
    assert faulty(order(line_items=[line()] * 201)) == ["line_items"]
    assert faulty(order(updated_at="2026-11-23T08:00:00")) == ["updated_at"]
    assert faulty(order(updated_at="0001-01-01T00:00:00Z")) == ["updated_at"]


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff", b"[" * 100_000, b'{"id": 1e}', b'{"name": "\\ud800"}'])
def test_a_body_that_is_no_json_is_malformed(raw: bytes) -> None:
    assert faulty(raw) == ["body"]


def test_a_list_is_no_order() -> None:
    with pytest.raises(Malformed):
        command([])
