"""Whether a text names a person, however it is written."""

import json

import pytest

from services.orders.domain.customers import EMAIL, PHONE, Identity
from services.orders.domain.traces import names_person

SIGNS = [Identity(PHONE, "+84912345678"), Identity(EMAIL, "mai@example.vn"), Identity("shop", "Khách-4711")]


@pytest.mark.parametrize(
    "text",
    ["0912345678", "+84912345678", "0912 345 678", "0912.345.678", "(+84) 912-345–678", "+84 (0) 912 345 678",
     "09 12 34 56 78", "０９１２３４５６７８", "0912\u00a0345\u00a0678", "0912'345'678", "phone=%2B84+912+345+678",
     "Mai@Example.VN", "MAI@EXAMPLE.VN", "mail=Mai%40example.vn", "khách-4711", "KHÁCH-4711", "id: Khách-4711."],
)  # fmt: skip
def test_a_person_is_named_in_any_ordinary_spelling(text: str) -> None:
    for body in (text, json.dumps({"who": text}), json.dumps({"who": text}, ensure_ascii=False), f"<a>{text}</a>"):
        assert names_person(body.encode(), SIGNS)


@pytest.mark.parametrize(
    "text",
    ["0987654321", "su@example.vn", "Khách-47111", "912345,678", '["0912", "345678"]', "\xff", "", "0912 345 67"],
)
def test_another_is_not(text: str) -> None:
    assert not names_person(text.encode(), SIGNS)
