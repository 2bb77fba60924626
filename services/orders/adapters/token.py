"""Platforms that sign nothing: what they send along is compared with our secret, in constant time.

In the query of the address it is percent-encoded; `+` written as it is, as in base64, has become a space there.
"""

import json
from collections.abc import Mapping
from typing import Any

from services.orders.adapters.base import Credentials, Request
from services.orders.adapters.signatures import require


def require_key(credentials: Credentials, request: Request) -> None:
    """The secret as `?key=` of the registered address. Raises BadSignature."""
    require(request.query.get("key", "").replace(" ", "+"), credentials.secrets, "key")


def require_bearer(credentials: Credentials, request: Request) -> None:
    """The secret as the bearer token of the request. Raises BadSignature."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    require(token.strip() if scheme.lower() == "bearer" else "", credentials.secrets, "authorization")


def told(raw: bytes) -> Mapping[str, Any]:
    """The outermost fields of a body that nobody has vouched for yet; nothing where it is no object."""
    try:
        found = json.loads(raw, parse_float=str)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
