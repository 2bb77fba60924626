"""What sells, through which channel, by day; orders by partner, channel and number, and as a file."""

import csv
import io
from datetime import timedelta
from typing import Any
from uuid import UUID

from services.chassis.ids import uuid7
from services.contracts import catalog
from services.contracts.catalog import OfferChanged
from services.orders.store.revenue import list_sold
from tests.integration.orders.conftest import CAI_MEO, NEXT_DAY, TOMORROW, Orders, fields, line, order, published

REVENUE = "/v1/cooperatives/van-ho/revenue"
RANGE = f"from={TOMORROW}&to={NEXT_DAY}"
WOO = {"date_modified_gmt": "2026-11-23T06:00:00", "status": "processing", "currency": "VND"}


async def sell(orders: Orders) -> dict[str, str]:
    """Three orders of two partners for two days, and what must not count; the ids by name."""
    woo = await orders.register("woocommerce", "Cửa hàng Mộc Châu")
    skus = [{"sku": "SU", "product_code": "su-su", "factor": "1"}]
    await orders.ask("PUT", f"/v1/partners/{woo.partner_id}/skus", skus)
    both = (await orders.push(order("A-1", line("CAI-KG", 2), line("SU-SU", 3)))).json()
    later = (await orders.push(order("A-2", line("CAI-300G", 5), delivery_day=NEXT_DAY.isoformat()))).json()
    item = {"id": 5, "sku": "SU", "quantity": 4, "total": "36000"}
    shop = (await orders.push_woo(woo, WOO | {"id": 77, "line_items": [item]})).json()
    gone = order("A-3", line("SU-SU", 9))
    await orders.push(gone)
    await orders.push(gone | {"status": "cancelled", "lines": [], "updated_at": "2026-11-23T07:00:00+07:00"})
    await orders.push(order("A-4", line("LẠ", 9), line("CAI-KG", "0.1")))
    await orders.promise(both["order_id"])
    await orders.promise(later["order_id"])
    await orders.promise(shop["order_id"], line_5=1)
    return {"woo": str(woo.partner_id), "both": both["order_id"], "shop": shop["order_id"], "later": later["order_id"]}


def sums(answer: dict[str, Any]) -> list[tuple[Any, ...]]:
    return [
        (row["name"], row["orders"], row["lines"], row["ordered_steps"], row["promised_steps"], row["promised_vnd"])
        for row in answer["rows"]
    ]


async def test_revenue_is_what_is_promised_at_the_price_of_the_offer(orders: Orders) -> None:
    sold = await sell(orders)
    by_channel = await orders.ask("GET", f"{REVENUE}?{RANGE}")
    assert sums(by_channel) == [("canonical", 2, 3, 10, 10, 195_000), ("woocommerce", 1, 1, 4, 1, 30_000)]
    assert by_channel["total"] | {"key": ""} == {
        "key": "", "name": "total", "orders": 3, "lines": 4, "ordered_steps": 14, "promised_steps": 11,
        "promised_vnd": 225_000,
    }  # fmt: skip
    by_partner = await orders.ask("GET", f"{REVENUE}?{RANGE}&by=partner")
    assert [row["key"] for row in by_partner["rows"]] == [str(orders.shop.partner_id), sold["woo"]]
    assert [row["name"] for row in by_partner["rows"]] == ["Sạp rau online", "Cửa hàng Mộc Châu"]
    by_product = await orders.ask("GET", f"{REVENUE}?{RANGE}&by=product")
    assert sums(by_product) == [("su-su", 2, 2, 7, 4, 120_000), ("cai-meo", 2, 2, 7, 7, 105_000)]
    by_day = await orders.ask("GET", f"{REVENUE}?{RANGE}&by=day")
    assert sums(by_day) == [
        (TOMORROW.isoformat(), 2, 3, 11, 8, 180_000),
        (NEXT_DAY.isoformat(), 1, 1, 3, 3, 45_000),
    ]
    one_day = await orders.ask("GET", f"{REVENUE}?from={NEXT_DAY}&to={NEXT_DAY}")
    assert sums(one_day) == [("canonical", 1, 1, 3, 3, 45_000)]


async def test_the_union_sees_all_cooperatives_and_a_cooperative_itself(orders: Orders) -> None:
    await sell(orders)
    elsewhere = await orders.register_elsewhere()
    (row,) = await orders.fetch("select cooperative_id from partner where partner_id = $1", elsewhere.partner_id)
    coffee, offer = uuid7(), uuid7()
    listed = catalog.ProductListed(
        product_id=coffee, code="ca-phe", name="Cà phê", crop="coffee", grade="A", unit="kg", step_milliunits=250
    )
    await orders.hear(listed, published(offer, coffee, TOMORROW), stream=row["cooperative_id"])
    key = await orders.running.key("staff", row["cooperative_id"])
    skus = [{"sku": "CF", "product_code": "ca-phe", "factor": "1"}]
    await orders.ask("PUT", f"/v1/partners/{elsewhere.partner_id}/skus", skus, key)
    told = (await orders.push(order("C-1", line("CF", 10)), elsewhere)).json()
    await orders.promise(told["order_id"])
    operator = await orders.running.key("operator")
    found = await orders.ask("GET", f"/v1/revenue?{RANGE}&by=cooperative", key=operator)
    assert [(row["name"], row["promised_vnd"]) for row in found["rows"]] == [
        ("chieng-mai", 300_000),
        ("van-ho", 225_000),
    ]
    own = await orders.ask("GET", f"{REVENUE}?{RANGE}", key=operator)
    assert own["total"]["promised_vnd"] == 225_000
    for path, given, status in (
        (f"/v1/revenue?{RANGE}", orders.staff, 403),
        (f"/v1/revenue.csv?{RANGE}", orders.staff, 403),
        (f"{REVENUE}?{RANGE}", key, 404),
        (f"{REVENUE}?{RANGE}&by=cooperative", orders.staff, 422),
    ):
        assert (await orders.running.client.get(path, headers=given)).status_code == status


async def test_the_lines_of_others_are_not_read_for_one_cooperative(orders: Orders) -> None:
    elsewhere = await orders.register_elsewhere()
    (row,) = await orders.fetch("select cooperative_id from partner where partner_id = $1", elsewhere.partner_id)
    coffee, day = uuid7(), NEXT_DAY + timedelta(days=1)
    listed = catalog.ProductListed(
        product_id=coffee, code="ca-phe", name="Cà phê", crop="coffee", grade="A", unit="kg", step_milliunits=250
    )
    await orders.hear(listed, published(uuid7(), coffee, day), stream=row["cooperative_id"])
    key = await orders.running.key("staff", row["cooperative_id"])
    skus = [{"sku": "CF", "product_code": "ca-phe", "factor": "1"}]
    await orders.ask("PUT", f"/v1/partners/{elsewhere.partner_id}/skus", skus, key)
    for number in range(5):
        await orders.push(order(f"C-{number}", line("CF", 1), delivery_day=day.isoformat()), elsewhere)
    read = (
        "select coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) from pg_stat_xact_user_tables "
        "where relname = 'order_line'"
    )
    async with orders.running.runtime.pool.acquire() as conn, conn.transaction():
        before = await conn.fetchval(read)
        assert await list_sold(conn, day, "product", orders.van_ho) == []
        assert await conn.fetchval(read) - before <= 2  # the first and the last of the day
        (coffee_sold,) = await list_sold(conn, day, "product", row["cooperative_id"])
        assert (coffee_sold.name, coffee_sold.lines) == ("ca-phe", 5)


async def test_a_new_price_counts_for_what_was_promised_before(orders: Orders) -> None:
    await sell(orders)
    offer = published(orders.cai_meo_next_day, CAI_MEO, NEXT_DAY)
    changed = {name: getattr(offer, name) for name in offer.__struct_fields__} | {"price_vnd": 20_000}
    await orders.hear(OfferChanged(**changed))
    assert sums(await orders.ask("GET", f"{REVENUE}?from={NEXT_DAY}&to={NEXT_DAY}")) == [
        ("canonical", 1, 1, 3, 3, 30_000)
    ]


async def test_the_range_is_checked_and_the_file_has_the_rows(orders: Orders) -> None:
    await sell(orders)
    for wrong in ("from=2026-11-24&to=2026-11-23", "from=2026-01-01&to=2027-01-02"):
        answer = await orders.running.client.get(f"{REVENUE}?{wrong}", headers=orders.staff)
        assert fields(answer) == ["to"]
    assert (await orders.ask("GET", f"{REVENUE}?from=2020-01-01&to=2020-12-31"))["rows"] == []
    answer = await orders.running.client.get(f"{REVENUE}.csv?{RANGE}&by=day", headers=orders.staff)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.content.decode("utf-8-sig").splitlines() == [
        "key,name,orders,lines,ordered_steps,promised_steps,promised_vnd",
        "2026-11-24,2026-11-24,2,3,11,8,180000",
        "2026-11-25,2026-11-25,1,1,3,3,45000",
    ]


async def test_orders_are_listed_by_partner_channel_and_number(orders: Orders) -> None:
    sold = await sell(orders)
    path = "/v1/cooperatives/van-ho/orders"

    async def refs(query: str) -> list[str]:
        return sorted(one["partner_ref"] for one in (await orders.ask("GET", f"{path}?{query}"))["orders"])

    assert await refs("") == ["77", "A-1", "A-2", "A-3", "A-4"]
    assert await refs(f"partner={sold['woo']}") == ["77"]
    assert await refs("channel=canonical") == ["A-1", "A-2", "A-3", "A-4"]
    assert await refs("channel=shopee") == []
    assert await refs("q=A-2") == ["A-2"]
    assert await refs("q=A") == []
    assert await refs(f"channel=canonical&state=promised&delivery_day={TOMORROW}") == ["A-1"]
    assert await refs(f"partner={UUID(int=1)}") == []


async def test_the_file_of_orders_has_a_row_for_each_line_and_no_person(orders: Orders) -> None:
    contact = {"name": "Lò Thị Mai", "phone": "0912345678"}
    told = (await orders.push(order("=A-1", line("CAI-300G", 5), line("LẠ", "1.50"), contact=contact))).json()
    await orders.promise(told["order_id"], line_1=2)
    answer = await orders.running.client.get("/v1/cooperatives/van-ho/orders.csv", headers=orders.staff)
    assert "Mai" not in answer.text
    assert "912345678" not in answer.text
    first, second = csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig")))
    assert (first["partner"], first["channel"], first["partner_ref"]) == ("Sạp rau online", "canonical", "'=A-1")
    assert [first[name] for name in ("sku", "sold_quantity", "unit", "quantity", "promised", "short", "reason")] == [
        "CAI-300G", "5", "kg", "1.5", "1", "0.5", "sold_out",
    ]  # fmt: skip
    assert [second[name] for name in ("line_state", "sold_quantity", "unit", "promised", "reason")] == [
        "refused", "1.5", "", "", "unknown_sku",
    ]  # fmt: skip
