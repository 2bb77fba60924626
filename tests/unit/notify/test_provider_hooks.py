"""Signatures and addresses of what providers report, and numbers as they write them."""

import json
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notify.domain.hooks import Hooks
from services.notify.domain.sms import e164, vietnamese
from services.notify.inbound import Malformed, esms, twilio
from services.notify.inbound.speedsms import REPORTS, SPEEDSMS, SpeedSmsReader
from services.notify.inbound.telegram import TelegramReader


@pytest.mark.parametrize(
    ("url", "fields", "signature"),
    [
        (
            "https://mycompany.com/myapp.php?foo=1&bar=2",
            [
                ("CallSid", "CA1234567890ABCDE"), ("Caller", "+14158675309"), ("Digits", "1234"),
                ("From", "+14158675309"), ("To", "+18005551212"),
            ],
            "RSOYDt4T1cUTdK1PDd93/VVr8B8=",
        ),
        (
            "https://mycompany.com/myapp.php?foo=1&bar=2",
            [("Sid", "CA123"), ("SidAccount", "AC123"), ("Digits", "5678"), ("Digits", "1234"), ("Digits", "1234")],
            "IK+Dwps556ElfBT0I3Rgjkr1wJU=",
        ),
    ],
)  # fmt: skip
def test_twilio_signs_as_its_own_examples_do(url: str, fields: list[tuple[str, str]], signature: str) -> None:
    """The examples of Twilio's documentation and of its libraries' tests."""
    assert twilio.sign(url, fields, "12345") == signature


def test_esms_signs_with_md5_in_base64() -> None:
    """MD5 of "abc" is the test vector of RFC 1321."""
    assert esms.sign("ab", "c") == "kAFQmDzST7DWlj99KOF/cg=="


@given(st.uuids(), st.uuids(), st.sampled_from(["esms", "speedsms"]))
def test_an_address_is_good_for_one_message_at_one_provider(one: UUID, another: UUID, provider: str) -> None:
    hooks, renewed = Hooks("https://cho.example", ("a" * 32,)), Hooks("https://cho.example", ("b" * 32, "a" * 32))
    url = hooks.receipt_url(provider, one)
    mac = url.rpartition("/")[2]
    assert url == f"https://cho.example/v1/hooks/sms/{provider}/receipts/{one}/{mac}"
    assert hooks.is_good(mac, provider, one)
    assert renewed.is_good(mac, provider, one)
    assert renewed.receipt_url(provider, one) != url
    assert not Hooks("https://cho.example", ("b" * 32,)).is_good(mac, provider, one)
    assert not hooks.is_good(mac, "another", one)
    assert hooks.is_good(mac, provider, another) is (one == another)
    assert not hooks.is_good(mac, provider, "reports")
    assert "aaaa" not in repr(hooks)


@given(st.text(max_size=40))
def test_nothing_made_up_opens_an_address(mac: str) -> None:
    assert not Hooks("https://cho.example", ("a" * 32,)).is_good(mac, "esms", UUID(int=1))


@pytest.mark.parametrize(
    ("written", "ours"),
    [
        ("0912345678", "+84912345678"), ("84912345678", "+84912345678"), ("+84912345678", "+84912345678"),
        ("02123456789", "+842123456789"), ("+8562055512345", "+8562055512345"), ("912345678", None), ("", None),
        ("0", None), ("8041", None), ("HTXVanHo", None), ("+0123456789", None), ("٠٩١٢٣٤٥٦٧٨", None),
        ("+84912345678\n", None),
    ],
)  # fmt: skip
def test_numbers_are_read_as_providers_write_them(written: str, ours: str | None) -> None:
    assert e164(written) == ours


@given(st.from_regex(r"\A\+84[1-9][0-9]{8}\Z"))
def test_a_number_comes_back_as_it_went_out(number: str) -> None:
    there = vietnamese(number)
    assert there is not None
    assert e164(there) == number
    assert e164("0" + there[2:]) == number


def test_numbers_of_other_countries_are_not_vietnamese() -> None:
    assert vietnamese("+8562055512345") is None
    assert vietnamese("0912345678") is None


HOOKS = Hooks("https://cho.example", ("a" * 32,))
NOW = datetime(2026, 11, 23, tzinfo=UTC)


def read_speedsms(body: bytes) -> object:
    return SpeedSmsReader(HOOKS).read(HOOKS.account_url(SPEEDSMS, REPORTS).rpartition("/")[2], body, NOW)


@pytest.mark.parametrize("body", [b"[" * 2000, b'{"a":' * 2000, b'{"message":' + b"[" * 100_000])
def test_a_body_that_is_nested_too_deep_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed, match="body"):
        read_speedsms(body)
    with pytest.raises(Malformed, match="body"):
        TelegramReader("secret").read("secret", body)


@pytest.mark.parametrize("given", ["", "1\0", "é", "x" * 101, None, []])
def test_an_id_that_we_would_not_have_kept_is_malformed(given: object) -> None:
    report = {"type": "report", "tranId": given, "phone": "84912345678", "status": 0}
    with pytest.raises(Malformed, match="tranId"):
        read_speedsms(json.dumps(report).encode())
