"""Haravan: its two spellings of the signature's header, its challenge, and its order bodies."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from services.orders.adapters import haravan
from services.orders.adapters.base import BadSignature, Challenge, Ignored, Malformed
from services.orders.domain.command import CommandLine, Kind, OrderCommand
from tests.support.platforms.base import NOW, SECRET, Platform, in_base64, tried, who
from tests.support.platforms.shopify_family import HARAVAN, SHOPIFY_TIMES, family_order
from tests.unit.orders.adapters import contract

CHALLENGE = {"hub.mode": "subscribe", "hub.verify_token": "mã của chúng tôi", "hub.challenge": "1158201444"}


def order(**other: Any) -> dict[str, Any]:
    return family_order(0, SHOPIFY_TIMES, **other)


def command(body: Any, topic: str = "orders/updated") -> OrderCommand:
    return contract.command(HARAVAN, body, {"x-haravan-topic": topic})


@pytest.mark.parametrize("header", ["x-haravan-hmacsha256", "x-haravan-hmac-sha256"])
def test_both_spellings_of_the_header_are_read(header: str) -> None:
    contract.believes(HARAVAN, b"{}", {header: in_base64(b"{}")})
    contract.refuses(HARAVAN, b"{} ", {header: in_base64(b"{}")})


def test_a_push_of_another_shop_of_the_same_app_is_refused() -> None:
    shop = Platform("haravan", who(SECRET, org_id="1000114691"), (), HARAVAN.sign)
    signed = {"x-haravan-hmacsha256": in_base64(b"{}")}
    contract.believes(shop, b"{}", signed | {"x-haravan-org-id": "1000114691"})
    contract.refuses(shop, b"{}", signed | {"x-haravan-org-id": "1"})


def test_the_challenge_is_sent_back_to_who_knows_the_token() -> None:
    asked = tried(**CHALLENGE)
    haravan.verify(HARAVAN.credentials, asked, NOW)
    assert haravan.read(HARAVAN.credentials, asked) == Challenge("1158201444")
    for wrong in ({"hub.verify_token": "x"}, {"hub.mode": "unsubscribe"}):
        with pytest.raises(BadSignature):
            haravan.verify(HARAVAN.credentials, tried(**CHALLENGE | wrong), NOW)
    with pytest.raises(BadSignature):
        haravan.verify(who(SECRET), asked, NOW)
    for text in ("", "a\r\nb", "x" * 501):
        with pytest.raises(Malformed):
            haravan.read(HARAVAN.credentials, tried(**CHALLENGE | {"hub.challenge": text}))


def test_a_created_order_has_prices_after_their_discounts_and_floats_stay_exact() -> None:
    items = [{"id": 1615733005, "sku": "ABC", "quantity": 1, "price": 110000.0, "total_discount": 5000.0}]
    found = command(order(updated_at="2023-06-10T12:19:26.0591234Z", line_items=items), "orders/create")
    assert found.lines == (CommandLine(1615733005, "ABC", Decimal(1), 110000),)
    assert found.revision.updated_at == datetime(2023, 6, 10, 12, 19, 26, 59123, tzinfo=UTC)


def test_a_later_update_follows_and_a_duplicate_does_not() -> None:
    first = command(order(), "orders/create")
    assert command(order(updated_at="2026-11-23T08:00:01Z")).follows(first)
    assert not command(order(), "orders/create").follows(first)


@pytest.mark.parametrize("ending", [{"cancelled_status": "cancelled"}, {"cancelled_at": "2026-11-23T08:30:00Z"}])
def test_a_cancelled_order_is_cancelled(ending: dict[str, Any]) -> None:
    assert command(order(**ending), "orders/cancelled").kind is Kind.CANCEL


def test_other_topics_are_ignored() -> None:
    assert contract.read(HARAVAN, {}, {"x-haravan-topic": "app_subscriptions/update"}) == Ignored("topic")


def test_a_malformed_body_names_its_faults() -> None:
    topic = {"x-haravan-topic": "orders/create"}
    assert contract.faulty(HARAVAN, order(id="x", line_items=None), topic) == ["id", "line_items"]
