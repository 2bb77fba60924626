"""Staff: partners, SKU maps, the review queue, and the orders of a cooperative."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx

from services.chassis.ids import uuid7
from tests.integration.orders.conftest import NEXT_DAY, TOMORROW, Orders, fields, line, order, registered


async def put_skus(orders: Orders, *skus: dict[str, str]) -> Any:
    return await orders.ask("PUT", f"/v1/partners/{orders.shop.partner_id}/skus", list(skus))


def meaning(sku: str, product_code: str = "su-su", factor: str = "1") -> dict[str, str]:
    return {"sku": sku, "product_code": product_code, "factor": factor}


async def test_a_mapped_sku_releases_every_line_that_waited_for_it(orders: Orders) -> None:
    first = (await orders.push(order("A-1", line("MỚI", 3), line("SU-SU", 2)))).json()
    second = (await orders.push(order("A-2", line("MỚI", "0.5"), line("LẠ", 1)))).json()
    gone = order("A-3", line("MỚI", 1))
    await orders.push(gone)
    await orders.push({**gone, "status": "cancelled", "updated_at": "2026-11-23T07:00:00+07:00"})
    review = f"/v1/partners/{orders.shop.partner_id}/review"
    waiting = (await orders.ask("GET", review))["lines"]
    assert [(one["partner_ref"], one["line_no"], one["sku"], one["sold_quantity"]) for one in waiting] == [
        ("A-1", 1, "MỚI", "3"),
        ("A-2", 1, "MỚI", "0.5"),
        ("A-2", 2, "LẠ", "1"),
    ]
    assert await put_skus(orders, meaning("MỚI")) == {"mapped": 1, "released_orders": 2}
    changed = [event for name, event in await orders.events() if name == "order_changed"]
    assert [(one["line_no"], one["quantity_steps"]) for one in changed[0]["lines"]] == [(1, 3), (2, 2)]
    assert [(one["sku"], one["reason"]) for one in changed[1]["refused_lines"]] == [
        ("MỚI", "not_in_steps"),
        ("LẠ", "unknown_sku"),
    ]
    assert [one["sku"] for one in (await orders.ask("GET", review))["lines"]] == ["LẠ"]
    assert (await orders.ask("GET", first["url"]))["lines"][0]["quantity"] == "3"
    assert (await orders.ask("GET", second["url"]))["state"] == "not_promised"
    assert await put_skus(orders, meaning("MỚI")) == {"mapped": 1, "released_orders": 0}


async def test_a_line_released_after_the_cut_off_is_not_ordered(orders: Orders) -> None:
    await orders.push(order("A-1", line("MỚI", 3), line("SU-SU", 2), delivery_day=TOMORROW.isoformat()))
    await orders.close(datetime.now(UTC) + timedelta(days=1))
    await put_skus(orders, meaning("MỚI"))
    name, event = (await orders.events())[-1]
    assert name == "order_changed"
    assert [one["sku"] for one in event["lines"]] == ["SU-SU"]
    assert [one["reason"] for one in event["refused_lines"]] == ["intake_closed"]


async def test_a_mapping_is_checked_as_a_whole(orders: Orders) -> None:
    skus = [meaning("A"), meaning("A"), meaning("B", "khoai"), meaning("C", factor="0.0"), meaning("D", factor="-1")]
    path = f"/v1/partners/{orders.shop.partner_id}/skus"
    answer = await orders.running.client.put(path, json=skus[:4], headers=orders.staff)
    assert sorted(fields(answer)) == ["[1].sku", "[2].product_code", "[3].factor"]
    answer = await orders.running.client.put(path, json=skus[4:], headers=orders.staff)
    assert fields(answer) == ["[0].factor"]
    rows = await orders.fetch("select from sku_map where sku = 'A'")
    assert rows == []


async def test_other_skus_stay_when_one_is_mapped_again(orders: Orders) -> None:
    await put_skus(orders, meaning("CAI-KG", "cai-meo", "2"))
    answer = await orders.push(order("A-1", line("CAI-KG"), line("CAI-300G", 5)))
    assert [one["quantity"] for one in answer.json()["lines"]] == ["2", "1.5"]


async def test_a_partner_needs_a_known_adapter_and_cooperative(orders: Orders) -> None:
    body = {"cooperative": "van-ho", "name": "Sạp", "adapter": "fax"}
    client = orders.running.client
    assert fields(await client.post("/v1/partners", json=body, headers=orders.staff)) == ["adapter"]
    other = {**body, "adapter": "canonical", "cooperative": "nơi-nào"}
    assert (await client.post("/v1/partners", json=other, headers=orders.staff)).status_code == 404
    assert fields(await client.post("/v1/partners", json={"nom": 1}, headers=orders.staff)) == [
        "cooperative",
        "name",
        "adapter",
        "nom",
    ]


async def test_a_key_of_another_cooperative_sees_and_changes_nothing(orders: Orders) -> None:
    chieng_mai = uuid7()
    await orders.hear(registered(chieng_mai, "chieng-mai"), stream=chieng_mai)
    stranger = await orders.running.key("staff", chieng_mai)
    path = f"/v1/partners/{orders.shop.partner_id}"
    client = orders.running.client
    body = {"cooperative": "van-ho", "name": "Sạp", "adapter": "canonical"}
    answers = [
        await client.post("/v1/partners", json=body, headers=stranger),
        await client.post(f"{path}/secrets", headers=stranger),
        await client.delete(f"{path}/secrets/previous", headers=stranger),
        await client.put(f"{path}/skus", json=[meaning("A")], headers=stranger),
        await client.get(f"{path}/review", headers=stranger),
        await client.get("/v1/cooperatives/van-ho/orders", headers=stranger),
        await client.get(f"/v1/partners/{uuid7()}/review", headers=orders.staff),
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert (await client.get(f"{path}/review")).status_code == 401


async def test_a_key_of_another_cooperative_cannot_tell_what_is_there_from_what_is_not(orders: Orders) -> None:
    stranger = await orders.running.key("staff", uuid7())
    url = (await orders.push(order("A-1", line("SU-SU")))).json()["url"]
    body = {"cooperative": "van-ho", "name": "Sạp", "adapter": "canonical"}
    client = orders.running.client
    pairs = [
        (await client.get(url, headers=stranger), await client.get(f"/v1/orders/{uuid7()}", headers=stranger)),
        (
            await client.get(f"/v1/partners/{orders.shop.partner_id}/review", headers=stranger),
            await client.get(f"/v1/partners/{uuid7()}/review", headers=stranger),
        ),
        (
            await client.get("/v1/cooperatives/van-ho/orders", headers=stranger),
            await client.get("/v1/cooperatives/nowhere/orders", headers=stranger),
        ),
        (
            await client.post("/v1/partners", json=body, headers=stranger),
            await client.post("/v1/partners", json=body | {"cooperative": "nowhere"}, headers=stranger),
        ),
    ]
    for there, missing in pairs:
        assert (there.status_code, missing.status_code) == (404, 404)
        assert there.json() == missing.json()


async def test_an_operator_of_the_union_may_act_for_every_cooperative(orders: Orders) -> None:
    operator = await orders.running.key("operator")
    url = (await orders.push(order("A-1", line("SU-SU"), contact={"name": "Lò Thị Mai"}))).json()["url"]
    shown = await orders.ask("GET", url, key=operator)
    assert (shown["partner_ref"], shown["contact"]) == ("A-1", None)


async def test_orders_are_listed_page_by_page_newest_first(orders: Orders) -> None:
    for number in range(5):
        await orders.push(order(f"A-{number}", line("SU-SU")))
    seen: list[str] = []
    cursor = ""
    while True:
        page = await orders.ask("GET", f"/v1/cooperatives/van-ho/orders?limit=2{cursor}")
        seen += [one["partner_ref"] for one in page["orders"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={UUID(page['next'])}"
    assert seen == ["A-4", "A-3", "A-2", "A-1", "A-0"]


async def test_orders_are_listed_by_day_and_state(orders: Orders) -> None:
    first = (await orders.push(order("A-1", line("SU-SU")))).json()
    await orders.push(order("A-2", line("CAI-KG"), delivery_day=NEXT_DAY.isoformat()))
    await orders.promise(first["order_id"])

    async def refs(query: str) -> list[str]:
        page = await orders.ask("GET", f"/v1/cooperatives/van-ho/orders?{query}")
        return [one["partner_ref"] for one in page["orders"]]

    assert await refs(f"delivery_day={NEXT_DAY}") == ["A-2"]
    assert await refs("state=promised") == ["A-1"]
    assert await refs(f"state=promised&delivery_day={NEXT_DAY}") == []


async def test_a_secret_is_shown_once_and_stands_in_no_other_answer(orders: Orders) -> None:
    (row,) = await orders.fetch("select secret from partner where partner_id = $1", orders.shop.partner_id)
    assert row["secret"] == orders.shop.secret
    url = (await orders.push(order("A-1", line("SU-SU")))).json()["url"]
    assert orders.shop.secret not in str(await orders.ask("GET", url))


async def put_file(orders: Orders, text: str, kind: str = "text/csv") -> httpx.Response:
    headers = orders.staff | {"content-type": kind}
    path = f"/v1/partners/{orders.shop.partner_id}/skus.csv"
    return await orders.running.client.put(path, content=text.encode(), headers=headers)


async def test_skus_are_mapped_with_a_file_and_read_as_one(orders: Orders) -> None:
    await orders.push(order("A-1", line("=MỚI", 3)))
    told = await put_file(
        orders, "\ufeffMã hàng;Mã sản phẩm;Hệ số;Ghi chú\r\n=MỚI;su-su;1;\r\nCAI-0.5;cai-meo;0,5;bao\r\n"
    )
    assert told.json() == {"mapped": 2, "released_orders": 1}
    answer = await orders.running.client.get(f"/v1/partners/{orders.shop.partner_id}/skus.csv", headers=orders.staff)
    text = answer.content.decode("utf-8-sig")
    assert sorted(text.splitlines()) == sorted([
        "sku,product_code,factor,unit", "'=MỚI,su-su,1,bó", "CAI-0.5,cai-meo,0.5,kg", "CAI-300G,cai-meo,0.3,kg",
        "CAI-KG,cai-meo,1,kg", "SU-SU,su-su,1,bó",
    ])  # fmt: skip
    assert (await put_file(orders, text)).json() == {"mapped": 5, "released_orders": 0}
    (found,) = await orders.fetch("select count(*) from sku_map")
    assert found["count"] == 5


async def test_a_file_of_skus_is_taken_as_a_whole_or_not_at_all(orders: Orders) -> None:
    rows = "sku,product_code,factor\nA,su-su,1\nA,su-su,1\n,su-su,1\nB,khoai,1\nC,su-su,0\nD,su-su,\n"
    assert sorted(fields(await put_file(orders, rows))) == ["rows[4].sku", "rows[6].factor", "rows[7].factor"]
    rows = "sku,product_code,factor\nA,su-su,1\n\nA,su-su,1\nB,khoai,1\n"
    assert sorted(fields(await put_file(orders, rows))) == ["rows[4].sku", "rows[5].product_code"]
    assert fields(await put_file(orders, "sku,factor\nA,1\n")) == ["columns"]
    assert (await put_file(orders, "sku,product_code,factor\nA,su-su,1\n", "application/json")).status_code == 415
    (found,) = await orders.fetch("select count(*) from sku_map")
    assert found["count"] == 3


async def test_the_review_queue_suggests_what_a_sku_may_mean(orders: Orders) -> None:
    await orders.push(order("A-1", line("CẢI MÈO 1.5KG", 3), line("??", 1)))
    first, second = (await orders.ask("GET", f"/v1/partners/{orders.shop.partner_id}/review"))["lines"]
    assert first["suggestion"] == {
        "product_code": "cai-meo",
        "factor": "1.5",
        "likeness_percent": 100,
        "why": "it reads like cai-meo (100 %); 1500 g is 1.5 kg",
    }
    assert second["suggestion"] is None
