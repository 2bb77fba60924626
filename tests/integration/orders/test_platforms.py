"""Platforms at the door: what they register, how they are tried and answered, and that their orders arrive."""

import json
from typing import Any
from uuid import UUID

import httpx
import pytest

from services.orders.adapters import ADAPTERS
from tests.integration.orders.conftest import Orders, Shop, fields
from tests.support.platforms import PLATFORMS, THIN
from tests.support.platforms.base import SECRET, Platform, Told, commands
from tests.support.platforms.kiotviet import KIOTVIET, kiot_order, kiot_push
from tests.support.platforms.meta import meta_message, meta_push
from tests.support.platforms.shopify_family import SHOPIFY


async def register(orders: Orders, platform: Platform, **other: Any) -> Shop:
    """The platform's shop as a partner of Vân Hồ, with the secret and the settings of the stories."""
    body = {
        "cooperative": "van-ho",
        "name": platform.name,
        "adapter": platform.name,
        "secret": SECRET,
        "settings": dict(platform.credentials.settings),
    } | other
    made = await orders.ask("POST", "/v1/partners", body)
    assert made["secret"] is None
    return Shop(UUID(made["partner_id"]), SECRET, made["push_url"])


async def push(orders: Orders, shop: Shop, platform: Platform, told: Told, **headers: str) -> httpx.Response:
    """One push of a story."""
    request = platform.push(told)
    return await orders.running.client.post(
        shop.path, content=request.raw, headers=dict(request.headers) | headers, params=dict(request.query)
    )


# The signatures of canonical are of one moment; orders of which only the numbers are pushed are pulled, see test_thin.
@pytest.mark.parametrize("name", sorted(set(PLATFORMS) - {"canonical", *THIN}))
async def test_the_story_of_an_order_arrives_and_is_answered_as_the_platform_wants(orders: Orders, name: str) -> None:
    platform, declaration = PLATFORMS[name], ADAPTERS[name].DECLARATION
    shop = await register(orders, platform)
    first = await push(orders, shop, platform, platform.story[0])
    assert first.status_code == declaration.on_taken, first.text
    again = await push(orders, shop, platform, platform.story[0])
    assert again.status_code in (200, declaration.on_taken), again.text
    for told in platform.story[1:]:
        answer = await push(orders, shop, platform, told)
        assert answer.is_success, answer.text
    (row,) = await orders.fetch("select partner_ref, kind from customer_order where partner_id = $1", shop.partner_id)
    last = ADAPTERS[name].read(platform.credentials, platform.push(platform.story[-1]))
    (command,) = commands(last)
    assert (row["partner_ref"], row["kind"]) == (command.partner_ref, command.kind)


async def test_what_a_partner_registers_is_checked_against_its_adapter(orders: Orders) -> None:
    async def refused(**body: Any) -> list[str]:
        base = {"cooperative": "van-ho", "name": "Sạp"}
        return fields(await orders.running.client.post("/v1/partners", json=base | body, headers=orders.staff))

    assert await refused(adapter="meta") == ["settings.verify_token"]
    assert await refused(adapter="sendo", settings={"shop": "x"}) == ["settings.shop_key", "settings.shop"]
    assert await refused(adapter="shopify", settings={"shop_domain": ""}) == ["settings.shop_domain"]
    assert await refused(adapter="shopify", secret="ngắn") == ["secret"]
    assert await refused(adapter="canonical", secret="không phải là base64") == ["secret"]
    assert await orders.fetch("select from partner where name = 'Sạp'") == []


async def test_a_secret_of_the_platform_is_never_shown_and_can_be_rotated(orders: Orders) -> None:
    shop = await register(orders, SHOPIFY, secret="secret of before")
    path = f"/v1/partners/{shop.partner_id}/secrets"
    assert (await push(orders, shop, SHOPIFY, SHOPIFY.story[0])).status_code == 401
    rotated = await orders.ask("POST", path, {"secret": SECRET})
    assert rotated == {"partner_id": str(shop.partner_id), "secret": None}
    assert (await push(orders, shop, SHOPIFY, SHOPIFY.story[0])).status_code == 200
    fresh = await orders.ask("POST", path)
    assert fresh["secret"].startswith("whsec_")
    assert (await push(orders, shop, SHOPIFY, SHOPIFY.story[0])).status_code == 200


async def test_a_platforms_own_secret_signs_no_reading_of_orders(orders: Orders) -> None:
    shop = await register(orders, SHOPIFY)
    await push(orders, shop, SHOPIFY, SHOPIFY.story[0])
    await orders.ask("POST", f"/v1/partners/{shop.partner_id}/secrets", {"secret": "no base64 at all"})
    (row,) = await orders.fetch("select order_id from customer_order")
    headers = {"webhook-id": "1", "webhook-timestamp": "1", "webhook-signature": "v1,x"}
    answer = await orders.running.client.get(f"/v1/orders/{row['order_id']}", headers=headers)
    assert answer.status_code == 401


async def test_kiotviet_is_answered_200_to_a_bad_signature_and_nothing_is_stored(orders: Orders) -> None:
    shop = await register(orders, KIOTVIET)
    answer = await push(orders, shop, KIOTVIET, KIOTVIET.story[0], **{"x-hub-signature": "0" * 64})
    assert (answer.status_code, answer.json()) == (200, {"answer": "quarantined", "reason": None})
    assert await orders.fetch("select from customer_order") == []
    assert await orders.fetch("select from rejected_message") == []
    metrics = (await orders.running.client.get("/metrics")).text
    assert 'orders_pushed_total{adapter="kiotviet",outcome="bad_signature"} 1.0' in metrics


async def test_what_is_signed_but_faulty_is_set_aside_where_the_platform_must_not_be_refused(orders: Orders) -> None:
    shop = await register(orders, KIOTVIET)
    mixed = Told(kiot_push(kiot_order(0, 1), kiot_order(0, 1, Id=7, OrderDetails=[{"Quantity": -1}])))
    for told in (mixed, Told({"no": "push"})):
        answer = await push(orders, shop, KIOTVIET, told)
        assert (answer.status_code, answer.json()["answer"]) == (200, "set_aside")
    assert [row["partner_ref"] for row in await orders.fetch("select partner_ref from customer_order")] == ["26254255"]
    rows = await orders.fetch("select queue, reason, body from rejected_message order by id")
    assert [(row["queue"], row["reason"].split(" ")[0]) for row in rows] == [
        (f"pushes of {shop.partner_id}", "orders[1]:"),
        (f"pushes of {shop.partner_id}", "Notifications"),
    ]
    assert json.loads(rows[0]["body"]) == mixed.body


@pytest.mark.parametrize("name", ["shopify", "woocommerce", "haravan", "sapo"])
async def test_one_faulty_order_or_one_too_much_does_not_end_a_shops_feed(
    orders: Orders, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    platform = PLATFORMS[name]
    shop, good = await register(orders, platform), platform.story[0]
    faulty = Told(good.body | {"line_items": [{"quantity": -1}]}, good.headers)
    answer = await push(orders, shop, platform, faulty)
    assert (answer.status_code, answer.json()["answer"]) == (200, "set_aside")
    with monkeypatch.context() as patch:
        patch.setattr("services.chassis.ledger.MAX_EVENT_BYTES", 10)
        answer = await push(orders, shop, platform, good)
    assert (answer.status_code, answer.json()["answer"]) == (200, "set_aside")
    assert await orders.fetch("select from customer_order") == []
    rows = await orders.fetch("select queue, reason, body from rejected_message order by id")
    assert [(row["queue"], row["reason"].split(" ")[0]) for row in rows] == [
        (f"pushes of {shop.partner_id}", "line_items[0].quantity"),
        (f"pushes of {shop.partner_id}", "lines"),
    ]
    assert json.loads(rows[1]["body"]) == good.body
    assert (await push(orders, shop, platform, good)).is_success


async def test_the_challenge_is_answered_to_who_knows_the_token_and_to_nobody_else(orders: Orders) -> None:
    meta, shopify = await register(orders, PLATFORMS["meta"]), await register(orders, SHOPIFY)
    right = {"hub.mode": "subscribe", "hub.verify_token": "mã của chúng tôi", "hub.challenge": "1158201444"}

    async def tried(shop: Shop, **other: str) -> httpx.Response:
        return await orders.running.client.get(shop.path, params=right | other)

    answer = await tried(meta)
    assert (answer.status_code, answer.text) == (200, "1158201444")
    assert answer.headers["content-type"].startswith("text/plain")
    assert (await tried(meta, **{"hub.verify_token": "x"})).status_code == 401
    assert (await tried(meta, **{"hub.challenge": ""})).status_code == 401
    assert (await tried(shopify)).status_code == 401
    assert (await tried(Shop(UUID(int=5), "", f"/v1/partners/{UUID(int=5)}/orders"))).status_code == 401


async def test_several_orders_of_one_push_are_answered_with_one_word(orders: Orders) -> None:
    meta = PLATFORMS["meta"]
    shop = await register(orders, meta)
    answer = await push(orders, shop, meta, Told(meta_push(meta_message(), meta_message(id="wamid.2"))))
    assert (answer.status_code, answer.json()) == (200, {"answer": "taken", "reason": None})
    assert len(await orders.fetch("select from customer_order")) == 2


async def test_a_push_of_a_platform_may_be_larger_than_an_order_of_our_own(orders: Orders) -> None:
    shop = await register(orders, SHOPIFY)
    large = Told(SHOPIFY.story[0].body | {"note": "x" * 100_000}, SHOPIFY.story[0].headers)
    assert (await push(orders, shop, SHOPIFY, large)).status_code == 200
    too_large = Told(SHOPIFY.story[0].body | {"note": "x" * 1_100_000}, SHOPIFY.story[0].headers)
    assert (await push(orders, shop, SHOPIFY, too_large)).status_code == 413


async def test_a_query_of_too_many_parameters_is_refused(orders: Orders) -> None:
    shop = await register(orders, PLATFORMS["sendo"])
    answer = await orders.running.client.post(shop.path, content=b"{}", params={f"p{n}": "x" for n in range(60)})
    assert fields(answer) == ["query"]
