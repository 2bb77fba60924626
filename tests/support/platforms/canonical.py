"""The story of one order in our own format: alone, and in each envelope of CloudEvents."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

from tests.support.platforms.base import NOW, SECRET, Headers, Platform, Told, who


def _standard_webhooks(raw: bytes) -> tuple[Headers, Mapping[str, str]]:
    key, stamp = base64.b64decode(SECRET.removeprefix("whsec_")), str(int(NOW.timestamp()))
    signed = hmac.new(key, b"msg_1." + stamp.encode() + b"." + raw, hashlib.sha256).digest()
    signature = "v1," + base64.b64encode(signed).decode()
    return {"webhook-id": "msg_1", "webhook-timestamp": stamp, "webhook-signature": signature}, {}


def _own(minute: int, status: str, *quantities: str) -> dict[str, Any]:
    lines = [{"sku": f"SKU-{n}", "quantity": quantity} for n, quantity in enumerate(quantities)]
    updated_at = f"2026-11-23T06:{minute:02d}:00+07:00"
    return {"ref": "A-1001", "updated_at": updated_at, "status": status, "lines": lines}


_EVENT = {"specversion": "1.0", "id": "e-1", "source": "/sap", "type": "vn.chophien.order.v1"}

CANONICAL = Platform(
    "canonical",
    who(SECRET),
    (
        Told({"order": _own(0, "placed", "2")}),
        Told(_EVENT | {"data": _own(5, "placed", "1.5", "2")}, {"content-type": "application/cloudevents+json"}),
        Told([_EVENT | {"data": _own(9, "placed", "3")}], {"content-type": "application/cloudevents-batch+json"}),
        Told(_own(9, "cancelled"), {f"ce-{name}": value for name, value in _EVENT.items()}),
    ),
    _standard_webhooks,
)
