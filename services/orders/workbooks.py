"""The cells of an XLSX workbook that somebody else has made.

It is a ZIP file of XML files, so it is measured before it is opened: a small one can unpack to gigabytes. openpyxl
reads the XML with defusedxml, which takes no entities.
"""

import io
import zipfile
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from datetime import time as clock

import openpyxl

from services.orders.domain.tables import MOST_COLUMNS, MOST_ROWS, Cell, FaultyTable

XLSX_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
MOST_UNPACKED_BYTES = 16 * 1024 * 1024
MOST_PARTS = 500
MOST_READ_ROWS = 100_000
"""Of the sheet, empty ones too."""
_ENCRYPTED = 0x1
_ERRORS = frozenset(("#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#N/A", "#SPILL!", "#CALC!"))


def xlsx_cells(raw: bytes) -> list[list[Cell]]:
    """The cells of the first sheet that is not hidden, with the last known results of formulas. Raises FaultyTable."""
    _measure(raw)
    try:
        book = openpyxl.load_workbook(io.BytesIO(raw), read_only=True, data_only=True, keep_links=False)
        try:
            sheets = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
            if not sheets:
                raise FaultyTable([("file", "has no sheet that is not hidden")])
            sheets[0].reset_dimensions()  # what the file says of them need not be true
            return _rows(sheets[0].iter_rows(values_only=True, max_col=MOST_COLUMNS + 1))
        finally:
            book.close()
    except FaultyTable:
        raise
    except Exception:  # noqa: BLE001 - a reader of whatever somebody sends may fail in any way
        raise FaultyTable([("file", "is no XLSX workbook that can be read")]) from None


def _measure(raw: bytes) -> None:
    """Raises FaultyTable. A part never unpacks to more than its size in the list: zipfile stops there."""
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as parts:
            listed = parts.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError):
        raise FaultyTable([("file", "is no XLSX workbook")]) from None
    if any(part.flag_bits & _ENCRYPTED for part in listed):
        raise FaultyTable([("file", "is protected by a password")])
    if len(listed) > MOST_PARTS or sum(part.file_size for part in listed) > MOST_UNPACKED_BYTES:
        raise FaultyTable([("file", f"unpacks to more than {MOST_UNPACKED_BYTES} bytes or {MOST_PARTS} parts")])


def _rows(rows: Iterable[tuple[object, ...]]) -> list[list[Cell]]:
    found: list[list[Cell]] = []
    filled = 0
    for number, row in enumerate(rows, 1):
        if number > MOST_READ_ROWS:
            raise FaultyTable([("file", f"has rows below row {MOST_READ_ROWS}")])
        cells = _cells(number, row) if row.count(None) < len(row) else []
        filled += bool(cells)
        if filled > MOST_ROWS + 1:
            raise FaultyTable([("file", f"has more than {MOST_ROWS} rows")])
        found.append(cells)
    while found and not found[-1]:
        found.pop()
    return found


def _cells(number: int, row: tuple[object, ...]) -> list[Cell]:
    """Up to the last that is not empty."""
    cells = [_cell(number, value) for value in row]
    while cells and cells[-1] is None:
        cells.pop()
    return cells


def _cell(number: int, value: object) -> Cell:
    if isinstance(value, str):
        if value in _ERRORS:
            raise FaultyTable([(f"rows[{number}]", f"has the error {value}")])
        return value or None
    if isinstance(value, bool | clock | timedelta):
        return str(value)
    if value is None or isinstance(value, int | float | datetime | date):
        return value
    raise FaultyTable([(f"rows[{number}]", "has a cell that is neither text, number nor date")])
