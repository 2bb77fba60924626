"""Authentic bodies of the platforms, where they lie beside the project; they are not a part of it."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from services.orders.adapters import lazada as lazada_adapter
from services.orders.adapters import shopee as shopee_adapter
from services.orders.adapters import tiktok as tiktok_adapter
from services.orders.adapters.base import Ignored, Thin
from services.orders.domain.command import Kind
from services.orders.platforms import lazada, shopee, tiktok
from services.orders.platforms.calls import decode
from tests.unit.orders.adapters.platform import asked, who

SAMPLES = Path(__file__).parents[3].parent / "shared" / "samples"

pytestmark = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the samples are not here")


def raw(name: str) -> bytes:
    return (SAMPLES / name).read_bytes()


def answer(name: str) -> Any:
    return decode(raw(name))


def test_tiktok_pushes() -> None:
    shop = who("123", app_key="abcdef", shop_cipher="x")
    vector = raw("tiktok_10_signed_vector_body.json").rstrip(b"\n")
    signature = "5dec0f11ec2f6783b8deee53c9ffbf8d024302f7c7e7fa55a35d17629031ac05"
    tiktok_adapter.verify(shop, asked(vector, {"authorization": signature}), datetime(2026, 11, 23, tzinfo=UTC))
    for name in ("tiktok_01_order_status_change.json", "tiktok_02_cancellation_status_change.json"):
        found = tiktok_adapter.read(shop, asked(raw(name)))
        assert isinstance(found, Thin)
        assert found.pulls[0].partner_ref == "576486316948490001"


def test_a_tiktok_order() -> None:
    (detail,) = answer("tiktok_08_get_order_detail_response.json")["data"]["orders"]
    command = tiktok.order_command(detail)
    assert (command.partner_ref, command.kind) == ("576461413038785752", Kind.UPSERT)
    assert [(one.sku, one.quantity, one.price_vnd) for one in command.lines] == [("red_iphone_256", Decimal(1), None)]
    assert command.contact is not None
    assert command.contact.phone == "(+1)213-***-1234"


def test_shopee_pushes() -> None:
    shops = {
        "shopee_03_push_code3_order_status.json": "727720655",
        "shopee_08_push_code3_captured_msg_id_empty.json": "323233231",
    }
    for name, shop_id in shops.items():
        found = shopee_adapter.read(who("key", partner_id="1", shop_id=shop_id), asked(raw(name)))
        assert isinstance(found, Thin)
        assert found.pulls[0].partner_ref == json.loads(raw(name))["data"]["ordersn"]
        assert shopee_adapter.read(who("key", partner_id="1", shop_id="9"), asked(raw(name))) == Ignored("shop")


def test_a_shopee_order() -> None:
    (detail,) = answer("shopee_11_order_detail_VN_repaired.json")["response"]["order_list"]
    command = shopee.order_command(detail)
    assert (command.partner_ref, command.kind) == ("2404098R48U37H", Kind.UPSERT)
    assert [(one.sku, one.quantity, one.price_vnd) for one in command.lines] == [("QAZ-SADOER-05", Decimal(1), 48000)]
    assert command.contact is not None
    assert (command.contact.name, command.contact.phone) == ("P******n", "******64")


def test_a_lazada_push() -> None:
    found = lazada_adapter.read(who("secret", app_key="1"), asked(raw("lazada_01_trade_order_unpaid.json")))
    assert isinstance(found, Thin)
    assert found.pulls[0].partner_ref == "260422900198363"


def test_a_lazada_order() -> None:
    order = answer("lazada_07_get_order_response.json")["data"]
    items = {"order_id": "31202", "order_items": answer("lazada_08_get_order_items_response.json")["data"]}
    assert lazada.order_command(items, order).kind is Kind.CANCEL
    items["order_items"] = [item | {"status": "pending"} for item in items["order_items"]]
    command = lazada.order_command(items, order)
    assert [(one.sku, one.quantity, one.price_vnd) for one in command.lines] == [("BRSD#02", Decimal(1), None)]
    assert command.contact is not None
    assert command.contact.name == "First Name Last Name"
