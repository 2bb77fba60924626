"""What a partner is answered, push by push."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

from infra.local.stack import Stack
from services.chassis import standard_webhooks
from services.chassis.ids import uuid7
from tests.integration.orders.conftest import CANONICAL_SKUS, NEXT_DAY, TOMORROW, Orders, fields, line, market, order
from tests.support.node import until


async def test_a_new_order_is_accepted_and_announced(orders: Orders) -> None:
    answer = await orders.push(order("A-1", line("CAI-300G", "5"), line("SU-SU", 2, price_vnd=9000)))
    assert answer.status_code == 202
    told = answer.json()
    assert answer.headers["location"] == told["url"] == f"/v1/orders/{told['order_id']}"
    assert (told["state"], told["partner_ref"]) == ("placed", "A-1")
    assert told["lines"][0] == {
        "line_no": 1,
        "sku": "CAI-300G",
        "sold_quantity": "5",
        "state": "ordered",
        "quantity": "1.5",
        "unit": "kg",
        "offer_id": str(orders.cai_meo_tomorrow),
        "delivery_day": TOMORROW.isoformat(),
        "reason": None,
        "promise": None,
    }
    ((name, event),) = await orders.events()
    assert name == "order_placed"
    assert event["order_id"] == told["order_id"]
    assert [(one["line_no"], one["offer_id"], one["quantity_steps"]) for one in event["lines"]] == [
        (1, str(orders.cai_meo_tomorrow), 3),
        (2, str(orders.su_su_tomorrow), 2),
    ]


async def test_the_same_again_is_answered_with_the_same_order(orders: Orders) -> None:
    first = await orders.push(order("A-1", line("SU-SU")))
    again = await orders.push(order("A-1", line("SU-SU")))
    older = await orders.push(order("A-1", line("SU-SU", 9), updated_at="2026-11-22T06:00:00+07:00"))
    assert (again.status_code, older.status_code) == (200, 200)
    assert again.json() == older.json() == first.json()
    assert await orders.names() == ["order_placed"]


async def test_an_update_a_cancellation_and_a_late_original_end_cancelled(orders: Orders) -> None:
    update = await orders.push(order("A-1", line("SU-SU", 4), minute=5))
    assert (await orders.push(order("A-1", line("SU-SU", 1)))).status_code == 200
    assert update.json()["lines"][0]["quantity"] == "4"
    gone = await orders.push({**order("A-1", minute=9), "status": "cancelled"})
    assert (gone.status_code, gone.json()["state"]) == (202, "cancelled")
    assert (await orders.push(order("A-1", line("SU-SU", 4), minute=5))).json()["state"] == "cancelled"
    assert await orders.names() == ["order_placed", "order_cancelled"]


async def test_a_cancellation_that_comes_first_leaves_a_tombstone(orders: Orders) -> None:
    gone = await orders.push({**order("A-1", minute=9), "status": "cancelled"})
    assert (gone.status_code, gone.json()["state"], gone.json()["lines"]) == (202, "cancelled", [])
    late = await orders.push(order("A-1", line("SU-SU", 4)))
    assert (late.status_code, late.json()["state"]) == (200, "cancelled")
    assert late.json()["order_id"] == gone.json()["order_id"]
    assert await orders.names() == []


async def test_a_refused_line_leaves_the_rest(orders: Orders) -> None:
    answer = await orders.push(
        order("A-1", line("CAI-KG", "0.7"), line("LẠ", "1"), line("SU-SU", "3"), delivery_day=TOMORROW.isoformat())
    )
    assert [(one["state"], one["reason"], one["quantity"]) for one in answer.json()["lines"]] == [
        ("refused", "not_in_steps", None),
        ("refused", "unknown_sku", None),
        ("ordered", None, "3"),
    ]
    ((_, event),) = await orders.events()
    assert [(one["line_no"], one["reason"]) for one in event["refused_lines"]] == [
        (1, "not_in_steps"),
        (2, "unknown_sku"),
    ]


async def test_a_day_without_an_offer_and_a_day_that_is_closed_are_told_apart(orders: Orders) -> None:
    none = await orders.push(order("A-1", line("SU-SU"), delivery_day=NEXT_DAY.isoformat()))
    assert (none.json()["lines"][0]["reason"], none.json()["state"]) == ("no_offer", "not_promised")
    await orders.close(datetime.now(UTC) + timedelta(days=1))
    closed = await orders.push(order("A-2", line("SU-SU"), delivery_day=TOMORROW.isoformat()))
    assert closed.json()["lines"][0]["reason"] == "intake_closed"


async def test_after_the_cut_off_a_line_stays_and_says_that_it_is_too_late(orders: Orders) -> None:
    await orders.push(order("A-1", line("SU-SU", 2)))
    await orders.close(datetime.now(UTC) + timedelta(days=1))
    more = await orders.push(order("A-1", line("SU-SU", 5), minute=1))
    assert (more.status_code, more.json()["lines"][0]["quantity"]) == (202, "2")
    assert more.json()["lines"][0]["reason"] == "too_late"
    gone = await orders.push({**order("A-1", minute=2), "status": "cancelled"})
    assert (gone.json()["state"], gone.json()["lines"][0]["reason"]) == ("placed", "too_late")
    names = await orders.names()
    assert [name for name in names if name.startswith("order")] == ["order_placed"]


# -- The least that is useful --------------------------------------------------------------------------------


async def test_the_least_that_is_useful_is_announced_and_changed_like_the_quantity(orders: Orders) -> None:
    await orders.push(order("A-1", line("CAI-KG", "5", minimum_quantity="1.5"), line("SU-SU", "3")))
    same = await orders.push(order("A-1", line("CAI-KG", "5.0", minimum_quantity="1.50"), line("SU-SU", "3"), minute=1))
    assert same.status_code == 202
    await orders.push(order("A-1", line("CAI-KG", "5", minimum_quantity="5"), line("SU-SU", "3"), minute=2))
    await orders.push(order("A-1", line("CAI-KG", "5"), line("SU-SU", "3"), minute=3))
    assert [[one["minimum_steps"] for one in event["lines"]] for _, event in await orders.events()] == [
        [3, 1],
        [10, 1],
        [1, 1],
    ]


async def test_a_minimum_above_the_quantity_is_malformed_and_one_that_is_not_in_steps_refuses_its_line(
    orders: Orders,
) -> None:
    above = await orders.push(order("A-1", line("SU-SU", "3", minimum_quantity="4")))
    assert fields(above) == ["order.lines[0].minimum_quantity"]
    assert await orders.names() == []
    between = await orders.push(order("A-1", line("CAI-KG", "5", minimum_quantity="0.7"), line("SU-SU")))
    assert [one["reason"] for one in between.json()["lines"]] == ["not_in_steps", None]


async def test_another_minimum_after_the_cut_off_is_too_late(orders: Orders) -> None:
    await orders.push(order("A-1", line("SU-SU", 4, minimum_quantity=2)))
    await orders.close(datetime.now(UTC) + timedelta(days=1))
    later = await orders.push(order("A-1", line("SU-SU", 4, minimum_quantity=3), minute=1))
    assert later.json()["lines"][0]["reason"] == "too_late"
    assert [name for name in await orders.names() if name.startswith("order")] == ["order_placed"]


# -- Who may push --------------------------------------------------------------------------------------------


async def test_a_bad_signature_and_an_unknown_partner_look_the_same(orders: Orders) -> None:
    body = b'{"order": {}}'
    now = datetime.now(UTC)
    path = orders.shop.path
    stale = standard_webhooks.headers(orders.shop.secret, "msg_1", now - timedelta(minutes=6), body)
    wrong = standard_webhooks.headers(standard_webhooks.new_secret(), "msg_1", now, body)
    good = standard_webhooks.headers(orders.shop.secret, "msg_1", now, body)
    answers = [
        await orders.running.client.post(path, content=body),
        await orders.running.client.post(path, content=body, headers=stale),
        await orders.running.client.post(path, content=body, headers=wrong),
        await orders.running.client.post(path, content=b'{"order":{}}', headers=good),
        await orders.running.client.post(f"/v1/partners/{uuid7()}/orders", content=body, headers=good),
        await orders.running.client.post("/v1/partners/nobody/orders", content=body, headers=good),
    ]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.text for answer in answers}) == 1
    assert {answer.headers["content-type"] for answer in answers} == {"application/problem+json"}
    assert await orders.fetch("select from customer_order") == []


async def test_two_secrets_are_valid_until_the_previous_one_is_deleted(orders: Orders) -> None:
    old = orders.shop
    path = f"/v1/partners/{old.partner_id}/secrets"
    new_secret = (await orders.ask("POST", path))["secret"]
    assert new_secret != old.secret
    assert (await orders.push(order("A-1", line("SU-SU")))).status_code == 202
    orders.shop = type(old)(old.partner_id, new_secret, old.path)
    assert (await orders.push(order("A-2", line("SU-SU")))).status_code == 202
    await orders.ask("DELETE", f"{path}/previous")
    assert (await orders.push(order("A-3", line("SU-SU")))).status_code == 202
    assert (await orders.push(order("A-4", line("SU-SU")), old)).status_code == 401


async def test_the_tier_that_is_agreed_with_a_partner_travels_with_its_next_orders(orders: Orders) -> None:
    await orders.push(order("A-1", line("SU-SU")))
    path = f"/v1/partners/{orders.shop.partner_id}/tier"
    assert (await orders.running.client.put(path, json={"tier": 0}, headers=orders.staff)).status_code == 422
    await orders.ask("PUT", path, {"tier": 1})
    await orders.push(order("A-2", line("SU-SU")))
    assert [event["tier"] for _, event in await orders.events()] == [5, 1]


# -- Bodies --------------------------------------------------------------------------------------------------


async def test_all_faulty_fields_are_named_and_nothing_is_stored(orders: Orders) -> None:
    faulty = order("", line("SU-SU", 1.5), line("", 1), updated_at="gestern")
    assert fields(await orders.push(faulty)) == [
        "order.ref",
        "order.updated_at",
        "order.lines[0].quantity",
        "order.lines[1].sku",
    ]
    assert fields(await orders.push_raw(b"{not json")) == ["body"]
    assert await orders.fetch("select from customer_order") == []


async def test_a_body_above_the_limit_is_refused_by_its_length_and_by_counting(orders: Orders) -> None:
    most = orders.running.runtime.settings.max_order_bytes
    told = await orders.push_raw(b"x" * (most + 1))
    reads = 0

    async def parts() -> AsyncIterator[bytes]:
        nonlocal reads
        for _ in range(100):
            reads += 1
            yield b"x" * 8192

    counted = await orders.running.client.post(orders.shop.path, content=parts())
    for answer in (told, counted):
        assert answer.status_code == 413
        assert answer.headers["content-type"] == "application/problem+json"
    exactly = await orders.push_raw(json.dumps({"order": {}}).encode().ljust(most))
    assert exactly.status_code == 422


async def test_no_name_phone_or_address_leaves_in_an_event(orders: Orders) -> None:
    contact = {"name": "Lò Thị Mai", "phone": "0912345678", "address": "Bản Hua Tạt"}
    await orders.push(order("A-1", line("SU-SU"), contact=contact))
    rows = await orders.fetch("select data::text as text from event_log")
    assert not any(word in row["text"] for row in rows for word in contact.values())
    (stored,) = await orders.fetch("select contact_name, contact_phone from customer_order")
    assert tuple(stored) == ("Lò Thị Mai", "0912345678")


# -- WooCommerce ---------------------------------------------------------------------------------------------


def woo(number: int, status: str = "processing", second: int = 0, quantity: int = 2) -> dict[str, object]:
    return {
        "id": number,
        "status": status,
        "date_modified_gmt": f"2026-11-23T01:02:{second:02d}",
        "billing": {"first_name": "Mai", "last_name": "Lò Thị", "phone": "0912345678"},
        "line_items": [{"id": 7, "sku": "SU-SU", "quantity": quantity}],
    }


async def test_a_woocommerce_shop_pushes_updates_and_deletes(orders: Orders) -> None:
    shop = await orders.register("woocommerce", "Nông sản Mộc Châu")
    await orders.ask("PUT", f"/v1/partners/{shop.partner_id}/skus", CANONICAL_SKUS)
    placed = await orders.push_woo(shop, woo(727), "order.created")
    assert (placed.status_code, placed.json()["partner_ref"]) == (202, "727")
    assert placed.json()["lines"][0]["line_no"] == 7
    changed = await orders.push_woo(shop, woo(727, second=9, quantity=5))
    assert changed.json()["lines"][0]["quantity"] == "5"
    assert (await orders.push_woo(shop, woo(727), "order.created")).status_code == 200
    deleted = await orders.push_woo(shop, {"id": 727}, "order.deleted")
    assert deleted.json()["state"] == "cancelled"
    assert (await orders.push_woo(shop, woo(727, second=30))).json()["state"] == "cancelled"
    restored = await orders.push_woo(shop, woo(727, second=40, quantity=4), "order.restored")
    assert (restored.status_code, restored.json()["lines"][0]["quantity"]) == (202, "4")
    assert (await orders.push_woo(shop, woo(727, second=50, quantity=10))).json()["lines"][0]["quantity"] == "10"
    assert await orders.names() == [
        "order_placed",
        "order_changed",
        "order_cancelled",
        "order_changed",
        "order_changed",
    ]


async def test_a_woocommerce_ping_and_what_is_not_ours_get_200(orders: Orders) -> None:
    shop = await orders.register("woocommerce")
    ping = await orders.running.client.post(shop.path, data={"webhook_id": "12"})
    assert (ping.status_code, ping.json()["answer"]) == (200, "pong")
    draft = await orders.push_woo(shop, woo(1, "checkout-draft"))
    other = await orders.push_woo(shop, {"action": "x"}, "action.woocommerce_order_status_changed")
    assert (draft.json()["answer"], other.json()["answer"]) == ("ignored", "ignored")
    assert await orders.fetch("select from customer_order") == []


async def test_a_woocommerce_signature_of_another_shop_is_refused(orders: Orders) -> None:
    mine, other = await orders.register("woocommerce"), await orders.register("woocommerce")
    answer = await orders.push_woo(type(mine)(mine.partner_id, other.secret, mine.path), woo(1))
    assert answer.status_code == 401


# -- Prefer: wait --------------------------------------------------------------------------------------------


async def test_a_push_that_waits_is_answered_with_the_promise(orders: Orders) -> None:
    promising = asyncio.create_task(orders.promise_when_placed("A-1", line_2=1))
    answer = await orders.push(order("A-1", line("CAI-KG", "1.5"), line("SU-SU", 2)), Prefer="respond-async, wait=20")
    await promising
    assert (answer.status_code, answer.headers["preference-applied"]) == (200, "wait")
    told = answer.json()
    assert told["state"] == "part_promised"
    assert [one["promise"] for one in told["lines"]] == [
        {"promised": "1.5", "short": "0", "reason": None},
        {"promised": "1", "short": "1", "reason": "sold_out"},
    ]
    again = await orders.push(order("A-1", line("CAI-KG", "1.5"), line("SU-SU", 2)), Prefer="wait=20")
    assert (again.status_code, again.json()) == (200, told)


async def test_a_promise_that_does_not_come_in_time_leaves_a_plain_202(orders: Orders) -> None:
    answer = await orders.push(order("A-1", line("SU-SU")), Prefer="wait=1")
    assert (answer.status_code, answer.json()["state"]) == (202, "placed")
    assert "preference-applied" not in answer.headers


async def test_a_stopping_process_answers_those_who_wait_at_once(orders: Orders) -> None:
    waiting = asyncio.create_task(orders.push(order("A-1", line("SU-SU")), Prefer="wait=30"))

    async def taken() -> bool:
        return await orders.names() != []

    await until(taken)
    orders.running.runtime.stopping.set()
    async with asyncio.timeout(10):
        answer = await waiting
    assert (answer.status_code, answer.json()["state"]) == (202, "placed")


async def test_what_is_no_wait_is_answered_at_once(orders: Orders) -> None:
    for prefer in ("wait=0", "wait", "wait=x", "handling=strict", "await=20", "wait=99999999999999999999"):
        assert (await orders.push(order(prefer, line("SU-SU")), Prefer=prefer)).status_code == 202


async def test_the_time_from_push_to_promise_is_measured_once(orders: Orders) -> None:
    told = (await orders.push(order("A-1", line("SU-SU", 2)))).json()
    await orders.promise(told["order_id"])
    (first,) = await orders.fetch("select promised_at, received_at from customer_order")
    assert first["promised_at"] > first["received_at"]
    await orders.push(order("A-1", line("SU-SU", 3), minute=1))
    await orders.promise(told["order_id"])
    (then,) = await orders.fetch("select promised_at, state from customer_order")
    assert (then["promised_at"], then["state"]) == (first["promised_at"], "promised")
    metrics = (await orders.running.client.get("/metrics")).text
    assert "push_to_promise_seconds_count 1.0" in metrics
    assert 'orders_pushed_total{adapter="canonical",outcome="placed"} 1.0' in metrics


async def test_an_order_can_be_read_by_its_partner_and_by_staff(orders: Orders) -> None:
    contact = {"name": "Lò Thị Mai", "phone": None, "address": None}
    url = (await orders.push(order("A-1", line("SU-SU"), contact=contact))).json()["url"]
    staff = await orders.ask("GET", url)
    assert (staff["partner_ref"], staff["contact"]["name"]) == ("A-1", "Lò Thị Mai")
    now = datetime.now(UTC)
    signed = standard_webhooks.headers(orders.shop.secret, "msg_1", now, url.encode())
    partner = await orders.running.client.get(url, headers=signed)
    assert (partner.status_code, partner.json()["contact"]) == (200, None)
    other = await orders.register()
    refused = [
        await orders.running.client.get(url),
        await orders.running.client.get(f"/v1/orders/{uuid7()}", headers=signed),
        await orders.running.client.get(
            url, headers=standard_webhooks.headers(other.secret, "msg_1", now, url.encode())
        ),
        await orders.running.client.get(url, headers=standard_webhooks.headers(orders.shop.secret, "m", now, b"")),
    ]
    assert {answer.status_code for answer in refused} == {401}
    stranger = await orders.running.key("staff", UUID(int=77))
    for path in (url, f"/v1/orders/{uuid7()}"):
        assert (await orders.running.client.get(path, headers=stranger)).status_code == 404


async def test_a_partner_that_pushes_too_fast_is_told_when_to_go_on_and_nothing_is_taken(stack: Stack) -> None:
    async with market(stack, partner_orders_per_s=1, partner_burst=500) as orders:
        other = await orders.register("canonical", "Sạp khác")
        many = [order(f"A-{number}", line("SU-SU")) for number in range(499)]
        assert (await orders.push_batch(*many)).status_code == 202
        assert (await orders.push(order("B-1", line("SU-SU")))).status_code == 202
        refused = await orders.push_batch(*(order(f"C-{number}", line("SU-SU")) for number in range(400)))
        assert refused.status_code == 429
        assert refused.headers["content-type"] == "application/problem+json"
        assert 1 <= int(refused.headers["retry-after"]) <= 400
        assert (await orders.push(order("D-1", line("SU-SU")), other)).status_code == 202
        (found,) = await orders.fetch("select count(*) from customer_order")
        assert found["count"] == 501
        unsigned = await orders.running.client.post(orders.shop.path, json={})
        assert unsigned.status_code == 401
