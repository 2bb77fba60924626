"""`python -m services.notify vapid`: a new key for notices in browsers."""

import sys
from base64 import urlsafe_b64encode
from collections.abc import Sequence

from cryptography.hazmat.primitives.asymmetric import ec


def vapid_command(words: Sequence[str]) -> int:
    """Prints the line for the environment; whoever subscribed with another key has to do so again."""
    if words:
        print("vapid takes no words", file=sys.stderr)
        return 2
    secret = ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value.to_bytes(32)
    print(f"NOTIFY_VAPID_PRIVATE_KEY={urlsafe_b64encode(secret).rstrip(b'=').decode()}")
    return 0
