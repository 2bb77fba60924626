"""The challenge of WebSub that Meta and Haravan send by GET: whoever knows the token gets it back.

https://www.w3.org/TR/websub/#hub-verifies-intent
"""

from services.orders.adapters.base import BadSignature, Challenge, Credentials, Malformed, Request
from services.orders.adapters.signatures import require

MOST_CHALLENGE = 500


def verify(credentials: Credentials, request: Request) -> None:
    """Raises BadSignature unless `hub.verify_token` is what the partner registered."""
    token = credentials.settings.get("verify_token")
    if not token or request.query.get("hub.mode") != "subscribe":
        raise BadSignature("no verify_token is registered, or hub.mode is not 'subscribe'")
    require(request.query.get("hub.verify_token", ""), [token], "hub.verify_token")


def challenge(request: Request) -> Challenge:
    """What is to be sent back. Raises Malformed."""
    text = request.query.get("hub.challenge", "")
    if not 1 <= len(text) <= MOST_CHALLENGE or not text.isprintable():
        raise Malformed([("hub.challenge", f"must have 1 to {MOST_CHALLENGE} printable characters")])
    return Challenge(text)
