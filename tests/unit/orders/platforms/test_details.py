"""What the platforms say of an order becomes a command: units are counted by SKU, money is whole VND or unknown."""

from datetime import UTC, datetime
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from services.orders.adapters.base import MOST_LINES, Malformed
from services.orders.domain.command import CommandLine, Contact, Kind
from services.orders.platforms import lazada, shopee, tiktok
from services.orders.platforms.calls import decode
from services.orders.platforms.units import Unit, lines_of

AT = 1732320000
MOMENT = datetime(2024, 11, 23, tzinfo=UTC)


def line(line_no: int, sku: str, quantity: int, price_vnd: int | None = None) -> CommandLine:
    return CommandLine(line_no, sku, Decimal(quantity), price_vnd)


# -- TikTok Shop ---------------------------------------------------------------------------------------------


def tiktok_item(number: int, sku: str = "CAI-300G", **other: Any) -> dict[str, Any]:
    item = {"id": str(number), "sku_id": "2729", "seller_sku": sku, "sale_price": "15000", "currency": "VND"}
    return item | {"display_status": "TO_SHIP"} | other


def tiktok_order(*items: dict[str, Any], status: str = "AWAITING_SHIPMENT", **other: Any) -> dict[str, Any]:
    return {"id": "5764", "status": status, "update_time": AT, "line_items": list(items)} | other


def test_tiktok_lists_every_unit_and_we_count_them() -> None:
    command = tiktok.order_command(
        tiktok_order(tiktok_item(3), tiktok_item(9, "SU-SU", sale_price="9000"), tiktok_item(4), tiktok_item(5))
    )
    assert (command.partner_ref, command.kind, command.delivery_day) == ("5764", Kind.UPSERT, None)
    assert command.lines == (line(1, "CAI-300G", 3, 15000), line(2, "SU-SU", 1, 9000))
    assert (command.revision.updated_at, command.contact) == (MOMENT, None)


def test_a_line_keeps_its_number_when_all_units_of_another_are_cancelled() -> None:
    command = tiktok.order_command(tiktok_order(tiktok_item(1, "A", display_status="CANCELLED"), tiktok_item(2, "B")))
    assert command.lines == (line(2, "B", 1, 15000),)


@pytest.mark.parametrize("status", ["CANCELLED", "CANCEL"])
def test_a_cancelled_order_of_tiktok(status: str) -> None:
    assert tiktok.order_command(tiktok_order(tiktok_item(1), status=status)).kind is Kind.CANCEL


def test_an_order_of_which_nothing_is_left_is_cancelled() -> None:
    command = tiktok.order_command(tiktok_order(tiktok_item(1, display_status="CANCELLED")))
    assert (command.kind, command.lines) == (Kind.CANCEL, ())


def test_a_masked_customer_passes_through() -> None:
    to = {"name": "N*** V*** A", "phone_number": "(+84)9*****64", "full_address": "Bản Tả Phời\n, Vân Hồ", "zip": None}
    command = tiktok.order_command(tiktok_order(tiktok_item(1), recipient_address=to))
    assert command.contact == Contact("N*** V*** A", "(+84)9*****64", "Bản Tả Phời , Vân Hồ")


def test_half_a_character_that_masking_left_is_replaced() -> None:
    to = decode(rb'{"name": "Mai \ud83d***", "full_address": "\u0000"}')
    command = tiktok.order_command(tiktok_order(tiktok_item(1, "A\ud83d"), recipient_address=to))
    assert (command.contact, command.lines[0].sku) == (Contact("Mai ?***", None, None), "A?")


def test_prices_that_are_no_whole_vnd_are_unknown() -> None:
    def price(*items: dict[str, Any]) -> int | None:
        return tiktok.order_command(tiktok_order(*items)).lines[0].price_vnd

    assert price(tiktok_item(1, sale_price="15000.00")) == 15000
    assert price(tiktok_item(1, sale_price="0.5")) is None
    assert price(tiktok_item(1, currency="IDR")) is None
    assert price(tiktok_item(1, sale_price="-1")) is None
    assert price(tiktok_item(1), tiktok_item(2, sale_price="16000")) == 15500
    assert price(tiktok_item(1), tiktok_item(2, sale_price="15001")) is None


def test_a_unit_without_a_sku_of_the_seller_goes_by_the_platforms() -> None:
    (one,) = tiktok.order_command(tiktok_order(tiktok_item(1, "  "))).lines
    assert one.sku == "sku:2729"


@pytest.mark.parametrize(
    ("wrong", "fields"),
    [
        ({"id": None}, ["id"]),
        ({"update_time": 3}, ["update_time"]),
        ({"status": ""}, ["status"]),
        ({"line_items": None}, ["line_items"]),
        ({"line_items": [{"id": "x"}]}, ["line_items[0].id"]),
    ],
)
def test_a_detail_that_is_not_as_documented_names_its_fields(wrong: dict[str, Any], fields: list[str]) -> None:
    with pytest.raises(Malformed) as refused:
        tiktok.order_command(tiktok_order(tiktok_item(1)) | wrong)
    assert [name for name, _ in refused.value.fields] == fields


# -- Shopee --------------------------------------------------------------------------------------------------


def shopee_order(*items: dict[str, Any], **other: Any) -> dict[str, Any]:
    order = {"order_sn": "2404", "order_status": "READY_TO_SHIP", "update_time": AT, "currency": "VND"}
    return order | {"item_list": list(items)} | other


def shopee_item(model: int, sku: str, quantity: int, price: object = 48000, **other: Any) -> dict[str, Any]:
    item = {"item_id": 236, "model_id": model, "model_sku": sku, "item_sku": "CHA"}
    return item | {"model_quantity_purchased": quantity, "model_discounted_price": price} | other


def test_shopee_says_how_many_were_bought() -> None:
    command = shopee.order_command(shopee_order(shopee_item(7, "SU-SU", 2), shopee_item(3, "CAI-300G", 5, 15000)))
    assert command.lines == (line(1, "CAI-300G", 5, 15000), line(2, "SU-SU", 2, 48000))


def test_the_same_sku_twice_is_one_line() -> None:
    command = shopee.order_command(shopee_order(shopee_item(7, "SU-SU", 2, 9000), shopee_item(7, "SU-SU", 1, 0)))
    assert command.lines == (line(1, "SU-SU", 3, 6000),)


def test_numbers_with_a_fraction_are_exact() -> None:
    found = decode(b'{"model_discounted_price": 48000.0}')["model_discounted_price"]
    assert isinstance(found, Decimal)
    assert shopee.order_command(shopee_order(shopee_item(7, "A", 1, found))).lines == (line(1, "A", 1, 48000),)
    other = shopee.order_command(shopee_order(shopee_item(7, "A", 1, decode(b"48000.5"))))
    assert other.lines == (line(1, "A", 1, None),)


def test_skus_of_shopee_fall_back_to_the_item_and_then_to_ids() -> None:
    def sku(**other: Any) -> str:
        return shopee.order_command(shopee_order(shopee_item(7, "", 1, **other))).lines[0].sku

    assert sku() == "CHA"
    assert sku(item_sku="") == "model:7"
    assert sku(item_sku=None, model_id=0) == "item:236"


def test_an_order_of_shopee_is_cancelled_only_when_it_is() -> None:
    assert shopee.order_command(shopee_order(shopee_item(1, "A", 1), order_status="IN_CANCEL")).kind is Kind.UPSERT
    assert shopee.order_command(shopee_order(shopee_item(1, "A", 1), order_status="CANCELLED")).kind is Kind.CANCEL


def test_a_masked_customer_of_shopee_passes_through() -> None:
    to = {"name": "P******n", "phone": "******64", "full_address": "Ấp******", "district": ""}
    command = shopee.order_command(shopee_order(shopee_item(1, "A", 1), recipient_address=to))
    assert command.contact == Contact("P******n", "******64", "Ấp******")


# -- Lazada --------------------------------------------------------------------------------------------------


def lazada_item(number: int, sku: str = "CAI-300G", status: str = "pending", **other: Any) -> dict[str, Any]:
    item = {"order_item_id": number, "sku": sku, "status": status, "item_price": "15000.00", "currency": "VND"}
    return item | {"updated_at": "2024-11-23 07:00:00 +0700"} | other


def lazada_items(*items: dict[str, Any]) -> dict[str, Any]:
    return {"order_id": 16090, "order_number": 300034416, "order_items": list(items)}


def test_lazada_lists_every_unit_and_we_count_them() -> None:
    command = lazada.order_command(lazada_items(lazada_item(8), lazada_item(7), lazada_item(9, "SU-SU")), {})
    assert command.partner_ref == "16090"
    assert command.lines == (line(1, "CAI-300G", 2, 15000), line(2, "SU-SU", 1, 15000))
    assert command.revision.updated_at == MOMENT


def test_only_the_cancelled_lines_of_lazada_go_and_the_newest_change_counts() -> None:
    items = lazada_items(
        lazada_item(1, "A", "canceled", updated_at="2024-11-24 00:00:00 +0000"), lazada_item(2, "B", "shipped")
    )
    command = lazada.order_command(items, {})
    assert (command.kind, command.lines) == (Kind.UPSERT, (line(2, "B", 1, 15000),))
    assert command.revision.updated_at == datetime(2024, 11, 24, tzinfo=UTC)
    nothing = lazada.order_command(lazada_items(lazada_item(1, status="canceled")), {})
    assert nothing.kind is Kind.CANCEL


def test_the_customer_of_lazada_comes_from_the_order() -> None:
    to = {"first_name": "Nguyễn", "last_name": "", "phone": "94***48", "address1": "Số 1", "address5": "Vân Hồ",
          "address4": "Vân Hồ", "address3": "Sơn La", "city": "Sơn La", "country": "Vietnam"}  # fmt: skip
    command = lazada.order_command(lazada_items(lazada_item(1)), {"address_shipping": to})
    assert command.contact == Contact("Nguyễn", "94***48", "Số 1, Vân Hồ, Sơn La")


@pytest.mark.parametrize("written", ["", "2024-11-23", "2024-11-23 07:00:00", "0001-01-01 00:00:00 +0000"])
def test_a_time_that_lazada_does_not_write_so_is_faulty(written: str) -> None:
    with pytest.raises(Malformed):
        lazada.order_command(lazada_items(lazada_item(1, updated_at=written)), {})


# -- Units ---------------------------------------------------------------------------------------------------


def test_the_order_in_which_units_are_listed_changes_nothing() -> None:
    units = [Unit(number, sku, 1, Decimal(10)) for number, sku in enumerate("ABACBA", 1)]
    shuffled = [*units]
    Random(5).shuffle(shuffled)
    assert lines_of(units) == lines_of(shuffled) == (line(1, "A", 3, 10), line(2, "B", 2, 10), line(3, "C", 1, 10))


def test_more_skus_than_an_order_may_have_lines_are_refused() -> None:
    with pytest.raises(Malformed):
        lines_of([Unit(number, f"S{number}", 1, None) for number in range(MOST_LINES + 1)])
