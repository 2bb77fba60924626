"""Standard Webhooks 1.0 signatures, both ways: base64 HMAC-SHA256 over `id.timestamp.body`.

Several signatures may stand in the header, and several secrets may be valid at once, so that both sides can
rotate. https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Iterable, Mapping
from datetime import datetime

TOLERANCE_S = 300
PREFIX = "whsec_"


class BadSignature(ValueError):
    """The message does not prove who sent it; the text says which part is missing or wrong, never a value."""


def new_secret() -> str:
    """A fresh 32-byte secret in its written form, `whsec_…`."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def key_of(secret: str) -> bytes:
    """The key bytes of a written secret. Raises ValueError where it is not base64 of 24 to 64 bytes."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        raise ValueError("a Standard Webhooks secret is whsec_ and base64") from None
    if not 24 <= len(key) <= 64:
        raise ValueError("a Standard Webhooks secret has 24 to 64 bytes")
    return key


def sign(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """The `webhook-signature` value for a message."""
    signed = b".".join((message_id.encode(), str(timestamp).encode(), body))
    return "v1," + base64.b64encode(hmac.digest(key_of(secret), signed, hashlib.sha256)).decode()


def headers(secret: str, message_id: str, now: datetime, body: bytes, also: Iterable[str] = ()) -> dict[str, str]:
    """The three headers of an outgoing message, signed with `secret`, and `also` with these while secrets change."""
    timestamp = int(now.timestamp())
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(sign(one, message_id, timestamp, body) for one in (secret, *also)),
    }


def verify(valid: Iterable[str], given: Mapping[str, str], body: bytes, now: datetime) -> str:
    """Returns the message id. Raises BadSignature; compares in constant time."""
    message_id = given.get("webhook-id", "")
    stamp = given.get("webhook-timestamp", "")
    if not message_id or not stamp.isdecimal() or len(stamp) > 12 or "webhook-signature" not in given:
        raise BadSignature("webhook-id, webhook-timestamp or webhook-signature is missing or malformed")
    if abs(int(now.timestamp()) - int(stamp)) > TOLERANCE_S:
        raise BadSignature("webhook-timestamp is more than five minutes away from now")
    candidates = [part.encode() for part in given["webhook-signature"].split(" ")]
    expected = [sign(secret, message_id, int(stamp), body).encode() for secret in valid]
    matches = [hmac.compare_digest(one, other) for one in expected for other in candidates]
    if not any(matches):
        raise BadSignature("no signature matches")
    return message_id
