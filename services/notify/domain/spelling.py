"""Vietnamese as people write it: words without diacritics, and whether those that have some are spelled as is known.

Many write without, so "bo" may be "bơ" (avocado), "bỏ" (leave out) or "bó" (bunch); who writes with, means only one.
"""

import re
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from itertools import pairwise

from services.notify.domain.gsm7 import without_diacritics

_KNOWN_WORDS = """
ạ alô anh ăn bác bán bận bên bị cả cân cháu chỉ chị chở chú có cô còn dạ dập đc đến đi đồng đủ được em gam gì giao hàng
hết hỏng hư kí kilô không ký mang mình nát nhà nhá nhận nhất nhé nữa ôk ôkê okê ốm ơi rồi sạch sâu sẽ tạ tấn thể thôi
thưa tôi tới trí vâng và việc với xác ý yến
"""
"""Those of answers to a basket that have diacritics, and some between them that have none."""

_ALONE_NO_NAMES = frozenset({
    "bo", "bot", "chua", "dap", "du", "gan", "hon", "hong", "hu", "hut", "mat", "roi", "rot", "thoi", "thua",
})  # fmt: skip
"""Parts of names that without diacritics may as well say that something is lost, left over or not there yet (bỏ, hỏng,
mất, thừa, chưa).
"""
_LEFT_OVER = re.compile(r"[0-9].* thua\b|\b(?:thua|thoi) [0-9]")
"""There they may be "thừa", too much, and "thối", rotten, instead of "thưa", sir, and "thôi", only."""

_SEPARATE = re.compile(r"(?<=\d)(?=[a-z])|(?<=[a-z])(?=\d)")
_SPLIT = re.compile(r"[0-9]+(?:[.,][0-9]+)*|[a-z]+|[^a-z0-9\s]")
_LETTERS = re.compile(r"(?:[^\W\d_][\u0300-\u036f]*)+")
_THANKS = re.compile(r"\bc[aảá]m[\W_]*[oơ]n\b")

Name = tuple[str, ...]
"""The words of a product's name, or of its unit, in plain letters."""


def plain(text: str) -> str:
    """In small letters without diacritics."""
    return without_diacritics(unicodedata.normalize("NFKC", text)).casefold()


def separated(text: str) -> str:
    """A plain text with its numbers apart from its words."""
    return _SEPARATE.sub(" ", text)


def split(text: str) -> list[str]:
    """The words, numbers and marks of a plain text."""
    return _SPLIT.findall(text)


def name_of(text: str) -> Name:
    """The words of a product's name or unit, whatever else is in it."""
    return tuple(part for part in split(separated(plain(text))) if part[0].isalnum())


def is_known(text: str, goods: Iterable[str], no_names: Collection[str]) -> bool:
    """Whether each word with diacritics is one of an answer, or one of these names and units; where it could be a part
    of a name, it must be spelled like that. `no_names` are no part of a name when they stand alone.
    """
    texts = list(goods)
    of_goods = {word for one in texts for word in name_of(one)}.difference(no_names)
    spelled = _spelled(" ".join(texts))
    return all(one in spelled or (one in _KNOWN and one[0] not in of_goods) for one in _spelled(text))


def may_mean_another(words: Sequence[str], text: str, names: Iterable[Name]) -> bool:
    """Whether a plain word of the text, taken for a name or for politeness, may be one that changes the answer."""
    if _LEFT_OVER.search(" ".join(words)):
        return True
    known = list(names)
    pairs = {pair for one in known for pair in pairwise(one)}
    beside = {word for pair in pairwise(words) if pair in pairs for word in pair}
    doubtful = _ALONE_NO_NAMES.difference((word for word, _ in _spelled(text)), beside)
    return any(word in doubtful for word in words if any(word in one for one in known))


def _spelled(text: str) -> set[tuple[str, frozenset[str]]]:
    """Its words that have diacritics, without thanks: the plain word and what is on it, wherever ("hòa", "hoà")."""
    composed = _THANKS.sub(" ", unicodedata.normalize("NFKC", text).casefold())
    words = set(_LETTERS.findall(unicodedata.normalize("NFD", composed)))
    return {(plain(word), marks) for word in words if (marks := _diacritics(word))}


def _diacritics(word: str) -> frozenset[str]:
    return frozenset(mark for mark in word if mark == "đ" or unicodedata.combining(mark))


_KNOWN = _spelled(_KNOWN_WORDS)
