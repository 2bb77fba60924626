"""What the tests of all adapters share: a request as the door hands it to them."""

from collections.abc import Mapping

from services.orders.adapters.base import Credentials, Request

URL = "https://orders.example.vn/v1/partners/01890a5d-ac96-774b-bcce-b302099a8057/orders"


def asked(raw: bytes = b"", headers: Mapping[str, str] | None = None, **query: str) -> Request:
    """A POST with this body; header names in lower case."""
    return Request("POST", URL, query, headers or {}, raw)


def tried(**query: str) -> Request:
    """A GET with these parameters."""
    return Request("GET", URL, query, {}, b"")


def who(*secrets: str, **settings: str) -> Credentials:
    """What a partner registered; the newest secret first."""
    return Credentials(secrets, settings)
