"""CloudEvents over HTTP in binary mode: the attributes in headers, percent-encoded, and the order alone in the body."""

import json
from typing import Any

import pytest

from services.orders.adapters import canonical
from services.orders.adapters.base import Malformed, Read
from services.orders.domain.command import Kind, OrderCommand
from tests.support.platforms.base import asked
from tests.support.platforms.canonical import CANONICAL

ORDER = {
    "ref": "A-1001",
    "updated_at": "2026-11-23T06:00:00+07:00",
    "status": "placed",
    "lines": [{"sku": "CAI", "quantity": "1.5"}],
}
HEADERS = {
    "content-type": "application/json; charset=utf-8",
    "ce-specversion": "1.0",
    "ce-id": "s%E1%BA%A1p-1",
    "ce-source": "/s%E1%BA%A1p%20rau",
    "ce-type": "vn.chophien.order.v1",
    "ce-time": "2026-11-23T06:00:00+07:00",
}


def read(order: object, **headers: str | None) -> Read:
    kept = {name: value for name, value in (HEADERS | headers).items() if value is not None}
    return canonical.read(CANONICAL.credentials, asked(json.dumps(order).encode(), kept))


def test_the_body_is_the_order_and_says_the_same_as_in_the_other_modes() -> None:
    found = read(ORDER)
    assert isinstance(found, OrderCommand)
    assert (found.partner_ref, found.kind) == ("A-1001", Kind.UPSERT)
    assert found == canonical.read_content("application/json", json.dumps({"order": ORDER}).encode())


@pytest.mark.parametrize(
    ("headers", "field"),
    [
        ({"ce-id": None}, "ce-id"),
        ({"ce-id": "%61" * 201}, "ce-id"),
        ({"ce-source": None}, "ce-source"),
        ({"ce-type": "vn.chophien.order.v2"}, "ce-type"),
        ({"ce-specversion": "0.3"}, "ce-specversion"),
        ({"content-type": "text/plain"}, "datacontenttype"),
    ],
)
def test_a_faulty_attribute_is_named(headers: dict[str, Any], field: str) -> None:
    with pytest.raises(Malformed) as caught:
        read(ORDER, **headers)
    assert [name for name, _ in caught.value.fields] == [field]


def test_a_faulty_order_is_named_without_an_envelope() -> None:
    with pytest.raises(Malformed) as caught:
        read(ORDER | {"ref": ""})
    assert [name for name, _ in caught.value.fields] == ["ref"]
