"""Mutated pushes and order details: nothing but Malformed may come back, and what is read is sound."""

import json
import random
from collections.abc import Callable
from typing import Any

import pytest

from services.orders.adapters import ADAPTERS
from services.orders.adapters.base import Malformed, Thin
from services.orders.domain.command import OrderCommand
from services.orders.platforms import lazada, shopee, tiktok
from services.orders.platforms.calls import decode
from tests import fuzz_adapters
from tests.support.platforms.base import asked, who
from tests.unit.orders.platforms.test_details import (
    lazada_item,
    lazada_items,
    shopee_item,
    shopee_order,
    tiktok_item,
    tiktok_order,
)

EXAMPLES = 1500

PUSHES: dict[str, list[Any]] = {
    "tiktok": [
        {"type": kind, "tts_notification_id": "7", "shop_id": "1", "timestamp": 1732320000,
         "data": {"order_id": "5764", "order_status": status, "update_time": 1732320000}}
        for kind, status in ((1, "UNPAID"), (1, "CANCEL"), (3, ""), (11, "CANCELLATION_REQUEST_SUCCESS"))
    ],
    "shopee": [
        {"code": 3, "shop_id": 1, "msg_id": "",
         "data": {"ordersn": "2404", "status": status, "update_time": 1732320000}}
        for status in ("READY_TO_SHIP", "CANCELLED")
    ],
    "lazada": [
        {"message_type": 0, "seller_id": "1", "data": {"trade_order_id": "26", "trade_order_line_id": "27",
         "order_status": "pending", "status_update_time": 1732320000}}
    ],
}  # fmt: skip
SHOPS = {
    "tiktok": who("x", app_key="k", shop_cipher="c"),
    "shopee": who("x", partner_id="1", shop_id="1"),
    "lazada": who("x", app_key="k"),
}
_TO = {"name": "N***", "phone_number": "09", "phone": "09", "full_address": "Vân Hồ"}
DETAILS: dict[str, tuple[Callable[[Any], OrderCommand], list[Any]]] = {
    "tiktok": (tiktok.order_command, [tiktok_order(tiktok_item(1), tiktok_item(2, "B"), recipient_address=_TO)]),
    "shopee": (shopee.order_command, [shopee_order(shopee_item(1, "A", 2), recipient_address=_TO)]),
    "lazada": (
        lambda found: lazada.order_command(found[0], found[1]),
        [[lazada_items(lazada_item(1), lazada_item(2, "B", "canceled")), {"address_shipping": {"first_name": "N"}}]],
    ),
}


def mutated(bodies: list[Any], draw: random.Random) -> Any:
    body = draw.choice(bodies)
    for _ in range(draw.choice((0, 1, 1, 2, 4))):
        body = fuzz_adapters._mutate(body, draw)
    return body


@pytest.mark.parametrize("name", sorted(PUSHES))
def test_no_mutated_push_breaks_a_thin_adapter(name: str) -> None:
    draw, seen = random.Random(name), set()
    for _ in range(EXAMPLES):
        raw = json.dumps(mutated(PUSHES[name], draw)).encode()
        try:
            found = ADAPTERS[name].read(SHOPS[name], asked(raw))
        except Malformed as error:
            seen.add("malformed" if error.fields else "no reason")
            continue
        seen.add(type(found).__name__)
        if isinstance(found, OrderCommand):
            fuzz_adapters.sound(found)
        for pull in found.pulls if isinstance(found, Thin) else ():
            assert 1 <= len(pull.partner_ref) <= 100
            for text in (pull.partner_ref, pull.key, pull.status):
                assert "\x00" not in text
                text.encode()
    assert {"malformed", "Thin"} <= seen
    assert "no reason" not in seen


@pytest.mark.parametrize("name", sorted(DETAILS))
def test_no_mutated_detail_breaks_what_reads_it(name: str) -> None:
    read, bodies = DETAILS[name]
    draw, seen = random.Random(name), set()
    for _ in range(EXAMPLES):
        found = decode(json.dumps(mutated(bodies, draw)).encode().replace(b"NaN", b"0").replace(b"Infinity", b"0"))
        try:
            if name == "lazada" and not (isinstance(found, list) and len(found) == 2 and isinstance(found[1], dict)):
                continue  # the client looks at this before
            command = read(found)
        except Malformed as error:
            seen.add("malformed" if error.fields else "no reason")
            continue
        fuzz_adapters.sound(command)
        seen.add(command.kind.value)
    assert {"malformed", "upsert"} <= seen
    assert "no reason" not in seen
