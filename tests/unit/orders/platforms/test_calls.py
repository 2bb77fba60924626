"""One answer of a platform, before anybody asks what it means."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from services.orders.domain.token import Token
from services.orders.platforms.base import Access, Unwell
from services.orders.platforms.calls import (
    LONGEST_WAIT_S,
    code_text,
    decode,
    moment_at,
    moment_in,
    retry_after_s,
    token_of,
)

NOW = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "wait_s"),
    [
        ("7", 7),
        ("0", 0),
        ("999999999", LONGEST_WAIT_S),
        ("Mon, 23 Nov 2026 06:00:30 GMT", 30),
        ("Mon, 23 Nov 2026 05:00:00 GMT", 0),
        ("", None),
        ("soon", None),
        ("Mon, 23 Nov 2026 06:00:30 +99999999999999", None),
        ("-5", None),
    ],
)
def test_retry_after_has_seconds_or_a_date(header: str, wait_s: float | None) -> None:
    assert retry_after_s(header, NOW) == wait_s


def test_fractions_are_exact_and_what_is_no_json_is_refused() -> None:
    assert decode(b'{"a": 0.1}') == {"a": Decimal("0.1")}
    for raw in (b"", b"{", b"NaN", b"[Infinity]", b"\xff", b"[" * 100_000, b"1e99999999", b"-Infinity"):
        with pytest.raises(ValueError, match=r"."):
            decode(raw)


def test_a_code_can_carry_nothing_else_into_a_log() -> None:
    assert code_text("E901") == "E901"
    assert code_text("Invalid access_token: abc\n") == "Invalid_access_token:_abc_"
    assert len(code_text("x" * 1000)) == 60


def test_no_repr_shows_a_secret() -> None:
    access = Access("app-secret", Token("access-token", "refresh-token", NOW), {"app_key": "k"})
    for secret in ("app-secret", "access-token", "refresh-token"):
        assert secret not in repr(access)


def test_a_token_whose_end_is_no_time_is_kept_all_the_same() -> None:
    """The refresh token that it was given for is used up."""
    answer = {"access_token": "a", "refresh_token": "b"}
    for told in (None, "soon", 10**30, -(10**30)):
        assert token_of(answer, moment_at(told, NOW)) == token_of(answer, moment_in(told, NOW)) == Token("a", "b", NOW)
    assert (moment_at(60, NOW).timestamp(), moment_in("60", NOW) - NOW) == (60, timedelta(minutes=1))
    with pytest.raises(Unwell, match="no_token"):
        token_of({"access_token": "a", "refresh_token": ""}, NOW)
