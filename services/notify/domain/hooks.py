"""The addresses at which providers report to us, where they sign nothing: whoever knows one may report, nobody else.

The last part of such an address is HMAC-SHA256 (its first 16 bytes) over the provider and over what it may report: on
one message only, or whatever concerns the account. So an address that leaks is good for one message's receipt.
"""

import hashlib
import hmac
from dataclasses import dataclass, field
from uuid import UUID

_PURPOSE = b"cho-phien provider hook\x00"
_MAC_BYTES = 16


@dataclass(frozen=True, slots=True)
class Hooks:
    """Makes and checks addresses below `public_url`. The first secret makes them, and all of them check."""

    public_url: str
    secrets: tuple[str, ...] = field(repr=False)

    def receipt_url(self, provider: str, message_id: UUID) -> str:
        """Where a provider of SMS reports what became of one message."""
        mac = _mac(self.secrets[0], provider, str(message_id))
        return f"{self.public_url}/v1/hooks/sms/{provider}/receipts/{message_id}/{mac}"

    def shown_url(self, provider: str, message_id: UUID) -> str:
        """Where a browser reports that it has shown one message."""
        return f"{self.public_url}/v1/hooks/{provider}/{message_id}/{_mac(self.secrets[0], provider, str(message_id))}"

    def account_url(self, provider: str, what: str) -> str:
        """Where a provider of SMS reports `what` of a whole account; it is entered by hand at the provider's."""
        return f"{self.public_url}/v1/hooks/sms/{provider}/{what}/{_mac(self.secrets[0], provider, what)}"

    def is_good(self, mac: str, provider: str, about: UUID | str) -> bool:
        """Whether one of our secrets made this for that; compares in constant time, with every secret."""
        given, named = mac.encode(), str(about)
        matches = [hmac.compare_digest(_mac(secret, provider, named).encode(), given) for secret in self.secrets]
        return any(matches)


def _mac(secret: str, provider: str, about: str) -> str:
    named = _PURPOSE + provider.encode() + b"\x00" + about.encode()
    return hmac.digest(secret.encode(), named, hashlib.sha256)[:_MAC_BYTES].hex()
