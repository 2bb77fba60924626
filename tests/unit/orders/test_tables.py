"""Tables that people write in spreadsheets."""

import contextlib
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.orders.domain.tables import (
    MOST_ROWS,
    FaultyTable,
    csv_cells,
    day_of,
    factor_of,
    moment_of,
    quantity_of,
    table,
    text_of,
    vnd_of,
)

HERE = ZoneInfo("Asia/Ho_Chi_Minh")
KNOWN = {"ref": ("mã đơn", "order"), "quantity": ("số lượng",), "note": ()}


def faults(raw: bytes) -> tuple[tuple[str, str], ...]:
    with pytest.raises(FaultyTable) as caught:
        table(csv_cells(raw), KNOWN, ("ref", "quantity"))
    return caught.value.faults


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("start", ["", "\ufeff", "\ufeff\r\n"])
def test_columns_are_known_by_either_name_in_any_order(delimiter: str, start: str) -> None:
    lines = (["Số lượng", "Ghi chú ", "MÃ ĐƠN"], ["2", "nhanh", "A-1"], ["", "", ""], ["3", "", "A-2"])
    raw = start + "\r\n".join(delimiter.join(line) for line in lines)
    found = table(csv_cells(raw.encode()), KNOWN, ("ref", "quantity"))
    first = 3 if start.endswith("\n") else 2
    assert [(row.number, dict(row.cells)) for row in found.rows] == [
        (first, {"quantity": "2", "ref": "A-1"}),
        (first + 2, {"quantity": "3", "ref": "A-2"}),
    ]
    assert found.ignored == ("Ghi chú ",)


def test_a_short_row_lacks_its_last_cells() -> None:
    (row,) = table(csv_cells(b"ref,quantity\nA-1"), KNOWN, ("ref",)).rows
    assert row.cells == {"ref": "A-1", "quantity": None}


@pytest.mark.parametrize(
    ("raw", "fault"),
    [
        (b"", ("file", "is empty")),
        (b"\n\n ,\n", ("file", "is empty")),
        (b"ref,quantity\n\n", ("file", "has no rows under the names of its columns")),
        ("mã đơn".encode("utf-16"), ("file", "must be UTF-8 (in Excel: save as 'CSV UTF-8')")),
        (b'ref,quantity\n"A,1\n', ("file", "is no CSV file: row 2 cannot be read")),
        (b"ref,order,quantity\n1,2,3", ("columns", "ref is there twice")),
        (b"ref,price\n1,2", ("columns", "quantity is missing")),
        (b"ref,quantity\n" + b"1,1\n" * (MOST_ROWS + 1), ("file", f"has more than {MOST_ROWS} rows")),
    ],
)
def test_a_file_that_cannot_be_taken_says_why(raw: bytes, fault: tuple[str, str]) -> None:
    assert fault in faults(raw)


@given(st.binary(max_size=300))
@settings(max_examples=300)
def test_any_bytes_are_a_table_or_a_fault(raw: bytes) -> None:
    with contextlib.suppress(FaultyTable):
        assert table(csv_cells(raw), KNOWN, ("ref",)).rows


def refused(read: Callable[..., Any], *values: Any) -> None:
    with pytest.raises(ValueError, match=r"must|could"):
        read(*values)


@pytest.mark.parametrize(
    ("cell", "number"),
    [("2", "2"), ("1.5", "1.5"), ("1,5", "1.5"), (" 0,300 ", "0.3"), ("0.125", "0.125"), ("1.2500", "1.25"), (3, "3"),
     (0.3, "0.3"), (1.125, "1.125"), (2.0, "2")],
)  # fmt: skip
def test_a_quantity_is_exact(cell: Any, number: str) -> None:
    assert quantity_of(cell) == Decimal(number)


@pytest.mark.parametrize(
    "cell",
    [None, "", "0", "0,0", "-1", "1.500", "1,500", "12.000", "1.2.3", "1e3", "1000000", "1.1234567", "½", "２", "2 kg",
     0.1 + 0.2, 1e9, 1e-7, float("nan"), float("inf"), -1, 0, date(2026, 11, 24)],
)  # fmt: skip
def test_what_is_no_exact_quantity_is_refused(cell: Any) -> None:
    refused(quantity_of, cell)


def test_a_factor_may_have_three_decimals_after_a_point() -> None:
    assert factor_of("1.125") == Decimal("1.125")
    refused(factor_of, "1,125")


@given(st.decimals(min_value="0.000001", max_value="999999", places=6))
@settings(max_examples=300)
def test_what_we_write_as_a_factor_is_read_as_the_same(number: Decimal) -> None:
    assert factor_of(format(number.normalize(), "f")) == number


@given(st.integers(1, 999_999), st.integers(1, 6))
@settings(max_examples=300)
def test_a_number_of_a_workbook_is_what_was_typed(whole: int, places: int) -> None:
    typed = Decimal(whole).scaleb(-places)
    assert quantity_of(float(typed)) == typed


@pytest.mark.parametrize(
    ("cell", "vnd"),
    [(None, None), ("", None), ("25000", 25_000), ("25.000", 25_000), ("25,000 đ", 25_000), ("1.250.000đ", 1_250_000),
     ("1 250 000 VND", 1_250_000), (25_000, 25_000), (25_000.0, 25_000), ("0", 0)],
)  # fmt: skip
def test_prices_are_whole_vnd(cell: Any, vnd: int | None) -> None:
    assert vnd_of(cell) == vnd


@pytest.mark.parametrize("cell", ["25.5", "25.000,50", "1.250,000", "-1", "1e5", "hai nghìn", 0.5, "9" * 13, "25.00"])
def test_what_is_no_price_is_refused(cell: Any) -> None:
    refused(vnd_of, cell)


@pytest.mark.parametrize("cell", ["2026-11-24", "24/11/2026", "24.11.2026", date(2026, 11, 24), datetime(2026, 11, 24)])  # noqa: DTZ001 - as workbooks have it
def test_a_day_is_read_as_vietnam_writes_it(cell: Any) -> None:
    assert day_of(cell) == date(2026, 11, 24)
    assert day_of(None) is None
    assert day_of(" ") is None


@pytest.mark.parametrize("cell", ["11/24/2026", "2026-02-30", "24/11/26", "mai", 46350, datetime(2026, 11, 24, 6)])  # noqa: DTZ001
def test_what_is_no_day_is_refused(cell: Any) -> None:
    refused(day_of, cell)


@pytest.mark.parametrize(
    "cell",
    [
        "2026-11-23 06:00",
        "23/11/2026 06:00:00",
        "2026-11-23T06:00:00+07:00",
        "2026-11-22T23:00:00Z",
        datetime(2026, 11, 23, 6),  # noqa: DTZ001 - as workbooks have it
    ],
)
def test_a_time_without_a_zone_is_the_cooperatives(cell: Any) -> None:
    assert moment_of(cell, HERE) == datetime(2026, 11, 22, 23, 0, tzinfo=UTC)
    assert moment_of("", HERE) is None


@pytest.mark.parametrize(
    "cell", ["2026-11-23", "06:00", "0001-01-01 00:00", "hôm nay", 1_700_000_000, date(2026, 11, 23)]
)
def test_what_is_no_time_is_refused(cell: Any) -> None:
    refused(moment_of, cell, HERE)


def test_texts_have_a_length_and_no_control_characters() -> None:
    assert text_of("  Lò Thị Mai ", 20) == "Lò Thị Mai"
    assert text_of(1001, 20) == "1001"
    assert text_of(" ", 20) is None
    for cell in ("a\nb", "a" * 21, 1.5):
        refused(text_of, cell, 20)
