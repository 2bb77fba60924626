"""Orders in a table: rows of one reference are one order, and every fault is named at once."""

from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.orders.domain.command import CommandLine, Contact, Kind
from services.orders.domain.tables import Cell, FaultyTable, csv_cells, table
from services.orders.domain.uploads import KNOWN, MOST_LINES, NEEDED, UploadedOrder, read_orders

HERE = ZoneInfo("Asia/Ho_Chi_Minh")
NOW = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
VIETNAMESE = "Mã đơn,Ngày giao,Mã hàng,Số lượng,Đơn giá,Tên khách,Số điện thoại,Địa chỉ,Ghi chú"


def orders(text: str) -> list[UploadedOrder]:
    return read_orders(table(csv_cells(text.encode()), KNOWN, NEEDED), HERE)


def faults(text: str) -> list[str]:
    with pytest.raises(FaultyTable) as caught:
        orders(text)
    return [name for name, _ in caught.value.faults]


def test_rows_of_one_reference_are_one_order() -> None:
    text = f"""{VIETNAMESE}
PM-1,24/11/2026,CAI-300G,2,15.000,Lò Thị Mai,0912345678,"Vân Hồ, Sơn La",nhanh
PM-2,,SU-SU,3,,,,,
PM-1,,SU-SU,"1,5",9000,,,,
"""
    first, second = orders(text)
    assert first == UploadedOrder(
        "PM-1",
        (2, 4),
        None,
        Kind.UPSERT,
        date(2026, 11, 24),
        (CommandLine(1, "CAI-300G", Decimal(2), 15_000), CommandLine(2, "SU-SU", Decimal("1.5"), 9_000)),
        Contact("Lò Thị Mai", "0912345678", "Vân Hồ, Sơn La"),
    )
    assert (second.ref, second.delivery_day, second.contact) == ("PM-2", None, None)


def test_a_time_of_its_own_and_a_cancellation() -> None:
    placed, gone = orders("ref,sku,quantity,status,updated_at\nA,X,1,Đã đặt,2026-11-23 13:00\nB,,,Đã hủy,\n")
    assert placed.updated_at == NOW
    assert placed.command(NOW).kind is Kind.UPSERT
    assert (gone.kind, gone.lines, gone.updated_at) == (Kind.CANCEL, (), None)
    assert gone.command(NOW).revision > placed.command(NOW).revision


def test_every_fault_of_every_row_is_named() -> None:
    text = "ref,sku,quantity,price_vnd,delivery_day,status,phone\n,X,1,,,,\nA,,0,x,mai,?,\nA,Y,1.500,,,,\nB,Z,1,,,,\n"
    assert faults(text) == [
        "rows[2].ref", "rows[3].status", "rows[3].delivery_day", "rows[3].sku", "rows[3].quantity", "rows[3].price_vnd",
        "rows[4].quantity",
    ]  # fmt: skip


def test_rows_of_one_order_must_not_contradict_each_other() -> None:
    text = "ref,sku,quantity,delivery_day,name\nA,X,1,2026-11-24,Mai\nB,X,1,,\nA,Y,1,2026-11-25,Mai\nA,Z,1,,Lan\n"
    assert faults(text) == ["rows[4].delivery_day", "rows[5].name"]


def test_an_order_has_so_many_lines_at_most() -> None:
    text = "ref,sku,quantity\n" + "A,X,1\n" * (MOST_LINES + 1)
    assert faults(text) == [f"rows[{MOST_LINES + 2}].ref"]


def test_a_phone_that_a_workbook_took_for_a_number_has_its_zero_again() -> None:
    cells: list[list[Cell]] = [
        ["ref", "sku", "quantity", "phone"],
        [1001, "X", 2, 912_345_678],
        ["1001", "Y", 1.5, "0912345678"],
    ]
    (order,) = read_orders(table(cells, KNOWN, NEEDED), HERE)
    assert order.ref == "1001"
    assert order.contact == Contact(None, "0912345678", None)


@given(st.permutations(range(4)), st.integers(0, 5))
@settings(max_examples=300)
def test_the_same_table_is_the_same_word_and_the_order_of_orders_does_not_matter(rows: list[int], shift: int) -> None:
    body = [f"A-{number},X,{number + 1},{15 + shift}" for number in range(4)]
    head = "ref,sku,quantity,price_vnd\n"
    plain = {one.ref: one.command(NOW) for one in orders(head + "\n".join(body))}
    mixed = {one.ref: one.command(NOW) for one in orders(head + "\n".join(body[row] for row in rows))}
    assert plain == mixed
