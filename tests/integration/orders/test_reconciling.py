"""WooCommerce never sends a push again: what was missed is found by asking the shop."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from starlette.responses import RedirectResponse, Response

from infra.local.stack import Stack
from services.orders import reconciling
from tests.integration.orders.conftest import CANONICAL_SKUS, Orders, Shop, fields, market
from tests.support import platform_apis as fakes
from tests.support.platform_apis import broken, limited

KEY = {"consumer_key": fakes.CONSUMER_KEY, "consumer_secret": fakes.CONSUMER_SECRET}
PRIVATE = "https://10.1.2.3/shop"


@dataclass
class Woo:
    """A shop whose webhooks nobody sends, and the partner that it is here."""

    orders: Orders
    shop: fakes.Shop
    partner: Shop
    url: str
    ahead: timedelta = timedelta(0)

    def put(self, number: int, at: datetime, quantity: int = 2, status: str = "processing") -> None:
        """An order of the shop as it is from now on."""
        self.shop.orders[number] = {
            "id": number,
            "status": status,
            "currency": "VND",
            "date_modified_gmt": at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S"),
            "line_items": [{"id": 1, "sku": "SU-SU", "quantity": quantity, "total": "18000", "price": 9000.5}],
            "billing": {"first_name": "", "last_name": "Nguyễn Văn A"},
        }

    async def reconcile(self) -> bool:
        """As when the next poll is due."""
        self.ahead += timedelta(hours=1)
        return await self.orders.run("reconcile_shops", datetime.now(UTC) + self.ahead)

    @property
    def credentials(self) -> str:
        """Where its key is handed over."""
        return f"/v1/partners/{self.partner.partner_id}/api-credentials"

    @property
    def settings(self) -> str:
        """Where its address is changed."""
        return f"/v1/partners/{self.partner.partner_id}/settings"

    async def books(self) -> dict[str, tuple[str, int]]:
        """reference → (state of the line, steps)."""
        rows = await self.orders.fetch(
            "select o.partner_ref, l.state, l.quantity_steps from customer_order o join order_line l using (order_id)"
        )
        return {row["partner_ref"]: (row["state"], row["quantity_steps"]) for row in rows}

    async def row(self) -> Any:
        """What is known of reading the shop."""
        (found,) = await self.orders.fetch("select * from reconciliation")
        return found


@asynccontextmanager
async def woo_market(stack: Stack, path: str = "/shop", url: str | None = None, **settings: Any) -> AsyncIterator[Woo]:
    """Vân Hồ with a WooCommerce shop; its key is not handed over yet."""
    async with fakes.platforms() as servers, market(stack, **servers.settings | settings) as orders:
        here = url or f"{servers.url}{path}"
        partner = await orders.register("woocommerce", settings={"shop_url": here})
        await orders.ask("PUT", f"/v1/partners/{partner.partner_id}/skus", CANONICAL_SKUS)
        yield Woo(orders, servers.shop, partner, here)


@pytest.fixture
async def woo(stack: Stack) -> AsyncIterator[Woo]:
    async with woo_market(stack) as found:
        await found.orders.ask("PUT", found.credentials, KEY)
        yield found


def later(seconds: int = 1) -> datetime:
    """After the key was handed over."""
    return datetime.now(UTC) + timedelta(seconds=seconds)


async def test_an_order_whose_push_was_missed_is_found_and_one_that_came_is_known(woo: Woo) -> None:
    woo.put(1, later())
    woo.put(2, later(), quantity=3)
    answer = await woo.orders.push_woo(woo.partner, woo.shop.orders[2])
    assert answer.status_code == 202
    await woo.reconcile()
    assert await woo.books() == {"1": ("ordered", 2), "2": ("ordered", 3)}
    assert await woo.orders.names() == ["order_placed", "order_placed"]
    registry = woo.orders.running.runtime.metrics.registry
    assert registry.get_sample_value("orders_reconciled_total", {"outcome": "placed"}) == 1
    assert registry.get_sample_value("orders_reconciled_total", {"outcome": "repeated"}) == 1
    assert woo.shop.refused == []


async def test_a_shop_is_asked_again_from_where_it_was_read_to_with_an_overlap(woo: Woo) -> None:
    at = later(-5)
    woo.put(1, at + timedelta(seconds=5))
    await woo.reconcile()
    first = woo.shop.asked[0]
    assert {name: first[name] for name in ("dates_are_gmt", "orderby", "order", "per_page", "page")} == {
        "dates_are_gmt": "true",
        "orderby": "modified",
        "order": "asc",
        "per_page": "100",
        "page": "1",
    }
    since = (await woo.row())["since"]
    assert first["modified_after"] == since.strftime("%Y-%m-%dT%H:%M:%S")
    await woo.orders.fetch("update reconciliation set seen_until = since + interval '1 day'")
    await woo.reconcile()
    third = datetime.fromisoformat(woo.shop.asked[2]["modified_after"]).replace(tzinfo=UTC)
    assert third == (since + timedelta(days=1) - timedelta(minutes=10)).replace(microsecond=0)


async def test_a_shop_is_not_asked_before_it_is_time(woo: Woo) -> None:
    assert await woo.orders.run("reconcile_shops", datetime.now(UTC))
    assert not await woo.orders.run("reconcile_shops", datetime.now(UTC) + timedelta(seconds=590))
    assert await woo.orders.run("reconcile_shops", datetime.now(UTC) + timedelta(seconds=601))


async def test_cancelled_orders_and_those_in_the_trash_are_given_up(woo: Woo) -> None:
    woo.put(1, later())
    woo.put(2, later())
    woo.put(3, later())
    await woo.reconcile()
    woo.put(1, later(2), status="cancelled")
    woo.put(2, later(2), status="trash")
    await woo.reconcile()
    assert await woo.books() == {"1": ("cancelled", 2), "2": ("cancelled", 2), "3": ("ordered", 2)}


async def test_an_order_that_was_restored_comes_back_though_its_push_was_missed(woo: Woo) -> None:
    woo.put(1, later())
    await woo.reconcile()
    assert (await woo.orders.push_woo(woo.partner, {"id": 1}, topic="order.deleted")).status_code < 300
    assert await woo.books() == {"1": ("cancelled", 2)}
    woo.put(1, later(2))
    await woo.reconcile()
    assert await woo.books() == {"1": ("ordered", 2)}


async def test_a_shop_with_much_to_read_is_read_on_at_once(woo: Woo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconciling, "READING_S", 0)
    for _ in range(6):
        assert await woo.orders.run("reconcile_shops", datetime.now(UTC))
    assert (await woo.row())["last_error"] == "too_long"
    monkeypatch.undo()
    woo.put(1, later())
    assert await woo.orders.run("reconcile_shops", datetime.now(UTC))
    assert set(await woo.books()) == {"1"}


async def test_no_order_is_skipped_though_the_list_moves_while_it_is_read(woo: Woo) -> None:
    start = later()
    for number in range(1, 251):
        woo.put(number, start + timedelta(seconds=number // 40))

    def change(_: int) -> None:
        moved = len(woo.shop.asked)
        for number in range(moved * 3, moved * 3 + 3):
            woo.put(number + 1, start + timedelta(seconds=60 + moved), quantity=5)

    woo.shop.on_page = change
    await woo.reconcile()
    woo.shop.on_page = None
    await woo.reconcile()
    books = await woo.books()
    assert set(books) == {str(number) for number in range(1, 251)}
    wanted = {str(number): order["line_items"][0]["quantity"] for number, order in woo.shop.orders.items()}
    assert {ref: steps for ref, (_, steps) in books.items()} == wanted


async def test_more_orders_of_one_second_than_a_page_holds_are_read(woo: Woo) -> None:
    at = later()
    for number in range(1, 231):
        woo.put(number, at)
    await woo.reconcile()
    assert len(await woo.books()) == 230


async def test_an_order_that_is_faulty_holds_up_no_other(woo: Woo) -> None:
    woo.put(1, later())
    woo.put(2, later(2))
    woo.shop.orders[1]["line_items"][0]["quantity"] = -1
    await woo.reconcile()
    assert set(await woo.books()) == {"2"}
    assert (await woo.row())["last_error"] is None
    registry = woo.orders.running.runtime.metrics.registry
    assert registry.get_sample_value("orders_reconciled_total", {"outcome": "malformed"}) == 1


@pytest.mark.parametrize(
    ("trouble", "error"),
    [
        (broken(), "http_500"),
        (limited(5), "http_429"),
        (Response("<html>", 200), "no_orders"),
        (Response('[{"id": 1}]', 200), "no_orders"),
        (RedirectResponse("http://127.0.0.1/elsewhere"), "http_307"),
        (Response("{}", 403), "http_403"),
    ],
)
async def test_a_shop_in_trouble_is_read_later(woo: Woo, trouble: Response, error: str) -> None:
    woo.put(1, later())
    woo.shop.troubles.append(trouble)
    await woo.reconcile()
    assert (await woo.row())["last_error"] == error
    await woo.reconcile()
    assert set(await woo.books()) == {"1"}
    assert (await woo.row())["last_error"] is None


async def test_the_metrics_say_how_long_a_shop_was_not_read(woo: Woo) -> None:
    await woo.orders.run("count_shops", datetime.now(UTC) + timedelta(hours=2))
    age_s = woo.orders.running.runtime.metrics.registry.get_sample_value("orders_reconciled_oldest_seconds")
    assert age_s is not None
    assert 7200 <= age_s < 7300


async def test_a_wrong_key_is_refused_by_the_shop_and_can_be_replaced(woo: Woo) -> None:
    await woo.orders.ask("PUT", woo.credentials, KEY | {"consumer_secret": "cs_another1"})
    woo.put(1, later())
    await woo.reconcile()
    assert (await woo.row())["last_error"] == "http_401"
    await woo.orders.ask("PUT", woo.credentials, KEY)
    assert await woo.orders.run("reconcile_shops", datetime.now(UTC))
    assert set(await woo.books()) == {"1"}


async def test_orders_from_before_the_key_was_handed_over_are_left_alone(stack: Stack) -> None:
    async with woo_market(stack) as woo:
        woo.put(1, datetime.now(UTC) - timedelta(seconds=5))
        await woo.orders.ask("PUT", woo.credentials, KEY)
        woo.put(2, later())
        await woo.reconcile()
        assert set(await woo.books()) == {"2"}
        assert await woo.orders.ask("GET", woo.credentials) == {
            "is_set": True,
            "valid_until": None,
            "needs_authorisation": False,
        }
        await woo.orders.ask("DELETE", woo.credentials)
        assert not await woo.reconcile()


@pytest.mark.parametrize(
    "body",
    [
        {},
        KEY | {"consumer_key": "x"},
        KEY | {"consumer_secret": fakes.CONSUMER_KEY},
        KEY | {"more": 1},
        {"refresh_token": "x"},
    ],
)
async def test_a_key_is_checked(stack: Stack, body: dict[str, Any]) -> None:
    async with woo_market(stack) as woo:
        answer = await woo.orders.running.client.put(woo.credentials, json=body, headers=woo.orders.staff)
        assert answer.status_code == 422
        assert fakes.CONSUMER_SECRET not in answer.text
        assert await woo.orders.fetch("select from reconciliation") == []


async def test_a_shop_inside_of_our_network_is_never_asked(stack: Stack) -> None:
    async with woo_market(stack, url="https://localhost/shop", shop_private_networks="") as woo:
        body = {"cooperative": "van-ho", "name": "Sạp", "adapter": "woocommerce", "settings": {"shop_url": PRIVATE}}
        answer = await woo.orders.running.client.post("/v1/partners", json=body, headers=woo.orders.staff)
        assert (fields(answer), "address_not_public" in answer.text) == (["settings.shop_url"], True)
        await woo.orders.ask("PUT", woo.credentials, KEY)  # a name may lead anywhere
        await woo.reconcile()
        assert (await woo.row())["last_error"] == "address_not_public"
        assert (woo.shop.asked, woo.shop.refused) == ([], [])


@pytest.mark.parametrize("url", ["ftp://shop.vn", "https://a:b@shop.vn", "https://shop.vn/?a=b", "shop.vn", "https://"])
async def test_a_shop_needs_an_address(stack: Stack, url: str) -> None:
    async with woo_market(stack) as woo:
        body = {"settings": {"shop_url": url}}
        answer = await woo.orders.running.client.patch(woo.settings, json=body, headers=woo.orders.staff)
        assert fields(answer) == ["settings.shop_url"]
        await woo.orders.ask("PATCH", woo.settings, {"settings": {"shop_url": None}})
        answer = await woo.orders.running.client.put(woo.credentials, json=KEY, headers=woo.orders.staff)
        assert (answer.status_code, "shop_url is missing" in answer.text) == (409, True)


async def test_a_shop_may_tell_its_address_later(stack: Stack) -> None:
    async with woo_market(stack) as woo:
        await woo.orders.ask("PATCH", woo.settings, {"settings": {"shop_url": None}})
        await woo.orders.ask("PATCH", woo.settings, {"settings": {"shop_url": f"{woo.url}/"}})
        await woo.orders.ask("PUT", woo.credentials, KEY)
        woo.put(1, later())
        await woo.reconcile()
        assert set(await woo.books()) == {"1"}


async def test_the_key_of_a_shop_is_shown_to_no_other_address_and_with_a_new_one_it_is_read_on(woo: Woo) -> None:
    await woo.reconcile()
    before = await woo.row()
    await woo.orders.ask("PATCH", woo.settings, {"settings": {"shop_url": "https://shop.example.vn"}})
    assert not (await woo.orders.ask("GET", woo.credentials))["is_set"]
    assert not await woo.reconcile()
    row = await woo.row()
    assert fakes.CONSUMER_SECRET not in str(row)
    await woo.orders.ask("PATCH", woo.settings, {"settings": {"shop_url": woo.url}})
    woo.put(1, later())
    await woo.orders.ask("PUT", woo.credentials, KEY)
    assert (await woo.row())["since"] == before["since"]
    await woo.reconcile()
    assert set(await woo.books()) == {"1"}


async def test_what_is_no_setting_of_the_adapter_changes_nothing(woo: Woo) -> None:
    faulty: list[dict[str, Any]] = [{"settings": {}}, {"settings": {"shop": "x"}}, {"settings": {"shop_url": ""}}]
    for body in [*faulty, {"shop_url": "x"}]:
        answer = await woo.orders.running.client.patch(woo.settings, json=body, headers=woo.orders.staff)
        assert answer.status_code == 422
    stranger = await woo.orders.running.key("staff", woo.partner.partner_id)
    answer = await woo.orders.running.client.patch(
        woo.settings, json={"settings": {"shop_url": None}}, headers=stranger
    )
    assert answer.status_code == 404
    ((settings,),) = await woo.orders.fetch(
        "select settings from partner where partner_id = $1", woo.partner.partner_id
    )
    assert json.loads(settings) == {"shop_url": woo.url}
