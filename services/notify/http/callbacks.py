"""What partners receive, for the document of the route that sets an endpoint: every message with an example."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from services.notify.domain.bodies import TYPES, message
from services.notify.domain.samples import TO_PARTNERS

_AT = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)


def examples() -> dict[str, Any]:
    """One body for each type of message."""
    made = [message(kind, facts, _AT) for kind, facts in TO_PARTNERS.items()]
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
