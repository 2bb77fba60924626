"""Meta: signature and challenge, and the orders among the messages of a push."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from services.orders.adapters import meta
from services.orders.adapters.base import BadSignature, Batch, Challenge, Ignored, Malformed
from services.orders.domain.command import CommandLine, Contact, Kind
from tests.support.platforms.base import NOW, Platform, in_hex, tried, who
from tests.support.platforms.meta import META, meta_message, meta_push
from tests.unit.orders.adapters import contract

# printf '%s' '{"object":"page","entry":[]}' | openssl dgst -sha256 -hmac 'app-secret-of-ours' -hex
VECTOR = (
    "app-secret-of-ours",
    b'{"object":"page","entry":[]}',
    "sha256=bd7186a422232d1adf204e791668614a21febfa092e39eecc2945d5b971d0b04",
)


def test_the_signature_is_over_the_raw_body() -> None:
    secret, raw, signature = VECTOR
    shop = Platform("meta", who(secret, verify_token="x"), (), META.sign)
    contract.believes(shop, raw, {"x-hub-signature-256": signature})
    contract.refuses(shop, raw + b" ", {"x-hub-signature-256": signature})
    assert contract.read(shop, raw) == Ignored("no order")


def test_the_signature_has_its_prefix() -> None:
    contract.believes(META, b"{}", {"x-hub-signature-256": "sha256=" + in_hex(b"{}")})
    contract.refuses(META, b"{}", {"x-hub-signature-256": in_hex(b"{}")})


def test_the_challenge_is_sent_back_to_who_knows_the_token() -> None:
    right = {"hub.mode": "subscribe", "hub.verify_token": "mã của chúng tôi", "hub.challenge": "1158201444"}
    meta.verify(META.credentials, tried(**right), NOW)
    assert meta.read(META.credentials, tried(**right)) == Challenge("1158201444")
    with pytest.raises(BadSignature):
        meta.verify(META.credentials, tried(**right | {"hub.verify_token": "x"}), NOW)


def test_an_order_becomes_a_command() -> None:
    found = contract.command(META, meta_push(meta_message()))
    assert (found.partner_ref, found.kind) == ("wamid.HBgLODQ5MTIzNDU2NzgVAgASGCA3", Kind.UPSERT)
    assert found.lines == (CommandLine(1, "CAI", Decimal(2), 15000), CommandLine(2, "SU-SU", Decimal(1), None))
    assert found.contact == Contact("Lò Thị Mai", "+84912345678", None)
    assert found.revision.updated_at == datetime.fromtimestamp(1795410000, UTC)


def test_all_entries_are_gone_through_and_each_order_is_read_for_itself() -> None:
    push = meta_push(meta_message(), {"type": "text"}, "x", meta_message(id="wamid.2"), meta_message(id=None))
    push["entry"] += meta_push(meta_message(id="wamid.3"))["entry"]
    push["entry"] += [{"changes": [{"field": "messages", "value": 5}, {"field": "account_update"}]}, {"changes": None}]
    found = contract.read(META, push)
    assert isinstance(found, Batch)
    assert [item.id for item in found.items] == [
        "wamid.HBgLODQ5MTIzNDU2NzgVAgASGCA3",
        "wamid.2",
        "messages[4]",
        "wamid.3",
        "value",
    ]
    assert [isinstance(item.command, Malformed) for item in found.items] == [False, False, True, False, True]


def test_a_duplicate_does_not_follow() -> None:
    first = contract.command(META, meta_push(meta_message()))
    assert not contract.command(META, meta_push(meta_message())).follows(first)


def test_messages_to_another_number_of_the_same_app_are_passed_over() -> None:
    push = meta_push(meta_message())
    push["entry"][0]["changes"][0]["value"]["metadata"]["phone_number_id"] = "1"
    assert contract.read(META, push) == Ignored("no order")


def test_statuses_say_nothing_of_an_order() -> None:
    assert contract.read(META, meta_push()) == Ignored("no order")


def test_a_malformed_push_names_its_faults_and_is_answered_200() -> None:
    assert contract.faulty(META, {"object": "page"}) == ["entry"]
    assert contract.faulty(META, meta_push(meta_message(timestamp="x", order={"product_items": []}))) == [
        "timestamp",
        "order.product_items",
    ]
    assert contract.faulty(META, meta_push(*[meta_message()] * 501)) == ["entry"]
    assert meta.DECLARATION.on_malformed == 200
