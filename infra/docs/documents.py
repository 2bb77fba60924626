"""Every generated document of the repository: where it stands and what it should say now."""

import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from infra.docs import platforms
from infra.docs.compatibility import breaking_changes
from services.chassis import documents, http
from services.chassis.runtime import Service
from services.contracts import allocation, catalog, notify, orders
from services.contracts.base import type_registry
from services.contracts.flow import SERVICES
from services.notify.domain.bodies import TYPES, json_schema
from services.orders.adapters import ADAPTERS

CONTRACTS = (catalog, orders, allocation, notify)
"""Imported here, so that the registry of event types is complete."""

ROOT = Path(__file__).resolve().parents[2]
SCHEMAS = ROOT / "services" / "contracts" / "schemas"
WEBHOOKS = ROOT / "services" / "notify" / "webhooks"
"""The schemas of messages to partners, frozen like those of events."""


def services() -> Iterator[Service[Any]]:
    """The four services as their `app.py` describes them."""
    for name in SERVICES:
        yield importlib.import_module(f"services.{name}.app").service


def frozen(kind: str) -> Path:
    """Where the frozen schema of an event type stands."""
    return SCHEMAS / f"{kind}.json"


def expected() -> dict[Path, str]:
    """Every generated file with the content that it should have."""
    files: dict[Path, Any] = {}
    for service in services():
        folder = ROOT / "services" / service.name
        files[folder / "asyncapi.json"] = documents.asyncapi(service.name, service.title, service.publishes)
        files[folder / "openapi.json"] = http.routes_only(service.title, service.routers).openapi()
    for kind, event in type_registry.items():
        files[frozen(kind)] = event.json_schema()
    for name in TYPES:
        files[WEBHOOKS / f"{name}.json"] = json_schema(name)
    written = {path: json.dumps(content, ensure_ascii=False, indent=1) + "\n" for path, content in files.items()}
    return written | _readme()


def _readme() -> dict[Path, str]:
    """README with its table of platforms, once it says where that belongs."""
    readme = ROOT / "README.md"
    text = readme.read_text("utf-8")
    declarations = [adapter.DECLARATION for adapter in ADAPTERS.values()]
    return {readme: platforms.with_table(text, declarations)} if platforms.BEGIN in text else {}


def breaking() -> list[str]:
    """What broke since the schemas were frozen; a frozen schema whose event is gone counts too."""
    contents = expected()
    lines = []
    for path in sorted([*SCHEMAS.glob("*.json"), *WEBHOOKS.glob("*.json")]):
        if path not in contents:
            lines.append(f"{path.stem} is gone")
        else:
            changes = breaking_changes(json.loads(path.read_text("utf-8")), json.loads(contents[path]))
            lines += [f"{path.stem}: {change}" for change in changes]
    return lines


def write_all() -> list[Path]:
    """Writes what has changed and returns it."""
    written = []
    for path, content in expected().items():
        if not path.exists() or path.read_text("utf-8") != content:
            path.write_text(content, "utf-8")
            written.append(path.relative_to(ROOT))
    return written
