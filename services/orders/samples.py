"""Sample pushes in the formats of the platforms, signed as they sign: to try a partner's whole way with.

An adapter that is not in SAMPLES has no sample yet; a new one is a function and a row here.
"""

import base64
import hashlib
import hmac
import html
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from msgspec import Struct

from services.chassis import standard_webhooks


class SampleOrder(Struct, frozen=True):
    """What is ordered: `quantity` whole items of a SKU. `number` tells one trial from the others."""

    number: int
    sku: str
    quantity: int
    cancelled: bool = False


class Request(Struct, frozen=True):
    """What to POST to the partner's address, and under which reference the order will be known."""

    ref: str
    headers: Mapping[str, str]
    raw: bytes


class NoSample(Exception):
    """There is no sample for this adapter; the message names those that have one."""


def sample(
    adapter: str, secrets: Sequence[str], settings: Mapping[str, str], now: datetime, order: SampleOrder
) -> Request:
    """The order as the adapter's platform would push it now. `secrets`: the newest first. Raises NoSample."""
    make = SAMPLES.get(adapter)
    if make is None:
        raise NoSample(f"there is no sample for {adapter}, only for {', '.join(sorted(SAMPLES))}")
    return make(secrets[0], settings, now, order)


def _canonical(secret: str, _: Mapping[str, str], now: datetime, order: SampleOrder) -> Request:
    ref = f"TEST-{order.number}"
    body: dict[str, object] = {
        "ref": ref,
        "updated_at": now.isoformat(),
        "status": "cancelled" if order.cancelled else "placed",
    }
    if not order.cancelled:
        body["lines"] = [{"sku": order.sku, "quantity": order.quantity}]
    raw = json.dumps({"order": body}, ensure_ascii=False).encode()
    name = f"msg_{ref}_{body['status']}"
    return Request(ref, {"content-type": "application/json"} | standard_webhooks.headers(secret, name, now, raw), raw)


def _woocommerce(secret: str, _: Mapping[str, str], now: datetime, order: SampleOrder) -> Request:
    body = {
        "id": order.number,
        "status": "cancelled" if order.cancelled else "processing",
        "currency": "VND",
        "date_modified_gmt": now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S"),
        "line_items": [{"id": 1, "sku": order.sku, "quantity": order.quantity}],
    }
    raw = json.dumps(body, ensure_ascii=False).encode()
    key = html.unescape(secret).encode()  # as WordPress undoes what it had escaped
    headers = {
        "content-type": "application/json",
        "x-wc-webhook-topic": "order.updated" if order.cancelled else "order.created",
        "x-wc-webhook-delivery-id": f"test-{order.number}",
        "x-wc-webhook-signature": base64.b64encode(hmac.digest(key, raw, hashlib.sha256)).decode(),
    }
    return Request(str(order.number), headers, raw)


SAMPLES: Mapping[str, Callable[[str, Mapping[str, str], datetime, SampleOrder], Request]] = {
    "canonical": _canonical,
    "woocommerce": _woocommerce,
}
