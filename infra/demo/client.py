"""How the demo talks to the services: HTTP with a bearer key, and signed pushes as partners send them."""

import base64
import hashlib
import hmac
import html
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

import httpx

from infra.local.stack import Stack
from services.chassis import standard_webhooks


class Refused(Exception):
    """A service answered something else than what the day needs."""


@dataclass
class Client:
    """One connection pool for all services of a stack; `key` is the bearer key of who speaks."""

    stack: Stack
    http: httpx.AsyncClient
    key: str = ""

    def speaking_as(self, key: str) -> Self:
        """The same connections with another key."""
        return type(self)(self.stack, self.http, key)

    async def ask(self, service: str, method: str, path: str, body: Any = None) -> Any:
        """One request that must succeed; its decoded answer. Raises Refused with the answer's text."""
        answer = await self.try_to(service, method, path, body)
        if answer.is_error:
            raise Refused(f"{method} {path} at {service}: {answer.status_code} {answer.text[:500]}")
        return answer.json() if answer.content else None

    async def try_to(self, service: str, method: str, path: str, body: Any = None) -> httpx.Response:
        """One request, whatever the answer."""
        headers = {"authorization": f"Bearer {self.key}"} if self.key else {}
        return await self.http.request(method, self.stack.base_url(service) + path, json=body, headers=headers)

    async def push(self, path: str, body: bytes, headers: Mapping[str, str]) -> httpx.Response:
        """A partner's push, signed already."""
        return await self.http.post(self.stack.base_url("orders") + path, content=body, headers=dict(headers))


def canonical_headers(secret: str, message_id: str, now: datetime, body: bytes) -> dict[str, str]:
    """What a partner sends with the canonical format: Standard Webhooks."""
    return {"content-type": "application/json", **standard_webhooks.headers(secret, message_id, now, body)}


def woocommerce_headers(secret: str, topic: str, delivery_id: str, body: bytes) -> dict[str, str]:
    """What a WooCommerce shop sends: base64 HMAC-SHA256 over the raw body."""
    key = html.unescape(secret).encode()
    resource, event = topic.split(".")
    return {
        "content-type": "application/json",
        "user-agent": "WooCommerce/9.8.1 Hookshot (WordPress/6.8.1)",
        "x-wc-webhook-source": "https://shop.example/",
        "x-wc-webhook-topic": topic,
        "x-wc-webhook-resource": resource,
        "x-wc-webhook-event": event,
        "x-wc-webhook-id": "7",
        "x-wc-webhook-delivery-id": delivery_id,
        "x-wc-webhook-signature": base64.b64encode(hmac.digest(key, body, hashlib.sha256)).decode(),
    }


def encode(content: Any) -> bytes:
    """JSON as a partner would write it."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
