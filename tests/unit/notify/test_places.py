"""What each channel takes for an address, and in which form it is kept."""

import base64
import json
from typing import Any

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.chassis.ids import uuid7
from services.notify.domain.contacts import CHANNELS, Address, Contact
from services.notify.places import address, completed, find_same, mobile, shown

POINT = base64.urlsafe_b64encode(b"\x04" + bytes(range(64))).decode().rstrip("=")
AUTH = base64.urlsafe_b64encode(bytes(range(16))).decode().rstrip("=")
PUSH = {"endpoint": "https://push.example/abc", "keys": {"p256dh": POINT, "auth": AUTH}}
HOOK = {"url": "https://nha.example/cho", "secret": "whsec_x"}


# -- Numbers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "0912345678", "0912 345 678", "0912.345.678", "(091) 234-5678", "84912345678", "+84912345678",
        "+84 912 345 678", "+84 0912345678", "0084912345678",
    ],
)  # fmt: skip
def test_a_number_is_kept_in_one_form_however_it_is_written(text: str) -> None:
    assert mobile(text) == "+84912345678"


@pytest.mark.parametrize("text", ["0321234567", "0561234567", "0781234567", "0812345678", "0961234567"])
def test_mobile_numbers_of_every_network_are_taken(text: str) -> None:
    assert mobile(text) == "+84" + text[1:]


def test_a_number_abroad_is_taken_with_its_country() -> None:
    assert mobile("+856 20 22 123 456") == "+8562022123456"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("0212 385 1234", "mobile"),
        ("19001234", "mobile"),
        ("0123456789", "nobody|no number"),
        ("091234567", "no number"),
        ("09123456789012345", "digits"),
        ("12", "digits"),
        ("", "telephone number"),
        ("+", "telephone number"),
        ("chị Hà", "telephone number"),
        ("0912345678;ext=5", "telephone number"),
        ("VN 0912345678", "telephone number"),
        ("０９１２３４５６７８", "telephone number"),
        ("0912345678\n", "telephone number"),
        ("0912345678" + " " * 40, "telephone number"),
        ("+999912345678", "telephone number"),
    ],
)
def test_what_gets_no_messages_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as refused:
        mobile(text)
    assert len(text) < 5 or text not in str(refused.value)


@given(st.sampled_from(sorted(phonenumbers.SUPPORTED_REGIONS)), st.data())
def test_what_is_kept_means_itself(region: str, data: st.DataObject) -> None:
    example = phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE)
    if example is None:
        return
    styles = [phonenumbers.PhoneNumberFormat.E164, phonenumbers.PhoneNumberFormat.INTERNATIONAL]
    written = phonenumbers.format_number(example, data.draw(st.sampled_from(styles)))
    try:
        kept = mobile(written)
    except ValueError:
        return  # where the example of a region is that of another one
    assert kept == phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
    assert mobile(kept) == kept


@given(st.text(st.sampled_from("0123456789+ ().-\u00a0")))
def test_whatever_is_taken_is_e164_and_means_itself(text: str) -> None:
    try:
        kept = mobile(text)
    except ValueError:
        return
    assert kept[0] == "+"
    assert kept[1:].isascii()
    assert kept[1:].isdigit()
    assert 8 <= len(kept) <= 16
    assert mobile(kept) == kept


# -- The others --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("channel", "given", "kept"),
    [
        ("telegram", 123456789, "123456789"),
        ("telegram", -1001234567890, "-1001234567890"),
        ("telegram", "-1001234567890", "-1001234567890"),
        ("zalo_oa", "2512523625412515", "2512523625412515"),
        ("zalo", "0912345678", "+84912345678"),
        ("email", "a@x.vn", "a@x.vn"),
    ],
)
def test_ordinary_addresses_are_taken(channel: str, given: Any, kept: str) -> None:
    assert address(channel, given) == kept


@pytest.mark.parametrize(
    ("channel", "given"),
    [
        ("telegram", "0"), ("telegram", 0), ("telegram", True), ("telegram", "@ten"), ("telegram", "1e5"),
        ("telegram", 2**63), ("telegram", "12 3"), ("telegram", None), ("telegram", 1.5),
        ("zalo_oa", "123"), ("zalo_oa", "abc123"), ("zalo_oa", 2512523625412515), ("zalo_oa", "1" * 31),
        ("sms", 912345678), ("email", {"a": 1}), ("web_push", "https://push.example/"), ("webhook", HOOK["url"]),
        ("web_push", PUSH | {"endpoint": "http://push.example/"}), ("web_push", PUSH | {"endpoint": 1}),
        ("web_push", PUSH | {"endpoint": "https://a@push.example/"}), ("web_push", PUSH | {"more": 1}),
        ("web_push", PUSH | {"keys": {"p256dh": POINT}}), ("web_push", PUSH | {"keys": {"p256dh": AUTH, "auth": AUTH}}),
        ("web_push", PUSH | {"keys": {"p256dh": POINT, "auth": POINT}}), ("web_push", PUSH | {"keys": "x"}),
        ("web_push", PUSH | {"keys": {"p256dh": POINT, "auth": "é" * 22}}),
        ("web_push", PUSH | {"keys": {"p256dh": POINT, "auth": "!" * 22}}),
        ("web_push", PUSH | {"keys": {"p256dh": "A" * 87, "auth": AUTH}}),
        ("web_push", PUSH | {"keys": {"p256dh": POINT, "auth": AUTH, "x": "y"}}), ("web_push", {}),
        ("webhook", {"url": "ftp://x.vn"}), ("webhook", {}), ("webhook", {"url": 5}),
        ("webhook", HOOK | {"secret": 5}), ("webhook", HOOK | {"token": "x"}), ("webhook", {"url": "https://a:b@x.vn/"}),
    ],
)  # fmt: skip
def test_what_no_channel_could_send_to_is_refused(channel: str, given: Any) -> None:
    with pytest.raises(ValueError, match=r"must|number"):
        address(channel, given)


@given(st.sampled_from(CHANNELS), st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(("endpoint", "keys", "url", "secret", "x")), inner),
))  # fmt: skip
def test_whatever_is_given_is_taken_or_refused(channel: str, given: Any) -> None:
    try:
        kept = address(channel, given)
    except ValueError:
        return
    again = json.loads(kept) if channel in ("web_push", "webhook") else kept
    assert address(channel, again) == kept


def test_a_subscription_is_kept_as_a_browser_gives_it() -> None:
    padded = {"p256dh": POINT + "=", "auth": AUTH + "=="}
    assert json.loads(address("web_push", PUSH | {"keys": padded, "expirationTime": None})) == PUSH


# -- What is secret ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("channel", "whole", "open_part"),
    [("web_push", PUSH, {"endpoint": PUSH["endpoint"]}), ("webhook", HOOK, {"url": HOOK["url"]})],
)
def test_an_address_given_as_it_is_shown_keeps_its_secret_part(
    channel: str, whole: dict[str, Any], open_part: dict[str, Any]
) -> None:
    kept = address(channel, whole)
    assert shown(channel, kept) == open_part
    bare = address(channel, open_part)
    assert completed(channel, bare, kept) == kept
    assert completed(channel, kept, None) == kept
    assert completed(channel, bare, None) is None
    elsewhere = address(channel, {name: value + "/x" for name, value in open_part.items()})
    assert completed(channel, elsewhere, kept) is None


def test_the_same_person_has_the_same_name_and_addresses() -> None:
    hook = address("webhook", HOOK)
    known = Contact(
        uuid7(), None, None, "bà Dợ", "vi", None, 1, (Address("sms", "+84912345678"), Address("webhook", hook))
    )
    places = {"webhook": address("webhook", {"url": HOOK["url"]}), "sms": "+84912345678"}
    assert find_same([known], "bà Dợ", places) == known
    assert find_same([known], "bà Mai", places) is None
    assert find_same([known], "bà Dợ", {"sms": "+84912345678"}) is None
    assert find_same([known], "bà Dợ", places | {"sms": "+84812345678"}) is None
