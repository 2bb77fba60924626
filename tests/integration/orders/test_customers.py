"""Customers: found in what orders tell, shown to staff, and erased for good."""

import asyncio
import csv
import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from services.chassis import rejected_messages
from services.chassis.ids import uuid7
from services.chassis.ledger import Transaction
from services.orders.desk import Desk
from services.orders.domain.command import CommandLine, Contact, Kind, OrderCommand
from services.orders.domain.intake import Decision
from services.orders.intake import Push
from services.orders.store import customers as store
from services.orders.store.partners import get_partner
from tests.integration.orders.conftest import Orders, Shop, line, order
from tests.support.node import until

BAN = "Bản Hua Tạt, Vân Hồ"
CUSTOMERS = "/v1/cooperatives/van-ho/customers"
NOBODYS_SIGNS = "select from customer_identity where customer_id not in (select customer_id from customer)"
MISCOUNTED = (
    "select from customer c where orders <> (select count(*) from order_customer o where o.customer_id = c.customer_id)"
)


def contact(name: str | None = "Lò Thị Mai", phone: str | None = "0912 345 678", **other: str) -> dict[str, Any]:
    return {"contact": {"name": name, "phone": phone} | other}


async def link(orders: Orders) -> None:
    """Runs the linking job until nothing is left."""
    (job,) = [one for one in orders.running.parts.jobs if one.name == "link_customers"]
    while await job.run_if_due(datetime.now(UTC)):
        pass


async def customers(orders: Orders, query: str = "") -> list[dict[str, Any]]:
    """Those with the fewest orders first. No sign is left of anybody who is no customer, and each order counts."""
    await link(orders)
    for wrong in (NOBODYS_SIGNS, MISCOUNTED):
        assert await orders.fetch(wrong) == []
    found = await orders.ask("GET", CUSTOMERS + query)
    return sorted(found["customers"], key=lambda one: one["orders"])


async def tell(orders: Orders, ref: str, told: Contact, shop: Shop | None = None, minute: int = 0) -> UUID:
    """A push with a contact that our own format has no fields for."""
    partner = await get_partner(orders.running.runtime.pool, (shop or orders.shop).partner_id)
    assert partner is not None
    moment = datetime(2026, 11, 23, 6, 0, tzinfo=UTC) + timedelta(minutes=minute)
    command = OrderCommand.make(ref, moment, 0, Kind.UPSERT, None, (CommandLine(1, "SU-SU", Decimal(1), 9_000),), told)
    desk = orders.running.parts.state["desk"]
    assert isinstance(desk, Desk)
    (answer,) = await desk.take(partner, [Push(partner, command, datetime.now(UTC))])
    assert isinstance(answer, Decision)
    return answer.order.order_id


async def test_repeat_customers_are_found_by_their_phone(orders: Orders) -> None:
    await orders.push(order("A-1", line("SU-SU", 2), **contact()))
    second = (await orders.push(order("A-2", line("CAI-KG", 1), **contact("Mai", "+84912345678", address=BAN)))).json()
    await orders.push(order("A-3", line("SU-SU", 1), **contact("Vàng A Sử", "0987654321")))
    await orders.push(order("A-4", line("SU-SU", 1), **contact("P******n", "******64")))
    await orders.push(order("A-5", line("SU-SU", 1)))
    await orders.promise(second["order_id"])
    su, mai = await customers(orders)
    assert (su["name"], su["phone"], su["orders"], su["promised_vnd"]) == ("Vàng A Sử", "+84987654321", 1, 0)
    assert (mai["name"], mai["phone"], mai["address"], mai["orders"]) == ("Mai", "+84912345678", BAN, 2)
    assert (mai["promised_vnd"], mai["channels"]) == (30_000, ["canonical"])
    assert mai["first_order_at"] < mai["last_order_at"]
    assert [one["customer_id"] for one in await customers(orders, "?repeat=true")] == [mai["customer_id"]]
    shown = await orders.ask("GET", mai["url"])
    assert [one["partner_ref"] for one in shown["orders"]] == ["A-2", "A-1"]
    assert shown["customer"] == mai
    assert await orders.fetch("select from contact_due") == []


async def test_an_order_without_a_contact_is_never_looked_at(orders: Orders) -> None:
    await orders.push(order("A-1", line("SU-SU", 1)))
    await orders.push(order("A-2", line("SU-SU", 1), **contact("N***", "(+84)91*****57")))
    assert await orders.fetch("select from contact_due") == []
    assert await customers(orders) == []
    assert await orders.fetch("select from order_customer") == []


async def test_cancelled_orders_make_nobody_a_repeat_customer(orders: Orders) -> None:
    await orders.push(order("A-1", line("SU-SU", 2), **contact()))
    gone = order("A-2", line("SU-SU", 2), **contact())
    await orders.push(gone)
    assert len(await customers(orders, "?repeat=true")) == 1
    await orders.push(gone | {"status": "cancelled", "lines": [], "updated_at": "2026-11-23T07:00:00+07:00"})
    assert await customers(orders, "?repeat=true") == []
    assert [one["orders"] for one in await customers(orders)] == [1]


async def test_phone_here_and_mail_there_become_one_by_an_order_that_names_both(orders: Orders) -> None:
    woo = await orders.register("woocommerce", "Cửa hàng")
    await tell(orders, "A-1", Contact("Mai", "0912345678"))
    await tell(orders, "A-2", Contact("Lò Mai", email="Mai@Example.vn"), woo)
    assert len(await customers(orders)) == 2
    await tell(orders, "A-3", Contact("Lò Thị Mai", "0912345678", email="mai@example.vn", platform_id="4711"), woo)
    (mai,) = await customers(orders)
    assert (mai["name"], mai["orders"], mai["email"]) == ("Lò Thị Mai", 3, "mai@example.vn")
    assert mai["channels"] == ["canonical", "woocommerce"]
    await tell(orders, "A-4", Contact(platform_id="4711"), woo)
    await tell(orders, "A-5", Contact(platform_id="4711"))  # another shop's number 4711
    assert [one["orders"] for one in await customers(orders)] == [1, 4]
    assert [one["orders"] for one in await customers(orders, "?channel=woocommerce")] == [4]
    assert await customers(orders, "?channel=shopee") == []


async def test_a_corrected_phone_moves_the_order_and_leaves_nobody_behind(orders: Orders) -> None:
    await orders.push(order("A-1", line("SU-SU", 2), **contact(phone="0912345679")))
    (wrong,) = await customers(orders)
    await orders.push(order("A-1", line("SU-SU", 2), minute=5, **contact()))
    (right,) = await customers(orders)
    assert right["phone"] == "+84912345678"
    assert (await orders.running.client.get(wrong["url"], headers=orders.staff)).status_code == 404
    await orders.push(order("A-1", line("SU-SU", 2), minute=6, **contact("L***", "******78")))
    assert await customers(orders) == [right]


async def test_a_corrected_order_takes_along_what_it_told_of_the_person(orders: Orders) -> None:
    """An order that was typed with the phone of Mai, and is Su's."""
    await tell(orders, "A-1", Contact("Mai", "0912345678", BAN))
    await tell(orders, "A-2", Contact("Vàng A Sử", "0912345678", "Mộc Châu", "su@example.vn", "4711"))
    (both,) = await customers(orders)
    assert (both["name"], both["email"]) == ("Vàng A Sử", "su@example.vn")
    await tell(orders, "A-2", Contact("Vàng A Sử", "0987654321", "Mộc Châu", "su@example.vn", "4711"), minute=5)
    found = {one["phone"]: one for one in await customers(orders)}
    mai, su = found["+84912345678"], found["+84987654321"]
    assert mai["customer_id"] == both["customer_id"]
    assert [mai[key] for key in ("name", "address", "email", "orders")] == ["Mai", BAN, None, 1]
    assert [su[key] for key in ("name", "address", "email", "orders")] == ["Vàng A Sử", "Mộc Châu", "su@example.vn", 1]
    await tell(orders, "A-3", Contact(platform_id="4711"))
    assert [one["phone"] for one in await customers(orders)] == [mai["phone"], su["phone"]]


async def test_a_customer_whose_only_order_has_another_name_is_the_same(orders: Orders) -> None:
    await tell(orders, "A-1", Contact("Mai", "0912345678"))
    (before,) = await customers(orders)
    await tell(orders, "A-1", Contact("Lò Thị Mai", "0912345678", BAN), minute=5)
    (after,) = await customers(orders)
    assert (after["customer_id"], after["name"], after["address"]) == (before["customer_id"], "Lò Thị Mai", BAN)


async def test_who_keeps_only_a_masked_order_is_left_without_a_sign(orders: Orders) -> None:
    await tell(orders, "A-1", Contact("Mai", "0912345678"))
    await tell(orders, "A-2", Contact("Mai", "0912345678"))
    await link(orders)
    await tell(orders, "A-1", Contact("M***", "******78"), minute=5)
    await tell(orders, "A-2", Contact("Su", "0987654321"), minute=5)
    found = {one["phone"]: (one["name"], one["orders"]) for one in await customers(orders)}
    assert found == {None: (None, 1), "+84987654321": ("Su", 1)}


async def test_only_new_links_are_counted_until_an_order_leaves(orders: Orders) -> None:
    """What was counted before is not counted again: here it is wrong, to see it."""

    async def counted() -> list[int]:
        await link(orders)
        return [row["orders"] for row in await orders.fetch("select orders from customer order by orders desc")]

    await tell(orders, "A-1", Contact("Mai", "0912345678"))
    await tell(orders, "A-2", Contact("Mai", "0912345678"))
    assert await counted() == [2]
    await orders.fetch("update customer set orders = 40")
    await tell(orders, "A-3", Contact("Mai", "0912345678"))
    await tell(orders, "A-2", Contact("Lò Thị Mai", "0912345678"), minute=5)  # hers before and after
    assert await counted() == [41]
    await tell(orders, "A-2", Contact("Su", "0987654321"), minute=6)
    assert await counted() == [2, 1]


async def test_first_and_last_order_are_known_from_each_link(orders: Orders) -> None:
    for number in range(3):
        await tell(orders, f"A-{number}", Contact("Mai", "0912345678"))
        if number != 1:
            await link(orders)
    (seen,) = await orders.fetch("select orders, first_order_at, last_order_at from customer")
    (true,) = await orders.fetch("select count(*), min(received_at), max(received_at) from customer_order")
    assert tuple(seen) == tuple(true)


async def test_customers_are_listed_page_by_page_and_as_a_file(orders: Orders) -> None:
    names = ["=HYPERLINK(1)", "Vàng A Sử", "Lò Thị Mai"]
    for number, name in enumerate(names):
        await orders.push(order(f"A-{number}", line("SU-SU", 1), **contact(name, f"091234567{number}")))
    await link(orders)
    seen, cursor = [], ""
    while True:
        page = await orders.ask("GET", f"{CUSTOMERS}?limit=2{cursor}")
        seen += [one["name"] for one in page["customers"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert sorted(seen) == sorted(names)
    answer = await orders.running.client.get(f"{CUSTOMERS}.csv", headers=orders.staff)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.content.startswith("\ufeff".encode())
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert sorted(row["name"] for row in rows) == ["'=HYPERLINK(1)", "Lò Thị Mai", "Vàng A Sử"]
    assert {row["phone"] for row in rows} == {f"'+8491234567{number}" for number in range(3)}


async def test_only_staff_of_the_cooperative_see_its_customers(orders: Orders) -> None:
    await orders.push(order("A-1", line("SU-SU", 1), **contact()))
    (mai,) = await customers(orders)
    elsewhere, operator = await orders.running.key("staff", uuid7()), await orders.running.key("operator")
    for path in (CUSTOMERS, f"{CUSTOMERS}.csv", mai["url"]):
        assert (await orders.running.client.get(path, headers=elsewhere)).status_code == 404
        assert (await orders.running.client.get(path, headers=operator)).status_code == 403
        assert (await orders.running.client.get(path)).status_code == 401
    erase = f"{mai['url']}?reason=customer_request"
    assert (await orders.running.client.delete(erase, headers=elsewhere)).status_code == 404
    assert (await orders.running.client.delete(erase, headers=operator)).status_code == 403
    assert await customers(orders) == [mai]


async def everything(orders: Orders) -> str:
    """All that the database holds, as text."""
    tables = await orders.fetch(
        "select format('%I', table_name) from information_schema.tables "
        "where table_schema = 'public' and table_type = 'BASE TABLE'"
    )
    texts = []
    for (table,) in tables:
        rows = await orders.fetch(f"select t::text from {table} t")  # noqa: S608 - names of our own tables
        texts += [row[0] for row in rows]
    return "\n".join(texts)


async def test_an_erased_customer_is_nowhere_and_the_books_stay(orders: Orders) -> None:
    first = order("A-1", line("CAI-KG", 2, price_vnd=40_000), **contact(address=BAN))
    told = (await orders.push(first)).json()
    await orders.promise(told["order_id"])
    await tell(orders, "A-2", Contact("Mai", "0912345678", None, "mai@example.vn", "khách-4711"))
    await orders.push(order("A-3", line("SU-SU", 1), **contact("Vàng A Sử", "0987654321")))
    _, mai = await customers(orders)
    await orders.push(order("A-4", line("SU-SU", 1), **contact()))  # not linked yet
    pushes = f"pushes of {orders.shop.partner_id}"
    bodies = [
        (pushes, b'{"phone": "0912345678", "name": "Mai"}'),
        (pushes, b'{"phone": "+84 (0) 912.345-678"}'),
        (pushes, b'{"email": "Mai@Example.VN"}'),
        (pushes, '{"customer_id": "Khách-4711"}'.encode()),
        ("orders.intake", b"0912 345 678"),
    ]
    of_another = (pushes, b'{"phone": "0987654321"}')

    async def keep(tx: Transaction) -> None:
        for queue, body in [*bodies, of_another]:
            await rejected_messages.save(tx.conn, queue, "faulty", body)

    await orders.running.runtime.ledger.transact(keep)
    before = await orders.events()
    await orders.ask("DELETE", f"{mai['url']}?reason=customer_request")
    await orders.ask("DELETE", f"{mai['url']}?reason=consent_withdrawn")  # nothing more to do
    left = await everything(orders)
    digests = (
        orders_digest(first),
        "Lò Thị Mai",
        "912345678",
        "912 345 678",
        "Hua Tạt",
        "mai@example.vn",
        "khách-4711",
    )
    assert [trace for trace in digests if trace in left] == []
    assert [body for _, body in bodies if body.hex() in left] == []
    assert "Vàng A Sử" in left
    assert of_another[1].hex() in left
    shown = await orders.ask("GET", mai["url"])
    customer = shown["customer"]
    assert [customer[name] for name in ("name", "phone", "email", "address")] == [None] * 4
    assert (customer["orders"], customer["promised_vnd"]) == (3, 60_000)
    assert customer["erased_at"] is not None
    kept = await orders.ask("GET", told["url"])
    assert (kept["partner_ref"], kept["state"], kept["contact"]) == ("A-1", "promised", None)
    assert kept["lines"][0]["sold_quantity"] == "2"
    assert await orders.events() == before
    (record,) = await orders.fetch("select customer_id::text, orders, reason, key_id::text from erasure")
    assert tuple(record)[:3] == (mai["customer_id"], 3, "customer_request")
    assert UUID(record["key_id"]).hex in orders.staff["Authorization"]


def orders_digest(told: dict[str, Any]) -> str:
    """What the stored push of this order was known by before."""
    named = told["contact"]
    lines = tuple(
        CommandLine(n, one["sku"], Decimal(one["quantity"]), one["price_vnd"]) for n, one in enumerate(told["lines"], 1)
    )
    who = Contact(named["name"], named["phone"], named["address"])
    return OrderCommand.make("A-1", datetime.now(UTC), 0, Kind.UPSERT, None, lines, who).revision.digest


async def test_no_push_of_an_old_order_brings_an_erased_customer_back(orders: Orders) -> None:
    first = order("A-1", line("SU-SU", 2), **contact())
    await orders.push(first)
    (mai,) = await customers(orders)
    await orders.ask("DELETE", f"{mai['url']}?reason=no_longer_needed")
    assert (await orders.push(first)).status_code == 200
    assert (await orders.push(order("A-1", line("SU-SU", 3), minute=5, **contact()))).status_code == 202
    assert "912" not in "".join(
        str(tuple(row))
        for row in await orders.fetch(
            "select contact_name, contact_phone, contact_address, order_id in (table contact_due) from customer_order"
        )
    )
    (erased,) = await customers(orders)
    assert (erased["customer_id"], erased["orders"], erased["phone"]) == (mai["customer_id"], 1, None)
    await orders.push(order("A-2", line("SU-SU", 2), **contact()))
    new = next(one for one in await customers(orders) if one["erased_at"] is None)
    assert (new["phone"], new["orders"]) == ("+84912345678", 1)


async def test_an_order_whose_customer_nothing_tells_is_erased_by_itself(orders: Orders) -> None:
    masked = (await orders.push(order("A-1", line("SU-SU", 2), **contact("Phan Văn", "******64", address=BAN)))).json()
    known = (await orders.push(order("A-2", line("SU-SU", 2), **contact()))).json()
    await orders.ask("DELETE", f"{masked['url']}/contact?reason=wrongly_collected")
    assert (await orders.ask("GET", masked["url"]))["contact"] is None
    refused = await orders.running.client.delete(
        f"{known['url']}/contact?reason=wrongly_collected", headers=orders.staff
    )
    assert refused.status_code == 409
    (mai,) = await customers(orders)
    assert mai["url"] in refused.json()["detail"]
    assert (await orders.ask("GET", known["url"]))["contact"]["name"] == "Lò Thị Mai"
    wrong = await orders.running.client.delete(f"{mai['url']}?reason=for+Mai", headers=orders.staff)
    assert wrong.status_code == 422


async def test_many_who_link_at_once_make_one_customer_of_one_phone(orders: Orders) -> None:
    for number in range(60):
        await orders.push(
            order(f"A-{number}", line("SU-SU", 1), **contact(f"Mai {number}", f"09123456{number % 5:02d}"))
        )
    (job,) = [one for one in orders.running.parts.jobs if one.name == "link_customers"]
    await asyncio.gather(*(job.run_if_due(datetime.now(UTC)) for _ in range(5)))
    found = await customers(orders)
    assert [one["orders"] for one in found] == [12] * 5
    assert {one["name"] for one in found} == {f"Mai {number}" for number in range(55, 60)}


async def test_an_order_that_a_push_corrects_is_linked_later_and_nobody_waits(orders: Orders) -> None:
    first = await orders.push(order("A-1", line("SU-SU", 1), **contact()))
    await orders.push(order("A-2", line("SU-SU", 1), **contact("Vàng A Sử", "0987654321")))
    async with orders.running.runtime.pool.acquire() as conn, conn.transaction():
        await conn.execute("select from contact_due where order_id = $1 for update", first.json()["order_id"])
        assert [one["name"] for one in await customers(orders)] == ["Vàng A Sử"]
    assert sorted(one["name"] for one in await customers(orders)) == ["Lò Thị Mai", "Vàng A Sử"]


async def test_a_contact_that_is_corrected_while_its_order_is_linked_is_looked_at_again(orders: Orders) -> None:
    await orders.push(order("A-1", line("SU-SU", 1), **contact()))
    corrected = order("A-1", line("SU-SU", 1), minute=5, **contact("Lò Thị Mai", "0987654321"))
    waiting = "select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"

    async def waits() -> bool:
        return bool(await orders.fetch(waiting))

    async with orders.running.runtime.pool.acquire() as conn, conn.transaction():
        (due,) = await store.take_due(conn, 10)
        assert due.contact.phone == "0912 345 678"
        push = asyncio.create_task(orders.push(corrected))
        await until(waits)
    assert (await push).status_code == 202
    assert [one["phone"] for one in await customers(orders)] == ["+84987654321"]


async def test_pushes_and_an_erasure_at_the_same_time_leave_nothing_behind(orders: Orders) -> None:
    await orders.push(order("A-1", line("SU-SU", 1), **contact()))
    (mai,) = await customers(orders)
    later = [order("A-1", line("SU-SU", 1 + minute), minute=minute, **contact()) for minute in range(1, 9)]
    erase = orders.running.client.delete(f"{mai['url']}?reason=customer_request", headers=orders.staff)
    answers = await asyncio.gather(
        *(orders.push(one) for one in later[:4]), erase, *(orders.push(one) for one in later[4:])
    )
    assert all(answer.is_success for answer in answers)
    (erased,) = await customers(orders)
    assert (erased["customer_id"], erased["name"], erased["orders"]) == (mai["customer_id"], None, 1)
    assert "912 345 678" not in await everything(orders)
