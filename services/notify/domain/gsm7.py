"""What a text costs as SMS, and how it looks without diacritics.

The alphabet is that of 3GPP TS 23.038 (GSM 03.38), 6.2.1: seven bits a character, and two sevens for one of the
extension table. A text with any other character goes out as UCS-2, which holds less than half. Vietnamese has many such
characters, so SMS leave without diacritics, as people here have written them since there are mobile phones.
"""

import re
import unicodedata

DEFAULT = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
"""One septet each; the escape to the extension table is no character."""

EXTENSION = frozenset("\f^{}\\[~]|€")
"""Two septets each."""

ONE_SEGMENT, OF_SEVERAL = 160, 153
ONE_SEGMENT_UCS2, OF_SEVERAL_UCS2 = 70, 67

_TYPOGRAPHIC = str.maketrans(
    {
        "đ": "d", "Đ": "D", "ð": "d", "Ð": "D",
        "–": "-", "—": "-", "‐": "-", "‑": "-", "‒": "-", "―": "-", "−": "-", "•": "-", "·": "-",
        "“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "″": '"',
        "‘": "'", "’": "'", "‚": "'", "′": "'", "`": "'",
        "…": "...", "×": "x", "→": "->", "₫": "d", "\t": " ",
    }
)  # fmt: skip
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2064\ufe00-\ufe0f\ufeff]")


def is_gsm7(text: str) -> bool:
    """Whether every character is in the default alphabet or its extension table."""
    return all(letter in DEFAULT or letter in EXTENSION for letter in text)


def septets(text: str) -> int:
    """How many sevens of bits it has. Raises ValueError for a text that is not GSM-7."""
    if not is_gsm7(text):
        raise ValueError("has a character that GSM-7 does not know")
    return sum(2 if letter in EXTENSION else 1 for letter in text)


def segments(text: str) -> int:
    """How many SMS it goes out as; none of them ends in the middle of a character."""
    if is_gsm7(text):
        sizes, one, of_several = [2 if letter in EXTENSION else 1 for letter in text], ONE_SEGMENT, OF_SEVERAL
    else:
        sizes = [2 if ord(letter) > 0xFFFF else 1 for letter in text]
        one, of_several = ONE_SEGMENT_UCS2, OF_SEVERAL_UCS2
    if sum(sizes) <= one:
        return 1
    count, room = 1, of_several
    for size in sizes:
        if size > room:
            count, room = count + 1, of_several
        room -= size
    return count


def without_diacritics(text: str) -> str:
    """The letters alone: "Rau mùi – 3 bó, đúng giờ" is "Rau mui - 3 bo, dung gio"."""
    apart = unicodedata.normalize("NFD", text)
    letters = "".join(letter for letter in apart if unicodedata.category(letter) != "Mn")
    return unicodedata.normalize("NFC", _INVISIBLE.sub("", letters.translate(_TYPOGRAPHIC)))


def sendable(text: str) -> str:
    """What goes out as SMS: without diacritics, and with "?" for what GSM-7 does not know even then."""
    plain = unicodedata.normalize("NFKC", without_diacritics(text))
    return "".join(letter if letter in DEFAULT or letter in EXTENSION else "?" for letter in without_diacritics(plain))
