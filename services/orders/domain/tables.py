"""Tables that people write in spreadsheets: rows under named columns, with numbers and days as Vietnam writes them.

Nothing is guessed: a number that could be read in two ways is a fault, since a misread quantity costs a family its
harvest.
"""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime, tzinfo
from decimal import Decimal

from msgspec import Struct

from services.orders.domain.words import words

MOST_ROWS = 5000
MOST_COLUMNS = 200
MOST_CELL = 2000
"""Characters."""

Cell = str | int | float | date | datetime | None

_DELIMITERS = ",;\t"
_NUMBER = re.compile(r"([0-9]{1,9})(?:([.,])([0-9]{1,6}))?")
_GROUPED = re.compile(r"[0-9]{1,3}(?:([., ])[0-9]{3})(?:\1[0-9]{3})*")
_MONEY = re.compile(r"(?:đ|₫|vnd|vnđ)$", re.IGNORECASE)
_DAY = re.compile(r"([0-9]{1,2})[/.-]([0-9]{1,2})[/.-]([0-9]{4})")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")

Fault = tuple[str, str]
"""What is wrong, and with which field."""


class FaultyTable(ValueError):
    """The file cannot be taken; `faults` are all that was found."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(", ".join(name for name, _ in faults))
        self.faults = tuple(faults)


class Row(Struct, frozen=True):
    """One row by column; `number` is that of the spreadsheet, where the names of the columns are row 1."""

    number: int
    cells: Mapping[str, Cell]

    def fault(self, column: str, detail: str) -> Fault:
        """Something wrong with one cell."""
        return f"rows[{self.number}].{column}", detail


class Table(Struct, frozen=True):
    """The rows that are not empty. `ignored`: columns that mean nothing here, as they are written."""

    rows: tuple[Row, ...]
    ignored: tuple[str, ...] = ()


def csv_cells(raw: bytes) -> list[list[str]]:
    """The cells of a CSV file with commas, semicolons or tabs. Raises FaultyTable."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise FaultyTable([("file", "must be UTF-8 (in Excel: save as 'CSV UTF-8')")]) from None
    first = text.lstrip("\r\n").partition("\n")[0]
    delimiter = max(_DELIMITERS, key=first.count)
    found: list[list[str]] = []
    try:
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True):
            found.append(row)
            if len(found) > MOST_ROWS + 1:
                raise FaultyTable([("file", f"has more than {MOST_ROWS} rows")])
    except csv.Error:
        raise FaultyTable([("file", f"is no CSV file: row {len(found) + 1} cannot be read")]) from None
    return found


def table(cells: Sequence[Sequence[Cell]], known: Mapping[str, Sequence[str]], needed: Sequence[str]) -> Table:
    """The rows under the `known` columns, each with the names by which it may go. Raises FaultyTable.

    The first row that is not empty names the columns.
    """
    head = next((number for number, row in enumerate(cells) if any(_filled(cell) for cell in row)), None)
    if head is None:
        raise FaultyTable([("file", "is empty")])
    if len(cells[head]) > MOST_COLUMNS:
        raise FaultyTable([("file", f"has more than {MOST_COLUMNS} columns")])
    names = {" ".join(words(name)): column for column, others in known.items() for name in (column, *others)}
    found: dict[str, int] = {}
    ignored, faults = [], []
    for place, cell in enumerate(cells[head]):
        column = names.get(" ".join(words(str(cell or ""))))
        if column is None:
            ignored += [str(cell)[:100]] if _filled(cell) else []
        elif column in found:
            faults.append(("columns", f"{column} is there twice"))
        else:
            found[column] = place
    faults += [("columns", f"{column} is missing") for column in needed if column not in found]
    if faults:
        raise FaultyTable(faults)
    rows = tuple(
        Row(number, {column: row[place] if place < len(row) else None for column, place in found.items()})
        for number, row in enumerate(cells[head + 1 :], head + 2)
        if any(_filled(cell) for cell in row)
    )
    if not rows:
        raise FaultyTable([("file", "has no rows under the names of its columns")])
    return Table(rows, tuple(ignored))


def _filled(cell: Cell) -> bool:
    return cell is not None and bool(str(cell).strip())


def text_of(cell: Cell, most: int) -> str | None:
    """A text without control characters, None where the cell is empty. Raises ValueError with what is wrong."""
    if isinstance(cell, float | date):
        raise ValueError("must be a text or a whole number")
    text = str(cell if cell is not None else "").strip()
    if _CONTROLS.search(text):
        raise ValueError("must not have line breaks or control characters")
    if len(text) > most:
        raise ValueError(f"must have at most {most} characters")
    return text or None


def quantity_of(cell: Cell) -> Decimal:
    """An exact number above 0 with at most 6 digits before and after the mark. Raises ValueError with what is wrong.

    `1,5` and `1.5` are one and a half; `1.500` and `1,500` could also be fifteen hundred and are refused. A number of a
    workbook is a binary fraction: its shortest decimal form counts.
    """
    return _exact(cell, ".,")


def factor_of(cell: Cell) -> Decimal:
    """As a quantity, but a point is always a decimal mark, as in the files that we write. Raises ValueError."""
    return _exact(cell, ",")


def _exact(cell: Cell, unsure_marks: str) -> Decimal:
    text = (
        format(Decimal(repr(cell)), "f") if isinstance(cell, float) else str(cell if cell is not None else "").strip()
    )
    found = _NUMBER.fullmatch(text)
    if isinstance(cell, date) or not found:
        raise ValueError("must be a number above 0 such as 2 or 1.5, with at most 6 digits before and after the mark")
    whole, mark, parts = found[1], found[2], found[3]
    if mark and mark in unsure_marks and isinstance(cell, str) and len(parts) == 3 and int(whole):
        raise ValueError(f"could be {whole}{parts} or {whole}.{parts}: write it without three decimals")
    number = Decimal(f"{whole}.{parts or 0}")
    if len(whole.lstrip("0")) > 6 or not number:
        raise ValueError("must be above 0 and below 1000000")
    return number


def vnd_of(cell: Cell) -> int | None:
    """Whole đồng, also written as `25.000 đ`; None where the cell is empty. Raises ValueError with what is wrong."""
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    text = _MONEY.sub("", str(cell if cell is not None else "").strip()).strip()
    if not text:
        return None
    digits = re.sub(r"[., ]", "", text) if _GROUPED.fullmatch(text) else text
    if isinstance(cell, date) or not (digits.isascii() and digits.isdecimal()) or len(digits) > 12:
        raise ValueError("must be whole VND such as 25000 or 25.000")
    return int(digits)


def day_of(cell: Cell) -> date | None:
    """A day as `2026-11-24` or `24/11/2026`; None where the cell is empty. Raises ValueError with what is wrong."""
    if isinstance(cell, datetime):
        if cell.time() != datetime.min.time():
            raise ValueError("must be a day without a time")
        return cell.date()
    if isinstance(cell, date) or cell is None:
        return cell
    text = str(cell).strip()
    if not text:
        return None
    try:
        if found := _DAY.fullmatch(text):
            return date(int(found[3]), int(found[2]), int(found[1]))
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise ValueError("must be a day such as 2026-11-24 or 24/11/2026")


def moment_of(cell: Cell, zone: tzinfo) -> datetime | None:
    """A time as `2026-11-23 06:00`, `23/11/2026 06:00` or ISO 8601, of `zone` where none stands. Raises ValueError."""
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        return None
    found: datetime | None = None
    if isinstance(cell, datetime):
        found = cell
    elif isinstance(cell, str):
        day, _, clock = cell.strip().partition(" ")
        turned = _DAY.fullmatch(day)
        text = f"{turned[3]}-{int(turned[2]):02d}-{int(turned[1]):02d} {clock}" if turned and clock else cell.strip()
        try:
            found = datetime.fromisoformat(text) if ":" in text else None
        except ValueError:
            found = None
    if found is None or not 2000 <= found.year < 2200:
        raise ValueError("must be a time such as 2026-11-23 06:00 or 2026-11-23T06:00:00+07:00")
    return found if found.tzinfo else found.replace(tzinfo=zone)
