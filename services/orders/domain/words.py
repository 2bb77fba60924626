"""Vietnamese words as they are compared: without diacritics, capitals and whatever stands between them."""

import re
import unicodedata

_OTHER = re.compile(r"[^a-z0-9]+")


def without_diacritics(text: str) -> str:
    """`Bắp cải đỏ` is `Bap cai do`."""
    apart = unicodedata.normalize("NFKD", text.replace("đ", "d").replace("Đ", "D"))
    return "".join(letter for letter in apart if not unicodedata.combining(letter))


def words(text: str) -> list[str]:
    """`CẢI-MÈO 300g` is `cai`, `meo`, `300g`."""
    return _OTHER.sub(" ", without_diacritics(text).lower()).split()
