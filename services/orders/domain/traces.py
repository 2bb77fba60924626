"""Whether a text that nobody could read as an order names a person whose signs are known."""

import re
import unicodedata
from collections.abc import Sequence
from urllib.parse import unquote

from services.orders.domain.customers import EMAIL, PHONE, Identity

_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")
_BETWEEN_DIGITS = re.compile(r"(?<=[0-9])[^0-9a-z,;:\"<>{}\[\]]+(?=[0-9])")
"""What stands between the digits of a phone; marks of JSON, CSV and XML stand between two values."""


def names_person(body: bytes, signs: Sequence[Identity]) -> bool:
    """Whether one of the signs stands in the body, in any ordinary spelling.

    A phone is looked for without what stands before its national number. An account is looked for as a whole word, of
    whichever partner: rather a body too many than one that is overlooked.
    """
    text = _plain(body)
    digits = _BETWEEN_DIGITS.sub("", text)
    return any(_stands(sign, text, digits) for sign in signs)


def _plain(body: bytes) -> str:
    """In one case and form, without the escapes of JSON and of URLs."""
    text = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), body.decode(errors="replace"))
    return unicodedata.normalize("NFKC", unquote(text)).casefold()


def _stands(sign: Identity, text: str, digits: str) -> bool:
    if sign.kind == PHONE:
        return sign.value.removeprefix("+84") in digits
    value = unicodedata.normalize("NFKC", sign.value).casefold()
    if sign.kind == EMAIL:
        return value in text
    return re.search(rf"(?<!\w){re.escape(value)}(?!\w)", text) is not None
