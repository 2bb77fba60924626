"""Quantities in words for people and partners: exact, from integers alone."""


def exact(steps: int, step_milliunits: int, mark: str = ".") -> str:
    """`steps` in the product's unit without rounding: 25 steps of 500 thousandths are "12.5".

    `mark` is the decimal mark; there is no grouping of thousands, which some would read as decimals.
    """
    whole, milliunits = divmod(steps * step_milliunits, 1000)
    decimals = f"{milliunits:03d}".rstrip("0")
    return f"{whole}{mark}{decimals}" if decimals else str(whole)
