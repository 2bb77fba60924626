"""What providers report: pure readers, one for each, from a request's raw bytes to receipts and answers."""


class Forged(Exception):
    """The signature is not the provider's; nothing of the request is to be believed."""


class Malformed(Exception):
    """The provider's own, and not what it documents. The text names the field and repeats nothing of it."""
