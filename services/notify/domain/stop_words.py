"""Words by which somebody withdraws consent: few and plain, since a basket may be answered in the same conversation.

"Hủy" and "từ chối" alone are no such words: they may decline a basket. Without diacritics "dung" may be "đúng", yes.
"""

import re
import unicodedata

_WORDS = frozenset({"stop", "stop all", "unsubscribe", "tc", "dừng", "ngừng", "ngưng"})
"""TC (từ chối) is the word by which messages are refused in Vietnam. Exactly so; case does not matter."""

_SENTENCES = frozenset({
    "dung gui", "dung gui nua", "dung gui tin", "dung gui tin nua", "dung nhan tin", "dung nhan tin nua",
    "dung nhan cho toi nua", "dung gui cho toi nua", "ngung gui", "ngung gui tin", "ngung nhan tin", "ngung",
    "khong gui nua", "khong nhan nua", "khong nhan tin", "khong nhan tin nua", "khong muon nhan tin",
    "khong muon nhan tin nua", "tu choi nhan tin", "huy dang ky", "huy nhan tin", "xoa so toi", "xoa so cua toi",
})  # fmt: skip
"""Also without diacritics."""

_APART = re.compile(r"[\W_]+")


def said_stop(text: str) -> bool:
    """Whether these words, and nothing else in them, mean that somebody wants no more messages by this way."""
    said = " ".join(_APART.split(unicodedata.normalize("NFC", text).casefold())).strip()
    return said in _WORDS or _plain(said) in _SENTENCES


def _plain(text: str) -> str:
    """Without diacritics."""
    apart = unicodedata.normalize("NFD", text).replace("đ", "d")
    return "".join(letter for letter in apart if not unicodedata.combining(letter))
