"""The documents of a service: AsyncAPI 3 for its events, OpenAPI for its routes, and pages that show them.

The pages are plain HTML made here, so that they work offline and on weak networks.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from services.chassis import cloudevents, compression, topology
from services.contracts.base import Event

_pages = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "pages"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def _envelope_schema(kind: type[Event], data: dict[str, Any]) -> dict[str, Any]:
    text = {"type": "string"}
    return {
        "type": "object",
        "required": ["specversion", "id", "source", "type", "time", "partitionkey", "sequence", "data"],
        "properties": {
            "specversion": {"const": "1.0"},
            "id": {"type": "string", "format": "uuid"},
            "source": text,
            "type": {"const": kind.type},
            "time": {"type": "string", "format": "date-time"},
            "datacontenttype": {"const": "application/json"},
            "partitionkey": {"type": "string", "format": "uuid", "description": "The stream."},
            "cooperative": {"type": "string", "format": "uuid", "description": "The same as partitionkey."},
            "sequence": {
                "type": "string",
                "pattern": "^[0-9]{20}$",
                "description": "Place in the stream, from 1.",
            },
            "after": {
                "type": "string",
                "description": "What had been applied of other streams: catalog=12;orders=7",
            },
            "traceparent": text,
            "data": data,
        },
    }


def _schemas(kinds: Sequence[type[Event]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """(schema per event type, shared definitions), with references into components/schemas."""
    schemas, shared = {}, {}
    for kind in kinds:
        schema = kind.json_schema("#/components/schemas/{name}")
        shared.update(schema.pop("$defs", {}))
        schemas[kind.type] = schema
    return schemas, shared


def asyncapi(service: str, title: str, publishes: Sequence[type[Event]]) -> dict[str, Any]:
    """The AsyncAPI 3.0 document of what the service publishes."""
    data, shared = _schemas(publishes)
    messages = {
        kind.type: {
            "name": kind.type,
            "title": kind.__name__,
            "summary": (kind.__doc__ or "").strip().split("\n")[0],
            "contentType": cloudevents.CONTENT_TYPE,
            "payload": {
                "type": "array",
                "items": _envelope_schema(kind, {"$ref": f"#/components/schemas/{kind.type}"}),
            },
        }
        for kind in publishes
    }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": title,
            "version": "1",
            "description": "CloudEvents 1.0 in JSON batches, one queue per lane. "
            f"A long message is compressed: its content encoding is then `{compression.ENCODING}`.",
        },
        "defaultContentType": cloudevents.CONTENT_TYPE,
        "channels": {
            "events": {
                "address": "{lane}",
                "description": f"Exchange {topology.exchange_name(service)}; the routing key is the lane.",
                "parameters": {"lane": {"description": "Lane number, 0 to 7 unless the lanes were set otherwise."}},
                "bindings": {
                    "amqp": {
                        "is": "routingKey",
                        "exchange": {
                            "name": topology.exchange_name(service),
                            "type": "direct",
                            "durable": True,
                        },
                        "bindingVersion": "0.3.0",
                    }
                },
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
            }
        },
        "operations": {
            "publish": {
                "action": "send",
                "channel": {"$ref": "#/channels/events"},
                "messages": [{"$ref": f"#/channels/events/messages/{name}"} for name in messages],
            }
        },
        "components": {"messages": messages, "schemas": {**shared, **data}},
    }


def asyncapi_page(document: dict[str, Any], service: str) -> str:
    """The AsyncAPI document for people."""
    return _pages.get_template("asyncapi.html").render(document=document, exchange=topology.exchange_name(service))


def openapi_page(document: dict[str, Any]) -> str:
    """The OpenAPI document for people."""
    return _pages.get_template("openapi.html").render(document=document)
