"""A push service and the browsers behind it: checks who sends (RFC 8292), and decrypts what arrives (RFC 8291)."""

import base64
import json
import os
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import http_ece
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from py_vapid import Vapid02
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from infra.local.providers import Arrived, Provider

MOST_BYTES = 4096


@dataclass
class Browser:
    """One subscription, with the keys that only the browser has."""

    name: str
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    auth: bytes = field(default_factory=lambda: os.urandom(16))
    is_gone: bool = False

    def subscription(self, url: str) -> dict[str, Any]:
        """As the browser hands it over; `url` is that of the push service."""
        form = (serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
        point = self.key.public_key().public_bytes(*form)
        return {"endpoint": f"{url}/{self.name}", "keys": {"p256dh": _text(point), "auth": _text(self.auth)}}


class Push(Provider):
    """`public_key`: what the browsers subscribed with; nobody else may send to them."""

    def __init__(self, public_key: str) -> None:
        super().__init__()
        self.public_key = public_key
        self.browsers: dict[str, Browser] = {}
        self.headers: list[Mapping[str, str]] = []
        self.url = ""

    def routes(self) -> Sequence[Route]:
        """One address for each browser."""
        return [Route("/{name}", self._push, methods=["POST"])]

    def refusal(self, status: int, code: int | str | None) -> Response:
        """As push services refuse: by the status."""
        return Response(str(code or ""), status)

    async def _push(self, request: Request) -> Response:
        body, browser = await request.body(), self.browsers.get(request.path_params["name"])
        if browser is None or browser.is_gone:
            return self._refuse(410)
        if not self._is_good(request.headers.get("authorization", ""), str(request.base_url).rstrip("/")):
            return self._refuse(403)
        if request.headers.get("content-encoding") != "aes128gcm" or not request.headers.get("ttl", "").isdigit():
            return self._refuse(400)
        if not re.fullmatch("[A-Za-z0-9_-]{0,32}", request.headers.get("topic", "")):
            return self._refuse(400)
        if len(body) > MOST_BYTES:
            return self._refuse(413)
        content = http_ece.decrypt(body, private_key=browser.key, auth_secret=browser.auth, version="aes128gcm")
        self.headers.append(dict(request.headers))
        self.arrived.append(Arrived(browser.name, content.decode(), str(len(self.arrived) + 1)))
        return Response(status_code=201)

    def _is_good(self, authorization: str, audience: str) -> bool:
        scheme, _, rest = authorization.partition(" ")
        parts = dict(part.split("=", 1) for part in rest.split(",") if "=" in part)
        if scheme.lower() != "vapid" or parts.get("k") != self.public_key or not Vapid02.verify(authorization):
            return False
        claims = json.loads(base64.urlsafe_b64decode(parts["t"].split(".")[1] + "=="))
        return bool(claims["aud"] == audience and 0 < claims["exp"] - time.time() <= 24 * 3600 and claims.get("sub"))

    def _refuse(self, status: int) -> Response:
        self.refused.append(str(status))
        return Response(status_code=status)


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
