"""Authentic bodies of the platforms, where they lie beside the repository: each goes through its adapter."""

import json
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from services.orders.adapters import ADAPTERS
from services.orders.adapters.base import Batch, Credentials, Ignored, Malformed, Request
from services.orders.domain.command import Kind, OrderCommand
from tests.support.platforms.base import URL, asked, who

SAMPLES = Path(__file__).resolve().parents[5] / "shared" / "samples"
pytestmark = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the samples are no part of the repository")

THEN = datetime.fromtimestamp(1614265330, UTC)


def sample(name: str) -> bytes:
    return (SAMPLES / name).read_bytes()


def bare(name: str) -> bytes:
    """Documentation wraps an order; webhooks do not."""
    return json.dumps(json.loads(sample(name))["order"]).encode()


def read(adapter: str, raw: bytes, headers: dict[str, str] | None = None, **settings: str) -> Any:
    return ADAPTERS[adapter].read(Credentials(("x",), settings), asked(raw, headers))


@pytest.mark.parametrize(
    ("adapter", "secret", "name", "headers"),
    [
        (
            "canonical",
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "standardwebhooks_01_signed_vector_body.json",
            {
                "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
                "webhook-timestamp": "1614265330",
                "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
            },
        ),
        (
            "meta",
            "test-app-secret",
            "meta_02_signed_vector_leadgen_body.json",
            {"x-hub-signature-256": "sha256=46b2eec7ee43a56e2be309437757faccbc57c67bc1b012fd6869398833657100"},
        ),
    ],
)
def test_the_published_signature_verifies(adapter: str, secret: str, name: str, headers: dict[str, str]) -> None:
    ADAPTERS[adapter].verify(who(secret), Request("POST", URL, {}, headers, sample(name)), THEN)


def test_the_signed_body_of_meta_holds_no_order() -> None:
    assert read("meta", sample("meta_02_signed_vector_leadgen_body.json")) == Ignored("no order")


@pytest.mark.parametrize(
    "name", ["woocommerce_01_order_processing_v3.json", "woocommerce_03_order_with_refunds_v3.json"]
)
def test_woocommerce(name: str) -> None:
    found = read("woocommerce", sample(name), {"x-wc-webhook-topic": "order.updated"})
    assert isinstance(found, OrderCommand)
    assert (found.kind, len(found.lines)) == (Kind.UPSERT, 2)
    headers = json.loads(sample("woocommerce_07_webhook_headers_captured.json"))
    assert read("woocommerce", sample(name), headers) == Ignored("topic")


def test_shopify() -> None:
    raw = sample("shopify_05_webhook_order_cancelled_test.json")
    assert read("shopify", raw, {"x-shopify-topic": "orders/cancelled"}) == Ignored("test")
    real = raw.replace(b"820982911946154508", b"820982911946154509")
    found = read("shopify", real, {"x-shopify-topic": "orders/cancelled"})
    assert isinstance(found, OrderCommand)
    assert (found.partner_ref, found.kind) == ("820982911946154509", Kind.CANCEL)
    assert [line.sku for line in found.lines] == ["IPOD2008PINK", "IPOD2008PINK"]


def test_haravan() -> None:
    created = read("haravan", bare("haravan_02_order_created.json"), {"x-haravan-topic": "orders/create"})
    assert isinstance(created, OrderCommand)
    assert [(line.line_no, line.sku, line.quantity, line.price_vnd) for line in created.lines] == [
        (1615733005, "ABC", Decimal(1), 110000),
        (1615733006, "ABC", Decimal(2), 170000),
    ]
    assert created.contact is not None
    assert created.contact.phone == "0909090909"
    cancelled = read("haravan", bare("haravan_03_order_cancelled.json"), {"x-haravan-topic": "orders/cancelled"})
    assert isinstance(cancelled, OrderCommand)
    assert cancelled.kind is Kind.CANCEL
    subscription = sample("haravan_07_webhook_app_subscription_update.json")
    assert read("haravan", subscription, {"x-haravan-topic": "app_subscriptions/update"}) == Ignored("topic")


def test_sapo() -> None:
    found = read("sapo", sample("sapo_01_order_cancelled_vnd.json"), {"x-sapo-topic": "orders/cancelled"})
    assert isinstance(found, OrderCommand)
    assert (found.partner_ref, found.kind, found.lines) == ("172260407", Kind.CANCEL, ())


def test_kiotviet_and_nhanh() -> None:
    assert read("kiotviet", sample("kiotviet_01_product_update_captured.json")) == Ignored("action")
    deleted = read("nhanh", sample("nhanh_01_v3_order_delete_skeleton.json"))
    assert isinstance(deleted, Batch)
    assert [item.id for item in deleted.items] == ["12345", "12346"]


def test_meta() -> None:
    found = read("meta", sample("meta_01_whatsapp_order_message.json"))
    assert isinstance(found, Batch)
    (item,) = found.items
    assert isinstance(item.command, OrderCommand)
    assert [(line.sku, line.quantity, line.price_vnd) for line in item.command.lines] == [
        ("akuba13e44", Decimal(1), None),
        ("0z10aj0bmq", Decimal(1), None),
    ]


def test_dfc() -> None:
    found = read("dfc", sample("dfc_01_order_post_request.jsonld"))
    assert isinstance(found, OrderCommand)
    assert [(line.sku, line.quantity, line.price_vnd) for line in found.lines] == [("44519466238259", Decimal(3), None)]
    assert found.partner_ref.startswith("session:")


@pytest.mark.parametrize("adapter", sorted(ADAPTERS))
def test_no_body_of_any_platform_breaks_an_adapter(adapter: str) -> None:
    registered = {name: "x" for name in ADAPTERS[adapter].DECLARATION.settings if not name.endswith("?")}
    topics = ("x-wc-webhook-topic", "x-shopify-topic", "x-haravan-topic", "x-sapo-topic")
    for path in sorted(SAMPLES.glob("*.json*")):
        for topic in ("order.updated", "orders/updated"):
            with suppress(Malformed):
                read(adapter, path.read_bytes(), dict.fromkeys(topics, topic), **registered)
