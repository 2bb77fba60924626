"""Quantities in words for people and partners: exact, from integers alone."""

import re

_TYPED = re.compile("([0-9]{0,9})(?:[.,]([0-9]{1,3}))?")


def exact(steps: int, step_milliunits: int, mark: str = ".") -> str:
    """`steps` in the product's unit without rounding: 25 steps of 500 thousandths are "12.5".

    `mark` is the decimal mark; there is no grouping of thousands, which some would read as decimals.
    """
    whole, milliunits = divmod(steps * step_milliunits, 1000)
    decimals = f"{milliunits:03d}".rstrip("0")
    return f"{whole}{mark}{decimals}" if decimals else str(whole)


def milliunits(text: str) -> int:
    """Thousandths of the unit in a quantity as people type it: "12.5", "12,5" and "12.500" are 12500.

    Raises ValueError for all else, such as a sign, an exponent or a fourth decimal.
    """
    found = _TYPED.fullmatch(text)
    if found is None or not text:
        raise ValueError("is no quantity")
    return int(found[1] or "0") * 1000 + int((found[2] or "").ljust(3, "0"))
