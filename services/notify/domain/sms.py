"""Telephone numbers and texts as SMS providers take them."""

import re

_VIETNAMESE = re.compile(r"\+(84[1-9][0-9]{7,9})")
_WRITTEN = re.compile(r"(?:\+?84|0)([1-9][0-9]{7,9})")
_FOREIGN = re.compile(r"\+[1-9][0-9]{6,14}")


def vietnamese(e164: str) -> str | None:
    """The number as Vietnam's providers take it, 84…; None for one of another country, which they do not serve."""
    found = _VIETNAMESE.fullmatch(e164)
    return found[1] if found else None


def e164(text: str) -> str | None:
    """The number as it is in the contact book, from 0…, 84…, +84… or +…; None for anything else."""
    found = _WRITTEN.fullmatch(text)
    if found:
        return f"+84{found[1]}"
    return text if _FOREIGN.fullmatch(text) else None
