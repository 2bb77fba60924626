"""Signatures and addresses of what providers report, and numbers as they write them."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notify.domain.hooks import Hooks
from services.notify.domain.sms import e164, vietnamese
from services.notify.inbound import esms, twilio


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
