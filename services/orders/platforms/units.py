"""What the platforms' order details have in common: units that become lines, prices, and texts of strangers.

TikTok Shop and Lazada list every unit by itself; a line is what has the same SKU. Lines are numbered by the smallest
id of their units, also of those that were cancelled, so that a line keeps its number when another one goes.
"""

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, TypeVar

from msgspec import Struct
from pydantic import BaseModel, ValidationError

from services.chassis import problems
from services.orders.adapters.base import MOST_LINES, MOST_TEXT, Malformed
from services.orders.domain.command import CommandLine, Contact

MOST_UNITS = 10_000
MOST_OF_A_SKU = 999_999
MOST_SKU = 100
_MONEY = re.compile(r"[0-9]{1,15}(\.[0-9]{1,6})?")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]+")

M = TypeVar("M", bound=BaseModel)


class Unit(Struct, frozen=True):
    """`quantity` items of one SKU for `price` each; None where it is not in VND. Not `wanted`: cancelled."""

    id: int
    sku: str
    quantity: int
    price: Decimal | None
    wanted: bool = True


def parsed(model: type[M], found: object) -> M:
    """The platform's object as its model. Raises Malformed with every faulty field."""
    try:
        return model.model_validate(found)
    except ValidationError as error:
        raise Malformed(problems.from_validation(error).fields) from None


def lines_of(units: Sequence[Unit]) -> tuple[CommandLine, ...]:
    """A line for each SKU of which something is wanted. Raises Malformed where there are too many."""
    by_sku: dict[str, list[Unit]] = {}
    for unit in sorted(units, key=lambda unit: (unit.id, unit.sku)):
        by_sku.setdefault(unit.sku, []).append(unit)
    if len(by_sku) > MOST_LINES:
        raise Malformed([("items", f"have {len(by_sku)} SKUs; the most is {MOST_LINES}")])
    lines = []
    for line_no, (sku, all_units) in enumerate(by_sku.items(), 1):
        wanted = [unit for unit in all_units if unit.wanted and unit.quantity]
        if wanted:
            quantity = sum(unit.quantity for unit in wanted)
            if quantity > MOST_OF_A_SKU:
                raise Malformed([("items", f"are {quantity} of one SKU; the most is {MOST_OF_A_SKU}")])
            lines.append(CommandLine(line_no, sku, Decimal(quantity), _price_vnd(wanted, quantity)))
    return tuple(lines)


def _price_vnd(units: Iterable[Unit], quantity: int) -> int | None:
    """Per item, where that is whole VND."""
    total = Decimal(0)
    for unit in units:
        if unit.price is None:
            return None
        total += unit.price * unit.quantity
    price = total / quantity
    return int(price) if price == int(price) else None


def money_vnd(amount: object, currency: str | None) -> Decimal | None:
    """An amount that a platform gives as text or number; None where it is no amount in VND."""
    text = str(amount)
    return Decimal(text) if currency == "VND" and _MONEY.fullmatch(text) else None


def sku_text(*written: str | None, otherwise: str) -> str:
    """The first SKU that the seller gave, or the platform's own id of the thing, so that staff can map it too."""
    return next(sku for sku in map(_plain, (*written, otherwise, "?")) if sku)[:MOST_SKU]


def contact_of(name: str | None, phone: str | None, address: Iterable[str | None]) -> Contact | None:
    """The customer as far as the platform shows it: masked (`P******n`) as it is."""
    told = (_cut(_plain(name)), _cut(_plain(phone)), _cut(", ".join(part for part in map(_plain, address) if part)))
    return Contact(*told) if any(told) else None


def _plain(text: str | None) -> str:
    """Without controls, and without halves of characters as masking leaves them."""
    return _CONTROLS.sub(" ", text or "").encode(errors="replace").decode().strip()


def _cut(text: str) -> str | None:
    return text[:MOST_TEXT] or None


def by_ref(found: object, field: str, key: str) -> dict[str, dict[str, Any]]:
    """The objects of a list by the number that each carries. Raises Malformed where it is no list of objects."""
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise Malformed([(field, "is no list of objects")])
    return {str(one[key]): one for one in found if one.get(key) is not None}
