"""The story of one order in a shop of the Open Food Network, as its payments tell it."""

from typing import Any

from tests.support.platforms.base import SECRET, Platform, Told, who


def ofn_push(minute: int, state: str, *quantities: int, event: str = "payment.complete", **order: Any) -> Any:
    """A payment's webhook with its order."""
    line = {"price": "15000.0", "product_name": "Cải mèo", "tax_category_name": None, "name_to_display": None}
    lines = [line | {"quantity": quantity, "unit_to_display": f"{n}00g"} for n, quantity in enumerate(quantities, 3)]
    payment = {"updated_at": f"2026-11-23T08:{minute:02d}:00.000+07:00", "amount": "30000.0", "state": state}
    placed = {"number": "R123456789", "total": "30000.0", "currency": "VND", "line_items": lines} | order
    return {"id": "7f3", "event": event, "at": payment["updated_at"], "data": {"payment": payment, "order": placed}}


OPEN_FOOD_NETWORK = Platform(
    "open_food_network",
    who(SECRET),
    (
        Told(ofn_push(0, "pending", 2)),
        Told(ofn_push(0, "completed", 2)),
        Told(ofn_push(20, "completed", 2, 1)),
        Told(ofn_push(30, "void")),
    ),
    lambda raw: ({}, {"key": SECRET}),
)
