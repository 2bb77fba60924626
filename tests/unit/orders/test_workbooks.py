"""Workbooks that somebody else has made, some of them with bad intent."""

import io
import zipfile
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

import pytest
import xlsxwriter

from services.orders import workbooks
from services.orders.domain.tables import MOST_COLUMNS, MOST_ROWS, Cell, FaultyTable
from services.orders.workbooks import MOST_PARTS, MOST_READ_ROWS, MOST_UNPACKED_BYTES, xlsx_cells


def book(fill: Callable[[Any], None], **other: Any) -> bytes:
    """A workbook whose first sheet is filled."""
    file = io.BytesIO()
    made = xlsxwriter.Workbook(file, {"in_memory": True} | other)
    fill(made)
    made.close()
    return file.getvalue()


def rows_of(*rows: list[Any]) -> bytes:
    def fill(made: Any) -> None:
        sheet = made.add_worksheet()
        day = made.add_format({"num_format": "dd/mm/yyyy"})
        for number, row in enumerate(rows):
            for column, value in enumerate(row):
                if isinstance(value, datetime):
                    sheet.write_datetime(number, column, value, day)
                else:
                    sheet.write(number, column, value)

    return book(fill)


def fault(raw: bytes) -> str:
    with pytest.raises(FaultyTable) as caught:
        xlsx_cells(raw)
    ((name, detail),) = caught.value.faults
    return f"{name} {detail}"


def repacked(raw: bytes, change: Callable[[str, bytes], bytes]) -> bytes:
    """The workbook with other content in its parts."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(raw)) as before, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as after:
        for name in before.namelist():
            after.writestr(name, change(name, before.read(name)))
    return file.getvalue()


def test_cells_come_as_what_they_are() -> None:
    day = datetime(2026, 11, 24)  # noqa: DTZ001 - workbooks know no zones
    raw = rows_of(["Mã đơn", "Số lượng"], [], [1001, 1.5, day, True, "", "Lò Thị Mai"], [])
    assert xlsx_cells(raw) == [["Mã đơn", "Số lượng"], [], [1001, 1.5, day, "True", None, "Lò Thị Mai"]]


def test_the_last_result_of_a_formula_counts() -> None:
    def fill(made: Any) -> None:
        made.add_worksheet().write_formula(0, 0, "=1+1", None, 2)

    assert xlsx_cells(book(fill)) == [[2]]


def test_hidden_sheets_are_passed_over() -> None:
    def fill(made: Any) -> None:
        hidden, shown = made.add_worksheet(), made.add_worksheet()
        hidden.write(0, 0, "hidden")
        shown.write(0, 0, "shown")
        hidden.hide()
        shown.activate()
        shown.set_first_sheet()

    assert xlsx_cells(book(fill)) == [["shown"]]


def test_a_cell_with_an_error_is_a_fault() -> None:
    def fill(made: Any) -> None:
        made.add_worksheet().write_formula(1, 0, "=1/0", None, "#DIV/0!")

    assert fault(book(fill)) == "rows[2] has the error #DIV/0!"


def test_rows_are_limited_and_rows_far_below_are_not_missed() -> None:
    assert fault(rows_of(*([[number] for number in range(MOST_ROWS + 2)]))) == f"file has more than {MOST_ROWS} rows"

    def fill(made: Any) -> None:
        made.add_worksheet().write(60_000, 1, "far below")

    assert xlsx_cells(book(fill))[60_000] == [None, "far below"]


def with_rows(rows: bytes) -> bytes:
    """A workbook whose sheet has these rows, as they stand in the file."""

    def change(name: str, content: bytes) -> bytes:
        head, _, rest = content.partition(b"<sheetData>")
        _, _, tail = rest.partition(b"</sheetData>")
        return head + b"<sheetData>" + rows + b"</sheetData>" + tail if name == "xl/worksheets/sheet1.xml" else content

    return repacked(rows_of(["a"]), change)


@pytest.mark.parametrize(
    "rows", [b"<row/>" * (MOST_READ_ROWS + 1), b'<row r="%d"><c t="n"><v>1</v></c></row>' % (MOST_READ_ROWS + 1)]
)
def test_empty_rows_are_read_up_to_a_limit_too(rows: bytes) -> None:
    assert fault(with_rows(rows)) == f"file has rows below row {MOST_READ_ROWS}"


def test_a_cell_far_to_the_right_makes_no_wide_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each would be a row of 16384 cells, filled or not."""
    widths: list[int] = []

    def seen(rows: Iterable[tuple[object, ...]]) -> list[list[Cell]]:
        widths.extend(len(row) for row in rows)
        return []

    raw = with_rows(b"".join(b'<row r="%d"><c r="XFD%d"/></row>' % (number, number) for number in range(1, 6)))
    assert xlsx_cells(raw) == []
    monkeypatch.setattr(workbooks, "_rows", seen)
    xlsx_cells(raw)
    assert widths == [MOST_COLUMNS + 1] * 5


def test_too_many_columns_are_seen_although_no_more_are_read() -> None:
    cells = xlsx_cells(rows_of(list(range(MOST_COLUMNS + 5)), ["a"]))
    assert [len(row) for row in cells] == [MOST_COLUMNS + 1, 1]


@pytest.mark.parametrize("raw", [b"", b"ref,sku\n", b"PK\x03\x04" + b"\0" * 60, b"\xd0\xcf\x11\xe0" * 20])
def test_what_is_no_workbook_is_refused(raw: bytes) -> None:
    assert fault(raw) == "file is no XLSX workbook"


def test_a_zip_file_of_something_else_is_refused() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as parts:
        parts.writestr("a.txt", "a")
    assert fault(file.getvalue()) == "file is no XLSX workbook that can be read"


def test_a_small_file_that_unpacks_to_a_large_one_is_refused_before_it_is_unpacked() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as parts:
        parts.writestr("xl/workbook.xml", b"\0" * (MOST_UNPACKED_BYTES + 1))
    assert len(file.getvalue()) < 100_000
    assert fault(file.getvalue()).startswith("file unpacks to more than")


def test_a_file_of_very_many_parts_is_refused() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as parts:
        for number in range(MOST_PARTS + 1):
            parts.writestr(str(number), b"")
    assert fault(file.getvalue()).startswith("file unpacks to more than")


def test_a_part_that_is_larger_than_its_list_says_is_not_unpacked() -> None:
    """The size in the list is what was measured, and nothing is read beyond it."""
    large = rows_of(*([["x" * 30, number] for number in range(2000)]))
    lying = bytearray(large)
    place = 0
    while (place := lying.find(b"PK\x01\x02", place)) != -1:
        lying[place + 24 : place + 28] = (10).to_bytes(4, "little")
        place += 4
    assert fault(bytes(lying)) == "file is no XLSX workbook that can be read"


@pytest.mark.parametrize(
    "part", ["xl/worksheets/sheet1.xml", "xl/sharedStrings.xml", "xl/workbook.xml", "xl/styles.xml"]
)
def test_entities_are_refused_wherever_they_stand(part: str) -> None:
    """The laughs are few here, so that only the refusal, and no lack of memory, ends them."""
    laughs = b'<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>'

    def change(name: str, content: bytes) -> bytes:
        head, _, rest = content.partition(b"?>")
        return head + b"?>" + laughs + rest if name == part else content

    raw = rows_of(["a", "b"])
    assert repacked(raw, lambda _, content: content)
    assert xlsx_cells(repacked(raw, lambda _, content: content)) == [["a", "b"]]
    assert fault(repacked(raw, change)) == "file is no XLSX workbook that can be read"
