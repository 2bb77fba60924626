"""What providers report: pure readers, one for each, from a request's raw bytes to receipts and answers."""

MOST_TEXT = 4000
"""Of what somebody wrote; the rest is cut off."""


MOST_ID = 100
"""Of what a provider names a message or a person by."""


class Forged(Exception):
    """The signature is not the provider's; nothing of the request is to be believed."""


class Malformed(Exception):
    """The provider's own, and not what it documents. The text names the field and repeats nothing of it."""


def is_id(text: str) -> bool:
    """Whether a provider's id is one that we would have kept."""
    return 1 <= len(text) <= MOST_ID and text.isascii() and text.isprintable()


def tidy(text: str) -> str:
    """What somebody wrote, as far as it is kept."""
    return text.replace("\x00", "")[:MOST_TEXT]
