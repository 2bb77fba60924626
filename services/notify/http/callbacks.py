"""What partners receive, for the document of the route that sets an endpoint: every message with an example."""

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import msgspec

from services.notify.domain import partner_messages
from services.notify.domain.bodies import TYPES, message
from services.notify.domain.facts import (
    CancellationFacts,
    DeliveredLine,
    DeliveryFacts,
    Goods,
    PartnerFacts,
    PromisedLine,
    PromiseFacts,
    RefusedLine,
    ShortageFacts,
    ShortedLine,
)

_ORDER, _REF = UUID("019ab0c4-9d1e-7c55-b0a4-3f3c5e2b7a10"), "DH-1042"
_GOODS = Goods("Cải mèo", "kg", 500)
_AT = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)

_FACTS: dict[str, PartnerFacts] = {
    partner_messages.ORDER_PROMISED: PromiseFacts(
        _ORDER, _REF, 42, (PromisedLine(1, "CAI-MEO", _GOODS, 25, 20, 5, 0, 0, "sold_out"),),
        (RefusedLine(2, "RAU-X", "unknown_sku"),),
    ),
    partner_messages.ORDER_CHANGED: PromiseFacts(
        _ORDER, _REF, 57, (PromisedLine(1, "CAI-MEO", _GOODS, 25, 20, 0, 5, 0, None),), ()
    ),
    partner_messages.ORDER_SHORTED: ShortageFacts(
        _ORDER, _REF, 63, (ShortedLine(1, "CAI-MEO", _GOODS, 20, 15, "not_delivered"),)
    ),
    partner_messages.ORDER_CANCELLED: CancellationFacts(_ORDER, _REF),
    partner_messages.ORDER_DELIVERED: DeliveryFacts(
        _ORDER, _REF, 71, date(2026, 11, 24), (DeliveredLine(1, "CAI-MEO", _GOODS, 15),)
    ),
}  # fmt: skip


def examples() -> dict[str, Any]:
    """One body for each type of message."""
    made = [message(kind, facts, _AT) for kind, facts in _FACTS.items()]
    return {one.type: msgspec.to_builtins(one) for one in made}


def _schema() -> dict[str, Any]:
    names = sorted(TYPES)
    return {
        "type": "object",
        "required": ["type", "timestamp", "data"],
        "properties": {
            "type": {"type": "string", "enum": names},
            "timestamp": {"type": "string", "format": "date-time"},
            "data": {"type": "object"},
        },
        "description": "The whole JSON Schema of each type is services/notify/webhooks/<type>.json.",
    }


_HEADERS = {
    "webhook-id": "the same for every attempt and resend of a message",
    "webhook-timestamp": "of this attempt, in seconds since 1970",
    "webhook-signature": "v1,<base64>; two of them, with a space between, while the secret is being replaced",
}

CALLBACKS: dict[str, Any] = {
    "callbacks": {
        "message": {
            "{$request.body#/url}": {
                "post": {
                    "summary": "What became of an order",
                    "description": "Of two messages about one order the one with the greater `data.sequence` is the "
                    "newer. order.cancelled has none: it follows all that was said before it. order.delivered says "
                    "what came on one delivery day, and nothing else of the order. Readers must accept types and "
                    "fields that they do not know.",
                    "parameters": [
                        {"name": name, "in": "header", "required": True, "description": text,
                         "schema": {"type": "string"}}
                        for name, text in _HEADERS.items()
                    ],
                    "requestBody": {
                        "required": True,
                        "content": {
                            "application/json": {
                                "schema": _schema(),
                                "examples": {name: {"value": body} for name, body in examples().items()},
                            }
                        },
                    },
                    "responses": {
                        "2XX": {"description": "Received."},
                        "410": {"description": "Nothing is sent there any more until the endpoint is set again."},
                        "429": {"description": "Nothing is sent for as long as Retry-After says, at most a day."},
                        "default": {"description": "Sent again by the schedule of Standard Webhooks, for 75 hours."},
                    },
                }
            }
        }
    }
}  # fmt: skip
"""For `openapi_extra`."""
