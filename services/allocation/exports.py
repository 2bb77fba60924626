"""Settlements as files: CSV and XLSX."""

import io
from collections.abc import Sequence

import xlsxwriter

from services.allocation.store.settlements import BookedEntry
from services.chassis import csv_files

CSV_TYPE = csv_files.CSV_TYPE
XLSX_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
COLUMNS = ("delivery_day", "household", "gross_vnd", "fee_vnd", "adjustment_vnd", "net_vnd", "reason", "made_at")


def to_csv(entries: Sequence[BookedEntry]) -> bytes:
    """One row per entry, after a row of names."""
    return csv_files.whole(COLUMNS, map(_row, entries))


def to_xlsx(entries: Sequence[BookedEntry]) -> bytes:
    """A workbook with one sheet: the rows of the CSV, amounts as numbers, and the sums below them."""
    file = io.BytesIO()
    book = xlsxwriter.Workbook(file, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    sheet = book.add_worksheet("settlement")
    bold, money = book.add_format({"bold": True}), book.add_format({"num_format": "#,##0"})
    sheet.write_row(0, 0, COLUMNS, bold)
    for number, one in enumerate(entries, 1):
        for column, value in enumerate(_row(one)):
            if isinstance(value, int):
                sheet.write_number(number, column, value, money)
            else:
                sheet.write_string(number, column, value)
    sums = [sum(amounts) for amounts in zip(*(_amounts(one) for one in entries), strict=True)] or [0, 0, 0, 0]
    sheet.write_string(len(entries) + 1, 0, "sum", bold)
    sheet.write_row(len(entries) + 1, 2, sums, money)
    sheet.set_column(0, len(COLUMNS) - 1, 16)
    book.close()
    return file.getvalue()


def _row(one: BookedEntry) -> tuple[str | int, ...]:
    entry = one.entry
    return (
        entry.delivery_day.isoformat(),
        one.household_code,
        *_amounts(one),
        entry.reason or "",
        one.made_at.isoformat(timespec="seconds"),
    )


def _amounts(one: BookedEntry) -> tuple[int, int, int, int]:
    entry = one.entry
    return entry.gross_vnd, entry.fee_vnd, entry.adjustment_vnd, entry.net_vnd
