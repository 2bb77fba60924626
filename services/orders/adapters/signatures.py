"""What platforms' signatures have in common: HMAC-SHA256, compared in constant time with each secret that is valid."""

import base64
import hashlib
import hmac
from collections.abc import Iterable

from services.chassis.standard_webhooks import BadSignature


def mac(key: str | bytes, message: bytes) -> bytes:
    """HMAC-SHA256; a key in text is taken in UTF-8."""
    return hmac.digest(key.encode() if isinstance(key, str) else key, message, hashlib.sha256)


def mac_hex(key: str | bytes, message: bytes) -> str:
    """HMAC-SHA256 in lower-case hexadecimal."""
    return mac(key, message).hex()


def mac_base64(key: str | bytes, message: bytes) -> str:
    """HMAC-SHA256 in base64."""
    return base64.b64encode(mac(key, message)).decode()


def require(given: str, expected: Iterable[str], what: str) -> None:
    """Raises BadSignature unless what is given is one of those expected; looks at all, each in constant time.

    `what` names where it was given, for the log.
    """
    if not given:
        raise BadSignature(f"{what} is missing")
    matches = [hmac.compare_digest(one.encode(), given.encode("utf-8", "surrogatepass")) for one in expected]
    if not any(matches):
        raise BadSignature(f"{what} does not match")
