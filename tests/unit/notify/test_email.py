"""A letter says what it was given, through the rules of mail headers."""

import email
from datetime import UTC, datetime
from email.header import decode_header, make_header
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from services.notify.channels.email import EmailChannel
from services.notify.domain.messages import Message, Text

CHANNEL = EmailChannel(
    "127.0.0.1", 25, "none", "no-reply@cho.example", lambda: datetime(2026, 11, 24, tzinfo=UTC), timeout_s=1
)
SAYING = (
    "Đính",
    "chính",
    "Hàng",
    "đã",
    "nhận",
    "của",
    "gia",
    "đình",
    "thứ",
    "Ba",
    "24/11/2026",
    "12,5",
    "kg",
    "cải",
    "mèo",
)
WORDS = st.lists(st.sampled_from(SAYING), min_size=1, max_size=30).map(" ".join)


def decoded(header: str) -> str:
    """By the rules of RFC 2047 alone: blanks between encoded words do not count."""
    return str(make_header(decode_header(header)))


@given(WORDS, WORDS, WORDS)
def test_a_subject_and_names_of_any_length_arrive_letter_by_letter(subject: str, to_name: str, from_name: str) -> None:
    letter = Message(
        UUID(int=1),
        UUID(int=2),
        "basket",
        "ba.do@example.vn",
        to_name,
        from_name,
        "vi",
        Text(subject, "Kính gửi\n"),
        "basket",
    )
    raw = CHANNEL.compose(letter).as_bytes()
    assert all(len(line) <= 78 for line in raw.partition(b"\r\n\r\n")[0].split(b"\r\n"))
    read = email.message_from_bytes(raw)
    assert decoded(read["Subject"]) == subject
    assert decoded(read["To"]) in (f"{to_name} <ba.do@example.vn>", f'"{to_name}" <ba.do@example.vn>')
    assert decoded(read["From"]) in (f"{from_name} <no-reply@cho.example>", f'"{from_name}" <no-reply@cho.example>')
