"""WooCommerce: the signature as its PHP computes it, and its order bodies (REST API v3)."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from services.orders.adapters import woocommerce
from services.orders.adapters.base import BadSignature, Credentials, Ignored, Malformed, Ping
from services.orders.domain.command import UNTIMED, CommandLine, Contact, Kind, OrderCommand
from tests.support.platforms.base import asked

NOW = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
NOBODY = Credentials((), {})

# Computed with: printf '%s' "$BODY" | openssl dgst -sha256 -hmac "$KEY" -binary | base64
SIGNED = (
    b'{"id":727,"status":"processing","date_modified_gmt":"2026-11-23T01:02:03",'
    b'"line_items":[{"id":315,"sku":"CAI-MEO-300G","quantity":2}]}'
)
PLAIN_SECRET = "whsec_bXkgc2VjcmV0IGtleSBvZiAzMiBieXRlcy4uLi4="
PLAIN_SIGNATURE = "v+NUIIHujMUhbtd/boT8nb2izRUTf1xIGIKtKupbVRY="
ENCODED_SECRET = "chợ &amp; phi&#234;n &lt;1&#062;".replace("&#234;", "ê")
DECODED_SIGNATURE = "u3ZAWfZtuGPMqIxk/Xdsz1eMWnSHAD2/2ytCvUffDXU="


def signed(signature: str, **other: str) -> dict[str, str]:
    return {
        "content-type": "application/json",
        "x-wc-webhook-topic": "order.updated",
        "x-wc-webhook-signature": signature,
        "x-wc-webhook-delivery-id": "7516fc0970a9289c8cec3ec950ff0c28",
    } | other


def verify(secrets: tuple[str, ...], headers: dict[str, str], raw: bytes) -> None:
    woocommerce.verify(Credentials(secrets, {}), asked(raw, headers), NOW)


def test_the_signature_is_over_the_raw_body() -> None:
    verify((PLAIN_SECRET,), signed(PLAIN_SIGNATURE), SIGNED)
    with pytest.raises(BadSignature):
        verify((PLAIN_SECRET,), signed(PLAIN_SIGNATURE), SIGNED + b"\n")


def test_the_key_is_the_secret_with_its_html_entities_decoded() -> None:
    verify((PLAIN_SECRET, ENCODED_SECRET), signed(DECODED_SIGNATURE), SIGNED)
    verify(("chợ & phiên <1>",), signed(DECODED_SIGNATURE), SIGNED)


@pytest.mark.parametrize(
    ("secret", "key"),
    [
        ("a&quot;b&#039;c&#x27;d&#0034;", "a\"b'c'd\""),
        ("&amp;lt;", "&lt;"),
        ("&eacute;&copy;&#65;", "&eacute;&copy;&#65;"),
    ],
)
def test_only_what_wordpress_decodes_is_decoded_and_only_once(secret: str, key: str) -> None:
    assert woocommerce._key(secret) == key.encode()


@pytest.mark.parametrize("signature", ["", "AAAA", "é", PLAIN_SIGNATURE.lower()])
def test_any_other_signature_is_refused(signature: str) -> None:
    with pytest.raises(BadSignature):
        verify((PLAIN_SECRET,), signed(signature), SIGNED)


def test_the_unsigned_ping_is_let_through_and_is_nothing_but_a_ping() -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    verify((PLAIN_SECRET,), headers, b"webhook_id=12")
    assert woocommerce.read(NOBODY, asked(b"webhook_id=12", headers)) == Ping()
    for raw in (SIGNED, b"webhook_id=12&x=1", b"webhook_id=", b""):
        with pytest.raises(BadSignature):
            verify((PLAIN_SECRET,), headers, raw)


# -- Bodies --------------------------------------------------------------------------------------------------


def body(**other: Any) -> dict[str, Any]:
    return {
        "id": 727,
        "number": "727",
        "status": "processing",
        "currency": "VND",
        "date_modified": "2026-11-23T08:02:03",
        "date_modified_gmt": "2026-11-23T01:02:03",
        "total": "125000",
        "billing": {"first_name": "", "last_name": "Lò Thị Mai", "phone": "0912345678", "address_1": "Bản Hua Tạt"},
        "shipping": {"first_name": "", "last_name": "", "address_1": "", "city": ""},
        "meta_data": [{"id": 1, "key": "_edit_lock", "value": {"any": ["thing"]}}],
        "line_items": [
            {
                "id": 315,
                "name": "Cải mèo",
                "product_id": 93,
                "variation_id": 0,
                "quantity": 2,
                "sku": "CAI",
                "price": 0.5,
                "total": "30000.00",
            },
            {"id": 316, "name": "Su su", "product_id": 22, "variation_id": 23, "quantity": 1, "sku": "", "price": 0.5},
        ],
        "refunds": [],
    } | other


def read(order: dict[str, Any], topic: str = "order.updated") -> Any:
    return woocommerce.read(NOBODY, asked(json.dumps(order).encode(), signed("", **{"x-wc-webhook-topic": topic})))


def command(order: dict[str, Any], topic: str = "order.updated") -> OrderCommand:
    found = read(order, topic)
    assert isinstance(found, OrderCommand)
    return found


def faulty_fields(order: dict[str, Any], topic: str = "order.updated") -> list[str]:
    with pytest.raises(Malformed) as caught:
        read(order, topic)
    return [name for name, _ in caught.value.fields]


def test_an_order_becomes_a_command_with_its_lasting_line_numbers() -> None:
    found = command(body(), "order.created")
    assert (found.partner_ref, found.kind, found.delivery_day) == ("727", Kind.UPSERT, None)
    assert found.revision.updated_at == datetime(2026, 11, 23, 1, 2, 3, tzinfo=UTC)
    assert found.lines == (CommandLine(315, "CAI", Decimal(2), 15000), CommandLine(316, "product:23", Decimal(1)))
    assert found.contact == Contact("Lò Thị Mai", "0912345678", "Bản Hua Tạt")


@pytest.mark.parametrize(
    ("currency", "total", "price_vnd"),
    [("VND", "20000", 10000), ("VND", "0.00", 0), ("VND", "3", None), ("USD", "4.00", None), ("VND", "-2", None)],
)
def test_the_price_per_item_is_whole_vnd_or_not_known(currency: str, total: str, price_vnd: int | None) -> None:
    items = [{"id": 1, "sku": "A", "quantity": 2, "total": total}]
    assert command(body(currency=currency, line_items=items)).lines[0].price_vnd == price_vnd


@pytest.mark.parametrize(
    ("total", "tax", "price_vnd"),
    [("27272.73", "2727.27", 15000), ("30000", "0.00", 15000), ("30000", None, 15000), (None, "2727", None)],
)
def test_what_the_customer_paid_is_with_tax(total: str | None, tax: str | None, price_vnd: int | None) -> None:
    items = [{"id": 1, "sku": "A", "quantity": 2, "total": total, "total_tax": tax}]
    assert command(body(line_items=items)).lines[0].price_vnd == price_vnd


@pytest.mark.parametrize("status", ["pending", "processing", "on-hold", "completed", "dang-giao"])
def test_an_order_under_way_is_an_order(status: str) -> None:
    assert command(body(status=status)).kind is Kind.UPSERT


@pytest.mark.parametrize("status", ["cancelled", "refunded", "failed", "trash"])
def test_an_order_that_ended_is_cancelled_and_outranks_a_push_of_the_same_second(status: str) -> None:
    found = command(body(status=status))
    assert found.kind is Kind.CANCEL
    assert found.revision > command(body(status="completed")).revision


@pytest.mark.parametrize(
    ("total", "refunds", "kind"),
    [
        ("125000", ["-125000"], Kind.CANCEL),
        ("125000.10", ["-100000.05", "-25000.05"], Kind.CANCEL),
        ("125000", [-125000], Kind.CANCEL),
        ("125000", ["-30000"], Kind.UPSERT),
        ("125000", ["-124999.99"], Kind.UPSERT),
        ("125000", ["-125000", "-1"], Kind.UPSERT),
        ("125000", ["mười hai", None], Kind.UPSERT),
        ("0", ["0"], Kind.UPSERT),
        ("0", [], Kind.UPSERT),
        (None, ["-125000"], Kind.UPSERT),
    ],
)
def test_an_order_of_which_all_was_refunded_is_cancelled_and_any_other_stays(
    total: str | None, refunds: list[object], kind: Kind
) -> None:
    told = [{"id": number, "reason": "", "total": amount} for number, amount in enumerate(refunds)]
    found = command(body(total=total, refunds=told))
    assert (found.kind, found.revision.status_rank) == (kind, 9 if kind is Kind.CANCEL else 2)
    assert command(body(total=total, refunds=None)).kind is Kind.UPSERT


def test_the_further_status_wins_within_a_second() -> None:
    ranks = [command(body(status=s)).revision for s in ("pending", "on-hold", "processing", "completed")]
    assert ranks == sorted(ranks)


def test_a_deleted_order_stays_cancelled_unless_the_shop_restores_it() -> None:
    deleted = command({"id": 727}, "order.deleted")
    assert (deleted.partner_ref, deleted.kind, deleted.revision.updated_at) == ("727", Kind.CANCEL, UNTIMED)
    assert not command(body(date_modified_gmt="2199-01-01T00:00:00")).follows(deleted)
    assert command(body(), "order.restored").follows(deleted)
    assert not command(body(), "order.restored").follows(command(body(date_modified_gmt="2026-11-23T01:02:04")))


@pytest.mark.parametrize("number", [-1, 2**63, 10**39])
def test_an_id_that_no_shop_can_have_is_faulty(number: int) -> None:
    assert faulty_fields({"id": number}, "order.deleted") == ["id"]
    items = [{"product_id": number, "quantity": 1}]
    assert faulty_fields(body(line_items=items)) == ["line_items[0].product_id"]


def test_drafts_and_other_topics_are_ignored() -> None:
    assert read(body(status="checkout-draft")) == Ignored("status")
    assert read({"action": "x", "arg": 1}, "action.woocommerce_order_status_changed") == Ignored("topic")
    assert read({}, "product.updated") == Ignored("topic")


def test_the_delivery_day_is_read_where_the_shop_asks_for_one() -> None:
    meta = [{"id": 1, "key": "_delivery_day", "value": "2026-11-25"}]
    assert command(body(meta_data=meta)).delivery_day == date(2026, 11, 25)
    for written in ("25/11/2026", " 25/11/2026 "):
        assert command(body(meta_data=[{"key": "_delivery_day", "value": written}])).delivery_day == date(2026, 11, 25)
    for wrong in ("31/11/2026", "25/11/26", "11/25/2026"):
        assert faulty_fields(body(meta_data=[{"key": "_delivery_day", "value": wrong}])) == ["meta_data[0].value"]
    assert command(body(meta_data=[{"key": "_delivery_day", "value": ""}])).delivery_day is None
    assert faulty_fields(body(meta_data=[{"key": "_delivery_day", "value": "mai"}])) == ["meta_data[0].value"]


def test_items_without_quantity_are_left_out_and_items_without_ids_are_counted() -> None:
    items = [{"sku": "A", "quantity": 0}, {"sku": "B", "quantity": 3}]
    assert command(body(line_items=items)).lines == (CommandLine(2, "B", Decimal(3)),)


def test_goods_sold_by_weight_keep_their_exact_quantity() -> None:
    items = [{"id": 1, "sku": "A", "quantity": 1.1}, {"id": 2, "sku": "B", "quantity": "0.300"}]
    assert [line.quantity for line in command(body(line_items=items)).lines] == [Decimal("1.1"), Decimal("0.3")]


def test_the_address_is_found_where_vietnamese_shops_put_it() -> None:
    meta = [{"key": "_shipping_address", "value": "Bản Áng, Đông Sang"}]
    found = command(body(meta_data=meta)).contact
    assert found is not None
    assert found.address == "Bản Áng, Đông Sang"


def test_all_faulty_fields_are_named_at_once() -> None:
    faulty = body(status=None, line_items=[{"id": 1, "sku": "A", "quantity": -1}, {"id": 2, "quantity": "hai"}])
    del faulty["date_modified_gmt"]
    assert faulty_fields(faulty) == [
        "status",
        "date_modified_gmt",
        "line_items[0].quantity",
        "line_items[1].quantity",
    ]
    assert faulty_fields(body(date_modified_gmt="0001-01-01T00:00:00")) == ["date_modified_gmt"]
    assert faulty_fields({"id": "x"}, "order.deleted") == ["id"]


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"\xff"])
def test_a_body_that_is_no_order_is_malformed(raw: bytes) -> None:
    with pytest.raises(Malformed) as caught:
        woocommerce.read(NOBODY, asked(raw, signed("")))
    assert [name for name, _ in caught.value.fields] == ["body"]
