"""Nothing that could write a second header line or request gets into the contact book."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notify.domain import addresses


@pytest.mark.parametrize("text", ["ho.mua@example.vn", "a+b@x.co", "x@localhost", "o'brien@a-b.vn"])
def test_ordinary_addresses_are_accepted(text: str) -> None:
    assert addresses.email(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "", "a", "@x.vn", "a@", "a@b@c.vn", "a b@x.vn", "a@x.vn\n", "a@x.vn\r\nBcc: b@y.vn", "a@x.vn\0",
        "a@x.vn,b@y.vn",
        "<a@x.vn>", "hộ@x.vn", ".a@x.vn", "a.@x.vn", "a..b@x.vn", "a@-x.vn", "a@x..vn", "a" * 65 + "@x.vn",
        "a@" + "x" * 64 + ".vn", 'a"@x.vn', "a@x.vn\u2028", "a@[127.0.0.1]",
    ],
)  # fmt: skip
def test_what_is_no_plain_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="e-mail"):
        addresses.email(text)


@given(st.text())
def test_no_accepted_address_has_a_blank_or_a_control_character(text: str) -> None:
    try:
        accepted = addresses.email(text)
    except ValueError:
        return
    assert accepted.isascii()
    assert accepted.isprintable()
    assert not set(accepted) & set(' ,;:<>()[]"\\')
    assert accepted.count("@") == 1


@pytest.mark.parametrize("text", ["", "  ", "a\nb", "a\rBcc: x@y.vn", "a\u2028b", "a\u202eb", "x" * 101])
def test_a_name_of_more_than_one_line_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must"):
        addresses.name(text)


def test_a_name_is_stored_composed() -> None:
    assert addresses.name(" ba\u0300 Mu\u0300a ") == "b\u00e0 M\u00f9a"


@pytest.mark.parametrize(
    "text", ["http://127.0.0.1:8080/hooks", "https://shop.example.vn/hooks?shop=7", "https://[::1]/x"]
)
def test_http_and_https_urls_are_accepted(text: str) -> None:
    assert addresses.webhook_url(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "", "ftp://x.vn/", "x.vn/hooks", "http://", "http:///x", "https://user:pw@x.vn/", "https://user@x.vn/",
        "https://x.vn/#part", "https://x.vn/ a", "https://x.vn/\r\nHost: y", "https://x.vn:99999/", "https://x.vn:0/",
        "https://x.vn:abc/", "https://x.vn\\@y.vn/", "https://việt.vn/", "https://x.vn/" + "a" * 2000, "https://[::1",
    ],
)  # fmt: skip
def test_what_is_no_plain_url_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        addresses.webhook_url(text)
