"""Orders from files: like pushes of their partner, answered row by row."""

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import xlsxwriter

from services.orders.workbooks import XLSX_TYPE
from tests.integration.orders.conftest import NEXT_DAY, TOMORROW, Orders, fields

HEAD = "Mã đơn,Ngày giao,Mã hàng,Số lượng,Đơn giá,Tên khách,Số điện thoại,Địa chỉ,Ghi chú"


async def send(orders: Orders, raw: str | bytes, kind: str = "text/csv", **headers: str) -> httpx.Response:
    content = raw.encode() if isinstance(raw, str) else raw
    path = f"/v1/partners/{orders.shop.partner_id}/uploads"
    given = {**orders.staff, "content-type": kind, **headers}
    return await orders.running.client.post(path, content=content, headers=given)


async def lines(orders: Orders) -> list[tuple[Any, ...]]:
    rows = await orders.fetch(
        "select o.partner_ref, l.line_no, l.sku, l.state, l.quantity_steps, l.price_vnd "
        "from order_line l join customer_order o using (order_id) order by 1, 2"
    )
    return [tuple(row) for row in rows]


async def test_a_file_is_taken_like_pushes_and_the_same_file_again_changes_nothing(orders: Orders) -> None:
    text = f"""{HEAD}
PM-1,24/11/2026,CAI-300G,5,15.000,Lò Thị Mai,0912345678,Vân Hồ,nhanh
PM-2,,LẠ,1,,,,,
PM-1,,SU-SU,3,9000,,,,
"""
    answer = await send(orders, text)
    assert answer.status_code == 202
    told = answer.json()
    assert told["orders"] == {"placed": 2}
    assert told["ignored_columns"] == ["Ghi chú"]
    assert [(row["row"], row["ref"], row["outcome"], row["state"], row["reason"]) for row in told["rows"]] == [
        (2, "PM-1", "placed", "ordered", None),
        (3, "PM-2", "placed", "refused", "unknown_sku"),
        (4, "PM-1", "placed", "ordered", None),
    ]
    assert (told["rows"][0]["quantity"], told["rows"][0]["unit"]) == ("1.5", "kg")
    stored = [("PM-1", 1, "CAI-300G", "ordered", 3, 15_000), ("PM-1", 2, "SU-SU", "ordered", 3, 9_000),
              ("PM-2", 1, "LẠ", "refused", 0, None)]  # fmt: skip
    assert await lines(orders) == stored
    before = await orders.fetch("select * from customer_order order by order_id"), await orders.events()
    again = await send(orders, text)
    assert again.status_code == 200
    assert again.json()["orders"] == {"repeated": 2}
    assert (await orders.fetch("select * from customer_order order by order_id"), await orders.events()) == before
    (contact,) = await orders.fetch("select contact_name, contact_phone from customer_order where partner_ref = 'PM-1'")
    assert tuple(contact) == ("Lò Thị Mai", "0912345678")


async def test_a_corrected_file_changes_what_it_corrects(orders: Orders) -> None:
    head = "ref,sku,quantity,delivery_day,status\n"
    await send(orders, head + f"A,SU-SU,2,{TOMORROW},\nB,CAI-KG,1,{TOMORROW},\nC,SU-SU,1,{TOMORROW},\n")
    told = (await send(orders, head + f"A,SU-SU,2,{TOMORROW},\nB,CAI-KG,3,{NEXT_DAY},\nC,,,,đã hủy\n")).json()
    assert told["orders"] == {"repeated": 1, "changed": 1, "cancelled": 1}
    assert [(row["ref"], row["outcome"], row["state"]) for row in told["rows"]] == [
        ("A", "repeated", "ordered"), ("B", "changed", "ordered"), ("C", "cancelled", "cancelled"),
    ]  # fmt: skip
    assert [(ref, state, steps) for ref, _, _, state, steps, _ in await lines(orders)] == [
        ("A", "ordered", 2), ("B", "ordered", 6), ("C", "cancelled", 1),
    ]  # fmt: skip
    await orders.close(datetime.now(UTC) + timedelta(days=1))
    late = (await send(orders, head + f"A,SU-SU,9,{TOMORROW},\n")).json()
    assert [(row["outcome"], row["state"], row["reason"]) for row in late["rows"]] == [
        ("unchanged", "ordered", "too_late")
    ]


async def test_an_older_word_than_what_is_stored_has_no_effect(orders: Orders) -> None:
    head = "ref,sku,quantity,updated_at\n"
    await send(orders, head + "A,SU-SU,2,23/11/2026 08:00\n")
    told = await send(orders, head + "A,SU-SU,5,23/11/2026 07:59\n")
    assert (told.status_code, told.json()["orders"]) == (200, {"repeated": 1})
    told = await send(orders, head + "A,SU-SU,5,2026-11-23T01:00:01Z\n")
    assert (told.status_code, told.json()["orders"]) == (202, {"changed": 1})


async def test_faults_are_named_all_at_once_and_nothing_is_taken(orders: Orders) -> None:
    refused = await send(orders, "ref,sku,quantity,price_vnd\nA,SU-SU,1,\nB,,1.500,x\n,SU-SU,0,\n")
    assert fields(refused) == [
        "rows[3].sku",
        "rows[3].quantity",
        "rows[3].price_vnd",
        "rows[4].ref",
        "rows[4].quantity",
    ]
    assert fields(await send(orders, "ref,quantity\nA,1\n")) == ["columns"]
    assert fields(await send(orders, b"\xff\xfe\x00")) == ["file"]
    assert fields(await send(orders, b"no workbook", XLSX_TYPE)) == ["file"]
    assert (await send(orders, "ref,sku,quantity\nA,SU-SU,1\n", "multipart/form-data")).status_code == 415
    assert (await send(orders, b"x" * 1_100_000)).status_code == 413
    assert (await send(orders, "ref,sku,quantity\nA,SU-SU,1\n", Authorization="Bearer cp_no")).status_code == 401
    assert await lines(orders) == []


async def test_a_workbook_is_read_like_a_csv_file(orders: Orders) -> None:
    file = io.BytesIO()
    with xlsxwriter.Workbook(file, {"in_memory": True}) as book:
        sheet = book.add_worksheet("Đơn hàng")
        sheet.write_row(0, 0, ["Mã đơn", "Mã hàng", "Số lượng", "Ngày giao", "Số điện thoại", "Đơn giá"])
        sheet.write_row(1, 0, [1001, "CAI-KG", 1.5])
        sheet.write_datetime(1, 3, datetime(2026, 11, 25), book.add_format({"num_format": "dd/mm/yyyy"}))  # noqa: DTZ001
        sheet.write_row(1, 4, [912345678, 40_000])
        sheet.write_row(2, 0, ["1001", "SU-SU", 2])
    told = await send(orders, file.getvalue(), XLSX_TYPE)
    assert told.status_code == 202, told.text
    assert await lines(orders) == [
        ("1001", 1, "CAI-KG", "ordered", 3, 40_000),
        ("1001", 2, "SU-SU", "refused", 2, None),  # su su is not offered for that day
    ]
    (row,) = await orders.fetch("select delivery_day, contact_phone from customer_order")
    assert tuple(row) == (NEXT_DAY, "0912345678")
    assert (await send(orders, file.getvalue(), XLSX_TYPE)).json()["orders"] == {"repeated": 1}


async def test_after_an_erasure_the_same_file_changes_nothing_and_brings_nobody_back(orders: Orders) -> None:
    text = f"{HEAD}\nPM-1,,SU-SU,1,,Lò Thị Mai,0912345678,,\n"
    await send(orders, text)
    (job,) = [one for one in orders.running.parts.jobs if one.name == "link_customers"]
    await job.run_if_due(datetime.now(UTC))
    (mai,) = (await orders.ask("GET", "/v1/cooperatives/van-ho/customers"))["customers"]
    await orders.ask("DELETE", f"{mai['url']}?reason=customer_request")
    again = await send(orders, text)
    assert (again.status_code, again.json()["orders"]) == (200, {"repeated": 1})
    (row,) = await orders.fetch("select contact_name, contact_phone from customer_order")
    assert tuple(row) == (None, None)


async def test_two_thousand_orders_are_taken_in_one_file(orders: Orders) -> None:
    text = "ref,sku,quantity\n" + "".join(f"A-{number},SU-SU,1\n" for number in range(2000))
    told = await send(orders, text)
    assert told.json()["orders"] == {"placed": 2000}
    (found,) = await orders.fetch("select count(*) from customer_order")
    assert found["count"] == 2000
