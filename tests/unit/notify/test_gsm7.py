"""What a text costs as SMS, and how it looks without diacritics."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notify.domain import gsm7
from services.notify.domain.gsm7 import is_gsm7, segments, sendable, septets, without_diacritics

GSM7 = st.text(alphabet=sorted(gsm7.DEFAULT | gsm7.EXTENSION), max_size=700)
VIETNAMESE = "aàảãáạăằẳẵắặâầẩẫấậeèẻẽéẹêềểễếệiìỉĩíịoòỏõóọôồổỗốộơờởỡớợuùủũúụưừửữứựyỳỷỹýỵđ"


def cut(sizes: list[int], most: int) -> int:
    """Segments by filling one after the other, as a phone does."""
    filled = [0]
    for size in sizes:
        if filled[-1] + size > most:
            filled.append(0)
        filled[-1] += size
    return len(filled)


def test_the_alphabet_has_the_characters_of_the_standard() -> None:
    assert len(gsm7.DEFAULT) == 127  # 128 places, one of which is the escape
    assert len(gsm7.EXTENSION) == 10
    assert not gsm7.DEFAULT & gsm7.EXTENSION


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 1), ("a" * 160, 1), ("a" * 161, 2), ("a" * 306, 2), ("a" * 307, 3), ("€" * 80, 1), ("€" * 81, 2),
        ("€" * 152, 2), ("€" * 153, 3), ("a" * 152 + "€" * 5, 2), ("ạ" * 70, 1), ("ạ" * 71, 2), ("ạ" * 134, 2),
        ("ạ" * 135, 3), ("a" * 70 + "ạ", 2), ("🥬" * 35, 1), ("🥬" * 36, 2), ("🥬" * 66, 2), ("🥬" * 67, 3),
    ],
)  # fmt: skip
def test_segments_are_counted_as_networks_count_them(text: str, count: int) -> None:
    assert segments(text) == count


@given(GSM7)
def test_seven_bit_texts_are_cut_between_characters(text: str) -> None:
    sizes = [len("\x1b" + letter) if letter in gsm7.EXTENSION else 1 for letter in text]
    assert septets(text) == sum(sizes)
    assert segments(text) == (1 if sum(sizes) <= 160 else cut(sizes, 153))


@given(st.text(max_size=300))
def test_other_texts_are_cut_between_characters(text: str) -> None:
    if is_gsm7(text):
        return
    sizes = [len(letter.encode("utf-16-be", "surrogatepass")) // 2 for letter in text]
    assert segments(text) == (1 if sum(sizes) <= 70 else cut(sizes, 67))
    with pytest.raises(ValueError, match="GSM-7"):
        septets(text)


@given(st.text(alphabet=VIETNAMESE + VIETNAMESE.upper() + " ,.0123456789–…“”‘’", max_size=200))
def test_vietnamese_becomes_plain_letters_however_it_was_composed(text: str) -> None:
    plain = without_diacritics(text)
    assert plain.isascii()
    assert is_gsm7(plain)
    assert without_diacritics(unicodedata.normalize("NFD", text)) == plain
    assert without_diacritics(plain) == plain
    assert sendable(text) == plain


@given(st.text(max_size=200))
def test_whatever_is_sent_is_seven_bits(text: str) -> None:
    assert is_gsm7(sendable(text))
    assert sendable(sendable(text)) == sendable(text)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Đúng giờ nhé", "Dung gio nhe"),
        ("Rau mùi – 3 bó… “tươi”", 'Rau mui - 3 bo... "tuoi"'),
        ("15.000₫", "15.000d"),
        ("cải\u00a0mèo", "cai meo"),
        ("rau 🥬", "rau ?"),
    ],
)
def test_it_reads_as_people_write_it(text: str, plain: str) -> None:
    assert sendable(text) == plain
