"""The form for SMS: the richest wording that fits, without diacritics, and the link never cut.

A template offers its wordings from rich to terse, one a line. Below a line of dashes are those that leave something
out: they are for what would need more than two segments otherwise, and where two names would look the same.
"""

from collections.abc import Callable
from functools import cache

from services.notify.domain.gsm7 import segments, sendable

MOST_SEGMENTS = 2

_CUT = (None, 24, 12)
"""How long names may be: as they are, and shorter where nothing else helps."""

_DASHES = "\n---\n"


def partial(wordings: str) -> str:
    """Of these only the ones that leave something out, if there are any."""
    left = wordings.partition(_DASHES)[2]
    return _DASHES + left if left else wordings


def choose(wordings: Callable[[int | None], str], link: str | None) -> str:
    """The best of the wordings, which are asked for with the length of the longest name.

    One segment goes before two. What fits nowhere is cut before the link.
    """
    wordings, plain = cache(wordings), cache(sendable)

    def whole(longest: int | None) -> list[str]:
        return wordings(longest).partition(_DASHES)[0].split("\n")

    def rest(longest: int | None) -> list[str]:
        return wordings(longest).partition(_DASHES)[2].split("\n")

    for most, lines, lengths in ((1, whole, _CUT[:2]), (MOST_SEGMENTS, whole, _CUT), (MOST_SEGMENTS, rest, _CUT)):
        for line in (line for longest in lengths for line in lines(longest) if line):
            text = _joined(plain(line), link)
            if segments(text) <= most:
                return text
    return _cut(plain([line for line in whole(_CUT[-1]) + rest(_CUT[-1]) if line][-1]), link)


def _joined(text: str, link: str | None) -> str:
    return f"{text} {link}" if link else text


def _cut(text: str, link: str | None) -> str:
    while text and segments(_joined(f"{text}...", link)) > MOST_SEGMENTS:
        text = text[:-1]
    return _joined(f"{text}...", link)
