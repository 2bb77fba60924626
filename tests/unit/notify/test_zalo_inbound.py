"""What Zalo reports, read from raw bytes: only what is signed, and only what is for us."""

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notify.domain.messages import Receipt, Said
from services.notify.inbound import MOST_TEXT, Forged, Malformed
from services.notify.inbound.zalo import ZaloReader

APP, SECRET = "2074138120372622546", "khóa bí mật"
SAMPLES = Path(__file__).resolve().parents[3].parent / "shared" / "samples"
READER = ZaloReader(APP, SECRET)
OURS = UUID("019ab0c4-9d1e-7c55-b0a4-3f3c5e2b7a10")
AT = datetime(2026, 11, 23, 3, 0, 0, 125_000, tzinfo=UTC)
MS = "1795402800125"


def sign(body: bytes, first: str = APP, secret: str = SECRET) -> str:
    timestamp = str(json.loads(body)["timestamp"])
    return "mac=" + hashlib.sha256(first.encode() + body + timestamp.encode() + secret.encode()).hexdigest()


def event(name: str, message: object, **other: Any) -> bytes:
    told = {"sender": {"id": "11"}, "recipient": {"id": "22"}, "event_name": name, "message": message, "timestamp": MS}
    return json.dumps(told | other, ensure_ascii=False).encode()


def read(body: bytes, server: str | None = None) -> list[Receipt | Said]:
    return READER.read(body, sign(body), server)


def test_the_receipt_of_a_template_names_our_id_and_zalos() -> None:
    message = {"delivery_time": MS, "msg_id": "15a0", "tracking_id": OURS.hex}
    [receipt] = read(event("user_received_message", message, timestamp="1795402899000"), "ZNS")
    assert receipt == Receipt("zalo", AT, True, OURS, "15a0")


def test_the_receipt_of_a_message_that_is_not_ours_names_zalos_id_only() -> None:
    [receipt] = read(event("user_received_message", {"msg_id": "15a0", "tracking_id": "tracking_id"}))
    assert receipt == Receipt("zalo", AT, True, None, "15a0")


def test_the_receipts_of_a_conversation_have_zalos_ids() -> None:
    assert read(event("user_received_message", {"msg_id": "96d3"})) == [Receipt("zalo_oa", AT, True, None, "96d3")]
    assert read(event("user_seen_message", {"msg_ids": ["a", "b"]})) == [
        Receipt("zalo_oa", AT, True, None, "a"),
        Receipt("zalo_oa", AT, True, None, "b"),
    ]
    assert read(event("user_seen_message", {"msg_id": "a"})) == [Receipt("zalo_oa", AT, True, None, "a")]


def test_what_a_user_writes_is_passed_on_with_its_sender() -> None:
    [said] = read(event("user_send_text", {"text": "chỉ có 5 cân", "msg_id": "96d3"}))
    assert said == Said("zalo_oa", "11", "chỉ có 5 cân", "96d3", AT)
    [said] = read(event("user_send_text", {"text": "x" * 9999, "msg_id": "96d3"}))
    assert isinstance(said, Said)
    assert len(said.text) == MOST_TEXT
    [said] = read(event("user_send_text", {"text": "không\x00 có", "msg_id": "96d3"}))
    assert isinstance(said, Said)
    assert said.text == "không có"


@pytest.mark.parametrize(
    "kind", ["audio", "image", "gif", "video", "sticker", "location", "file", "link", "business_card"]
)
def test_what_has_no_text_is_passed_on_as_its_kind_so_that_somebody_looks_at_it(kind: str) -> None:
    attached = {"attachments": [{"type": kind, "payload": {"url": "https://zalo.example/1"}}], "msg_id": "96d3"}
    for text in ({}, {"text": ""}, {"text": None}):
        assert read(event(f"user_send_{kind}", attached | text)) == [Said("zalo_oa", "11", f"[{kind}]", "96d3", AT)]
    assert read(event(f"user_send_{kind}", attached | {"text": "hỏng hết"})) == [
        Said("zalo_oa", "11", "hỏng hết", "96d3", AT)
    ]


@pytest.mark.parametrize(
    "name",
    [
        *("user_feedback", "follow", "unfollow", "user_submit_info", "oa_send_text", "oa_send_image", "", "new"),
        *("user_send_", "user_send_group_text", "user_send_group_audio"),
    ],
)
def test_other_events_are_for_nobody_here(name: str) -> None:
    assert read(event(name, None)) == []


def test_a_request_without_a_signature_is_the_consoles_test_and_says_nothing() -> None:
    for body in (b"", b"{}", event("user_send_text", {"text": "giả", "msg_id": "1"})):
        assert READER.read(body, None) == []


@pytest.mark.parametrize("signature", ["", "mac=", "mac=" + "0" * 64, "0" * 64, "mac=é"])
def test_a_wrong_signature_is_forged(signature: str) -> None:
    with pytest.raises(Forged):
        READER.read(event("user_received_message", {"msg_id": "1"}), signature)


@given(st.data())
def test_every_changed_byte_is_forged(data: st.DataObject) -> None:
    body = event("user_send_text", {"text": "có", "msg_id": "1"})
    place = data.draw(st.integers(0, len(body) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda byte: byte != body[place]))
    with pytest.raises(Forged):
        READER.read(body[:place] + bytes([other]) + body[place + 1 :], sign(body))


def test_a_text_with_a_nul_is_kept_without_it() -> None:
    [said] = read(event("user_send_text", {"text": "chỉ có\0 5 cân", "msg_id": "96d3"}))
    assert isinstance(said, Said)
    assert said.text == "chỉ có 5 cân"


@pytest.mark.parametrize("depth", [100, 500, 1000, 2000, 100_000])
def test_whatever_is_nested_too_deep_is_forged(depth: int) -> None:
    for body in (b"[" * depth, b'{"timestamp":' + b"[" * depth + b"]" * depth + b"}"):
        with pytest.raises(Forged):
            READER.read(body, "mac=" + "0" * 64)


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{", b'{"a": "\xff"}'])
def test_what_cannot_be_verified_is_forged(body: bytes) -> None:
    with pytest.raises(Forged):
        READER.read(body, "mac=" + "0" * 64)


def test_some_accounts_sign_with_another_first_term() -> None:
    body = event("user_received_message", {"msg_id": "1"})
    with pytest.raises(Forged):
        READER.read(body, sign(body, first="oa"))
    assert len(ZaloReader("oa", SECRET).read(body, sign(body, first="oa"))) == 1


def test_the_timestamp_may_be_a_number() -> None:
    assert len(read(event("user_received_message", {"msg_id": "1"}, timestamp=int(MS)))) == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (event("user_received_message", None), "message"),
        (event("user_received_message", {}), "msg_id"),
        (event("user_received_message", {"msg_id": 1}), "msg_id"),
        (event("user_received_message", {"msg_id": "x" * 101}), "msg_id"),
        (event("user_received_message", {"msg_id": "1\0"}), "msg_id"),
        (event("user_seen_message", {"msg_ids": ["a", "\0"]}), "message.msg_ids"),
        (event("user_received_message", {"msg_id": "1", "delivery_time": "soon"}), "delivery_time"),
        (event("user_received_message", {"msg_id": "1"}, timestamp="9" * 15), "timestamp"),
        (event("user_received_message", {"msg_id": "1"}, timestamp=None), "timestamp"),
        (event("user_received_message", {"msg_id": "1"}, timestamp=-5), "timestamp"),
        (event("user_seen_message", {"msg_ids": "a"}), "message.msg_ids"),
        (event("user_seen_message", {}), "message.msg_ids"),
        (event("user_send_text", {"msg_id": "1"}), "message.text"),
        (event("user_send_text", {"text": "có", "msg_id": "1"}, sender="11"), "sender"),
        (event("user_send_audio", None), "message"),
        (event("user_send_audio", {"attachments": []}), "msg_id"),
    ],
)
def test_what_zalo_does_not_document_is_named(body: bytes, field: str) -> None:
    with pytest.raises(Malformed, match=f"^{field}$"):
        read(body)


def test_nothing_of_a_secret_or_a_person_is_printed() -> None:
    [said] = read(event("user_send_text", {"text": "không có", "msg_id": "96d3"}))
    assert "không" not in repr(said)
    assert SECRET not in repr(READER)


@pytest.mark.skipif(not SAMPLES.exists(), reason="the samples are not here")
@pytest.mark.parametrize(
    ("name", "channels"),
    [
        ("zalo_01_zns_user_received_message", ["zalo"]),
        ("zalo_04_user_send_text", ["zalo_oa"]),
        ("zalo_06_user_submit_info", []),
    ],
)
def test_documented_events_are_read(name: str, channels: list[str]) -> None:
    body = (SAMPLES / f"{name}.json").read_bytes()
    assert [report.channel for report in read(body)] == channels
