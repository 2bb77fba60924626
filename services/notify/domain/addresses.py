"""What is accepted as an e-mail address, a name and a webhook address.

Everything that ends up in a header or a request line is checked here, so that nobody can write a second one.
"""

import re
import unicodedata
from urllib.parse import urlsplit

MOST_NAME = 100
MOST_EMAIL = 254
MOST_URL = 2000

_LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_EMAIL = re.compile(rf"([A-Za-z0-9!#$%&'*+/=?^_`{{|}}~.-]{{1,64}})@({_LABEL}(?:\.{_LABEL})*)")
_URL = re.compile(r"[!-~]+")


def email(text: str) -> str:
    """The address itself. Raises ValueError; ASCII only, one @, no blanks or control characters.

    The pattern is that of HTML's e-mail field; international domains are given in their xn-- form.
    """
    found = _EMAIL.fullmatch(text)
    if found is None or len(text) > MOST_EMAIL or ".." in found[1] or found[1].strip(".") != found[1]:
        raise ValueError("must be an e-mail address such as ten@example.vn")
    return text


def name(text: str) -> str:
    """A name to address somebody by, in NFC. Raises ValueError where it is empty, long or more than one line."""
    return line(text, MOST_NAME)


def line(text: str, most: int) -> str:
    """One line of plain text, in NFC. Raises ValueError where it is empty or longer than `most`."""
    tidy = unicodedata.normalize("NFC", text.strip())
    if not 1 <= len(tidy) <= most:
        raise ValueError(f"must have 1 to {most} characters")
    if any(unicodedata.category(letter) in ("Cc", "Cs", "Cf", "Zl", "Zp") for letter in tidy):
        raise ValueError("must be one line of plain text")
    return tidy


def webhook_url(text: str) -> str:
    """The URL itself. Raises ValueError; credentials and fragments have no place in it."""
    fault = "must be an http or https URL without user name, password or fragment"
    if not _URL.fullmatch(text) or len(text) > MOST_URL or "#" in text or "\\" in text:
        raise ValueError(fault)
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise ValueError(fault)
    if parts.port == 0:  # reading .port raises ValueError where it is no number below 65536
        raise ValueError(fault)
    return text


def public_url(text: str) -> str:
    """The address below which people find our pages, without a slash at its end. Raises ValueError."""
    if "?" in text:
        raise ValueError("must have no query")
    return webhook_url(text).rstrip("/")
