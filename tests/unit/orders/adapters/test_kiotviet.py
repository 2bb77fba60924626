"""KiotViet: the four readings of its signature, and pushes of several orders."""

import base64
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from services.orders.adapters import kiotviet
from services.orders.adapters.base import Batch, Ignored, Malformed
from services.orders.domain.command import CommandLine, Contact, Kind
from tests.support.platforms.base import NOW, Platform, hmac_sha256, who
from tests.support.platforms.kiotviet import KIOTVIET, kiot_order, kiot_push
from tests.unit.orders.adapters import contract

WRITTEN = base64.b64encode("bí mật của chợ".encode()).decode()


@pytest.mark.parametrize("key", [WRITTEN.encode(), base64.b64decode(WRITTEN)], ids=["literal", "decoded"])
@pytest.mark.parametrize("way", ["hex", "HEX", "base64", "prefixed"])
def test_each_reading_of_the_documentation_is_tried(key: bytes, way: str) -> None:
    shop, raw = Platform("kiotviet", who(WRITTEN), (), KIOTVIET.sign), b'{"Id":"d42dcce1"}'
    mac = hmac_sha256(key, raw)
    signature = {
        "hex": mac.hex(),
        "HEX": mac.hex().upper(),
        "base64": base64.b64encode(mac).decode(),
        "prefixed": f"sha256={mac.hex()}",
    }[way]
    contract.believes(shop, raw, {"x-hub-signature": signature})
    contract.refuses(shop, raw + b" ", {"x-hub-signature": signature})


def test_a_push_is_never_refused() -> None:
    assert (kiotviet.DECLARATION.on_bad_signature, kiotviet.DECLARATION.on_malformed) == (200, 200)


def test_an_order_becomes_a_command_with_exact_quantities() -> None:
    found = contract.command(KIOTVIET, kiot_push(kiot_order(0, 1)))
    assert (found.partner_ref, found.kind) == ("26254255", Kind.UPSERT)
    assert found.lines == (CommandLine(1, "CAI", Decimal("1.5"), 30000), CommandLine(2, "SU-SU", Decimal(2), None))
    assert found.revision.updated_at == datetime(2026, 11, 23, 1, 0, 0, 147000, tzinfo=UTC)
    assert found.contact == Contact("Lò Thị Mai", None, None)


def test_a_time_without_offset_is_that_of_ha_noi() -> None:
    found = contract.command(
        KIOTVIET, kiot_push(kiot_order(0, 1, ModifiedDate=None, PurchaseDate="2026-11-23T08:00:00"))
    )
    assert found.revision.updated_at == datetime(2026, 11, 23, 1, 0, tzinfo=UTC)


def test_a_purchase_that_is_dated_into_the_future_is_not_newer_than_its_arrival() -> None:
    dated = {"PurchaseDate": "2026-12-31T08:00:00"}
    first = contract.command(KIOTVIET, kiot_push(kiot_order(0, 1, ModifiedDate=None, **dated)))
    assert first.revision.updated_at == NOW
    modified = kiot_order(0, 1, ModifiedDate="2026-11-23T13:00:01", **dated)
    assert contract.command(KIOTVIET, kiot_push(modified)).follows(first)


def test_an_update_follows_a_duplicate_does_not_and_the_further_status_wins() -> None:
    first = contract.command(KIOTVIET, kiot_push(kiot_order(0, 1)))
    assert contract.command(KIOTVIET, kiot_push(kiot_order(1, 1))).follows(first)
    assert not contract.command(KIOTVIET, kiot_push(kiot_order(0, 1))).follows(first)
    ranks = [contract.command(KIOTVIET, kiot_push(kiot_order(0, status))).revision for status in (1, 5, 2, 3, 4)]
    assert ranks == sorted(ranks)


def test_a_cancelled_order_is_cancelled() -> None:
    assert contract.command(KIOTVIET, kiot_push(kiot_order(0, 4))).kind is Kind.CANCEL


def test_each_order_of_a_push_is_read_for_itself() -> None:
    found = contract.read(KIOTVIET, kiot_push(kiot_order(0, 1), {"Id": 5}, "x", kiot_order(0, 1, Id=7)))
    assert isinstance(found, Batch)
    assert [item.id for item in found.items] == ["26254255", "orders[1]", "orders[2]", "7"]
    assert [isinstance(item.command, Malformed) for item in found.items] == [False, True, True, False]


@pytest.mark.parametrize("action", ["product.update.500400541", "invoice.update", "order.updated", ""])
def test_other_actions_are_ignored(action: str) -> None:
    assert contract.read(KIOTVIET, kiot_push(kiot_order(0, 1), action=action)) == Ignored("action")


@pytest.mark.parametrize("quantity", [1.1234567, -1, "x", None, True, 10**6, 1e300, 1e-300])
def test_a_quantity_that_is_not_exact_is_refused(quantity: object) -> None:
    assert contract.faulty(KIOTVIET, kiot_push(kiot_order(0, 1, quantity))) == ["OrderDetails[0].Quantity"]


def test_a_push_that_is_none_is_malformed() -> None:
    assert contract.faulty(KIOTVIET, {"RemoveId": [1]}) == ["Notifications"]
    assert contract.faulty(KIOTVIET, kiot_push(*[kiot_order(0, 1)] * 501)) == ["Notifications"]
