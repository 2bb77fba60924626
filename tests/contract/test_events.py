"""Event contracts only grow; what is published is written down; documents tell the present truth."""

import json
from pathlib import Path
from typing import Any

import pytest

from infra.docs import documents
from infra.docs.compatibility import breaking_changes
from services.contracts.base import Event, type_registry
from services.contracts.flow import SERVICES

OLD: dict[str, Any] = {
    "type": "object",
    "required": ["offer", "lines"],
    "properties": {
        "offer": {"type": "string", "format": "uuid", "description": "which"},
        "note": {"type": "string", "default": ""},
        "lines": {"type": "array", "items": {"$ref": "#/$defs/Line"}},
    },
    "$defs": {"Line": {"type": "object", "required": ["steps"], "properties": {"steps": {"type": "integer"}}}},
}


def changed(path: str, value: Any) -> dict[str, Any]:
    copy: dict[str, Any] = json.loads(json.dumps(OLD))
    *parents, last = path.split("/")
    node = copy
    for name in parents:
        node = node[name]
    node.pop(last) if value is None else node.__setitem__(last, value)
    return copy


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("properties/note", None),
        ("properties/offer/type", "integer"),
        ("required", ["offer", "lines", "note"]),
        ("required", ["offer"]),
        ("$defs/Line/properties/steps/minimum", 1),
        ("$defs/Line/required", []),
        ("properties/lines/minItems", 1),
    ],
)
def test_a_change_that_a_reader_could_not_follow_is_found(path: str, value: Any) -> None:
    assert breaking_changes(OLD, changed(path, value))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("properties/extra", {"type": "string", "default": ""}),
        ("properties/offer/description", "another word for it"),
        ("$defs/Line/properties/grade", {"type": "string"}),
    ],
)
def test_an_optional_field_or_another_description_breaks_nothing(path: str, value: Any) -> None:
    assert breaking_changes(OLD, changed(path, value)) == []


def test_no_contract_has_broken_since_it_was_frozen() -> None:
    assert documents.breaking() == []


def test_every_generated_document_is_up_to_date() -> None:
    stale = [
        str(path.relative_to(documents.ROOT))
        for path, content in documents.expected().items()
        if not path.exists() or path.read_text("utf-8") != content
    ]
    assert stale == [], "run: make docs"


def test_every_event_is_published_by_the_service_that_it_names() -> None:
    published = {kind.type: service.name for service in documents.services() for kind in service.publishes}
    assert published == {name: name.split(".")[0] for name in type_registry}
    assert {service.name for service in documents.services()} == set(SERVICES)


@pytest.mark.parametrize("kind", type_registry.values(), ids=lambda kind: kind.type)
def test_no_event_has_a_field_for_personal_data(kind: type[Event]) -> None:
    schema = json.dumps(kind.json_schema()).lower()
    for word in ("phone", "email", "address", "customer", "contact"):
        assert f'"{word}' not in schema, f"{kind.type} carries {word}"


def test_readers_ignore_fields_that_they_do_not_know() -> None:
    for path in Path(documents.SCHEMAS).glob("*.json"):
        kind = type_registry[path.stem]
        assert not kind.__struct_config__.forbid_unknown_fields
