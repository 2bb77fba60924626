"""From the household to the order: which accepted lots fill which order line, and what a lot is called.

A lot is what one household delivered of one product for one day, as far as it was accepted.

Few households to a line make it easy to trace and to pack. The least possible number of parts is bin packing, which
is NP-hard; so this is a rule of thumb with a bound. Every part uses up its lot or completes its line, and the last one
does both if nothing is left over: so there are never more than lines + lots - 1 parts. Of small random offers
(up to 4 lots and 5 lines) about one in fifty took a part more than the least possible, none took two.
"""

import re
from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date
from itertools import pairwise
from uuid import UUID

from msgspec import Struct


class Lot(Struct, frozen=True):
    """What was accepted of one lot. Raises ValueError below 0."""

    lot_code: str
    accepted_steps: int

    def __post_init__(self) -> None:
        if self.accepted_steps < 0:
            raise ValueError(f"lot {self.lot_code}: accepted_steps is {self.accepted_steps}, must be 0 or more")


class Demand(Struct, frozen=True):
    """What one order line gets of the offer in the end. Raises ValueError below 0."""

    order_id: UUID
    line_no: int
    net_steps: int

    def __post_init__(self) -> None:
        if self.net_steps < 0:
            raise ValueError(
                f"line {self.line_no} of order {self.order_id}: net_steps is {self.net_steps}, must be 0 or more"
            )


class Part(Struct, frozen=True):
    """So much of an order line comes from this lot; at least 1 step."""

    order_id: UUID
    line_no: int
    lot_code: str
    quantity_steps: int


# -- Filling -------------------------------------------------------------------------------------------------


def fill_lines(lots: Iterable[Lot], lines: Iterable[Demand]) -> tuple[Part, ...]:
    """Fill every line of one offer exactly; the parts come by order, line number and lot code.

    First the lines that are exactly a whole lot, then the others, largest first. A line is filled from the smallest lot
    that holds all of it (best fit); while there is none it takes the largest lot whole. The order of lots and lines
    does not matter. O(lines log lots), but for moving short rows in memory. Raises ValueError for a lot or line
    that comes twice, or when the lines need more than was accepted.
    """
    whole_lots, demands = _checked(lots, lines)
    open_lots = sorted((lot.accepted_steps, lot.lot_code) for lot in whole_lots if lot.accepted_steps)
    parts: list[Part] = []
    for line in _whole_lots_first(demands, open_lots):
        wanted_steps = line.net_steps
        while wanted_steps:
            holds_all = bisect_left(open_lots, (wanted_steps, ""))
            steps, lot_code = open_lots.pop(min(holds_all, len(open_lots) - 1))
            taken_steps = min(wanted_steps, steps)
            parts.append(Part(line.order_id, line.line_no, lot_code, taken_steps))
            wanted_steps -= taken_steps
            if taken_steps < steps:
                insort(open_lots, (steps - taken_steps, lot_code))
    return tuple(sorted(parts, key=lambda part: (part.order_id.int, part.line_no, part.lot_code)))


def _whole_lots_first(lines: Iterable[Demand], open_lots: Iterable[tuple[int, str]]) -> list[Demand]:
    """As many lines as there are lots of exactly their size, then the rest; both from the largest down."""
    unmatched = Counter(steps for steps, _ in open_lots)
    exact, others = [], []
    for line in sorted(lines, key=lambda line: (-line.net_steps, line.order_id.int, line.line_no)):
        if unmatched[line.net_steps]:
            unmatched[line.net_steps] -= 1
            exact.append(line)
        else:
            others.append(line)
    return exact + others


def _checked(lots: Iterable[Lot], lines: Iterable[Demand]) -> tuple[Sequence[Lot], Sequence[Demand]]:
    own_lots = sorted(lots, key=lambda lot: lot.lot_code)
    for lot, next_lot in pairwise(own_lots):
        if lot.lot_code == next_lot.lot_code:
            raise ValueError(f"lot {lot.lot_code} comes twice")
    demands = sorted(lines, key=lambda line: (line.order_id.int, line.line_no))
    for line, next_line in pairwise(demands):
        if (line.order_id, line.line_no) == (next_line.order_id, next_line.line_no):
            raise ValueError(f"line {line.line_no} of order {line.order_id} comes twice")
    accepted_steps, net_steps = sum(lot.accepted_steps for lot in own_lots), sum(line.net_steps for line in demands)
    if net_steps > accepted_steps:
        raise ValueError(f"the lines need {net_steps} steps, but only {accepted_steps} were accepted")
    return own_lots, demands


# -- Lot codes -----------------------------------------------------------------------------------------------

_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_LOT_CODE = re.compile(r"([A-Za-z0-9](?:[A-Za-z0-9._]|--)*)-([A-Za-z0-9][A-Za-z0-9._-]*)-([0-9]{6})")


def lot_code(household_code: str, product_code: str, delivery_day: date) -> str:
    """Household, product and day as YYMMDD, as in VH03-CAIMEO-261126.

    It can be split in one way only: hyphens within the household code are doubled, so the household ends at
    the first hyphen of its own (a code does not begin with one), and the day is the last six digits. Codes are
    written as they are: letters and digits, with `-`, `_` and `.` after the first. Raises ValueError for any
    other code, or a year that two digits do not tell.
    """
    for code in (household_code, product_code):
        if not _CODE.fullmatch(code):
            raise ValueError(f"{code!r} cannot be part of a lot code: letters and digits, then also - _ .")
    if not 2000 <= delivery_day.year <= 2099:
        raise ValueError(f"{delivery_day} cannot be part of a lot code: the year must be 2000 to 2099")
    return f"{household_code.replace('-', '--')}-{product_code}-{delivery_day:%y%m%d}"


def split_lot_code(code: str) -> tuple[str, str, date]:
    """The household code, the product code and the delivery day. Raises ValueError for what is no lot code."""
    match = _LOT_CODE.fullmatch(code)
    if match is None:
        raise ValueError(f"{code!r} is no lot code")
    household_code, product_code, day = match.groups()
    try:
        delivery_day = date(2000 + int(day[:2]), int(day[2:4]), int(day[4:]))
    except ValueError as error:
        raise ValueError(f"{code!r} is no lot code: {error}") from None
    return household_code.replace("--", "-"), product_code, delivery_day
