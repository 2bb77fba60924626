"""What is open to whom: endpoints and notices are for the cooperative's own staff only, and secrets stay inside."""

import asyncio
import hashlib
import io
import json
import logging
import re
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from msgspec.structs import replace

from services.chassis import logs
from services.chassis.ids import uuid7
from services.contracts.catalog import AccessKeyIssued, AccessKeyRevoked, CollectionPoint, CooperativeChanged
from services.contracts.orders import OrderChanged
from tests.integration.notify.peers import Mailbox, Receiver
from tests.integration.notify.world import World


async def test_a_secret_is_made_shown_once_and_never_again(world: World) -> None:
    client, staff = world.service.client, await world.staff()
    path, body = (
        f"/v1/partners/{world.partner}/webhook",
        {"cooperative": str(world.cooperative), "url": "https://x.vn/h"},
    )
    made = await client.put(path, json=body, headers=staff)
    assert made.status_code == 200
    assert made.json()["secret"].startswith("whsec_")
    assert made.headers["cache-control"] == "no-store"
    shown = await client.get(path, headers=staff)
    assert shown.json() == {
        "partner_id": str(world.partner), "cooperative": str(world.cooperative), "url": "https://x.vn/h",
        "disabled": False, "disabled_reason": None, "disabled_at": None, "failing_since": None, "failures": 0,
        "last_failure": None, "throttled_until": None, "old_secret_until": None,
    }  # fmt: skip
    given = await client.put(path, json=body | {"secret": made.json()["secret"]}, headers=staff)
    assert given.json()["secret"] is None
    assert (await client.delete(path, headers=staff)).status_code == 204
    assert (await client.get(path, headers=staff)).status_code == 404


async def test_an_endpoint_belongs_to_one_cooperative(world: World) -> None:
    client, path = world.service.client, f"/v1/partners/{world.partner}/webhook"
    body = {"cooperative": str(world.cooperative), "url": "https://x.vn/h"}
    stranger, operator = await world.service.key("staff", uuid7()), await world.service.key("operator")
    assert (await client.put(path, json=body)).status_code == 401
    assert (await client.put(path, json=body, headers=stranger)).status_code == 404
    assert (await client.put(path, json=body | {"cooperative": str(uuid4())}, headers=operator)).status_code == 404
    assert (await client.put(path, json=body, headers=operator)).status_code == 200
    of = {"cooperative": str(world.cooperative)}
    assert (await client.get(path, headers=stranger)).status_code == 404
    assert (await client.get(path, headers=stranger, params=of)).status_code == 404
    assert (await client.delete(path, headers=stranger, params=of)).status_code == 404
    assert (await client.get(path, headers=operator)).status_code == 422
    assert (await client.get(path, headers=operator, params=of)).status_code == 200


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"url": "https://user:geheim@x.vn/"}, "url"),
        ({"url": "ftp://geheim.vn/"}, "url"),
        ({"url": "https://10.0.0.1/geheim"}, "url"),
        ({"url": "http://[::1]/geheim"}, "url"),
        ({"url": "http://1.1.1.1/geheim"}, "url"),
        ({"url": "https://1.1.1.1:8443/geheim"}, "url"),
        ({"secret": "geheim"}, "secret"),
        ({"secret": "whsec_geheim"}, "secret"),
        ({"secret": "whsec_AAAA"}, "secret"),
    ],
)
async def test_an_endpoint_that_cannot_be_used_is_refused_without_repeating_it(
    world: World, change: dict[str, str], field: str
) -> None:
    body = {"cooperative": str(world.cooperative), "url": "https://x.vn/h"} | change
    answer = await world.service.client.put(
        f"/v1/partners/{world.partner}/webhook", json=body, headers=await world.staff()
    )
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert "geheim" not in answer.text


async def test_staff_page_through_what_became_of_notices(world: World, mail: Mailbox, shop: Receiver) -> None:
    await world.reach()
    await world.listen(shop.url)
    await world.apply(world.basket(), world.basket(world.neighbour), world.promised())
    await world.run("send_email")
    client, staff, path = world.service.client, await world.staff(), f"/v1/cooperatives/{world.cooperative}/notices"
    seen: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await client.get(path, params={"limit": "1"} | cursor, headers=staff)).json()
        seen += page["notices"]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert [(n["kind"], n["state"]) for n in seen] == [("basket", "undeliverable"), ("basket", "told")]
    assert [n["state"] for n in await world.notices(state="told")] == ["told"]
    assert len(await world.notices(delivery_day="2099-11-24")) == 2
    assert await world.notices(delivery_day="2099-11-25") == []
    assert "example.vn" not in (await client.get(path, headers=staff)).text
    assert (await client.get(path)).status_code == 401
    assert (await client.get(path, headers=await world.service.key("staff", uuid7()))).status_code == 404
    assert (await client.get(path, params={"state": "lost"}, headers=staff)).status_code == 422


async def test_keys_are_learned_and_revoked_by_event(world: World) -> None:
    key_id, secret = uuid7(), "5" * 64
    token = {"Authorization": f"Bearer cp_{key_id.hex}_{secret}"}
    issued = AccessKeyIssued(
        key_id=key_id, secret_sha256=hashlib.sha256(secret.encode()).hexdigest(), role="staff",
        scope=world.cooperative, label="Vân Hồ",
    )  # fmt: skip
    path = f"/v1/cooperatives/{world.cooperative}/notices"
    await world.apply(issued)
    assert (await world.service.client.get(path, headers=token)).status_code == 200
    await world.apply(AccessKeyRevoked(key_id=key_id))
    assert (await world.service.client.get(path, headers=token)).status_code == 401


async def test_a_cooperative_moves_lanes_and_changes_names(world: World, mail: Mailbox) -> None:
    async def lane() -> int:
        return int(await world.service.runtime.pool.fetchval("select lane from stream_head where stream = $1",
                                                             world.cooperative))  # fmt: skip

    points = (CollectionPoint(collection_point_id=world.point, name="Chợ trung tâm"),)
    changed = CooperativeChanged(
        cooperative_id=world.cooperative, slug="van-ho", name="Hợp tác xã Vân Hồ", timezone="Asia/Ho_Chi_Minh",
        lane=11, collection_points=points,
    )  # fmt: skip
    await world.apply(changed)
    assert await lane() == 11
    await world.apply(replace(changed, lane=None))
    assert await lane() < 8
    await world.reach()
    await world.apply(world.basket())
    await world.run("send_email")
    assert "Nơi nhận: Chợ trung tâm" in mail.letters[0].get_content()


async def test_the_lines_of_a_changed_order_keep_their_names(world: World, shop: Receiver) -> None:
    await world.listen(shop.url)
    line = replace(world.placed("CAI").lines[0], line_no=2, sku="CAI-2", offer_id=uuid7())
    await world.apply(
        OrderChanged(order_id=world.order, partner_id=world.partner, partner_ref="DH-1", lines=(line,)),
        world.promised(0),
    )
    await world.run("send_webhooks")
    assert b'"sku":"CAI"' in shop.pushed[0].body
    assert b'"refused_lines":[]' in shop.pushed[0].body


async def test_a_cancelled_order_has_no_refused_lines_left(world: World) -> None:
    await world.apply(world.cancelled())
    row = await world.service.runtime.pool.fetchrow("select refused_lines, cancelled from partner_order")
    assert row is not None
    assert (row["refused_lines"], row["cancelled"]) == ("[]", True)


async def test_metrics_say_what_was_told_and_what_waits(world: World, mail: Mailbox, shop: Receiver) -> None:
    await world.reach()
    await world.listen(shop.url)
    await world.apply(world.basket(), world.basket(world.neighbour), world.promised())
    await world.run("send_email")
    await world.run("count_deliveries")
    text = (await world.service.client.get("/metrics")).text
    assert 'notify_notices_settled_total{kind="basket",state="told"} 1.0' in text
    assert 'notify_notices_settled_total{kind="basket",state="undeliverable"} 1.0' in text
    assert 'notify_deliveries_open{channel="webhook",state="queued"} 1.0' in text
    assert 'notify_told_seconds_count{kind="basket"} 1.0' in text
    assert 'notify_webhook_endpoints{state="open"} 1.0' in text
    assert 'notify_webhook_endpoints{state="disabled"} 0.0' in text
    assert float(re.findall(r"^notify_webhook_oldest_seconds (.+)$", text, re.M)[0]) > 0


async def test_no_address_and_no_secret_gets_into_logs_or_events(world: World, mail: Mailbox, shop: Receiver) -> None:
    """With the logging of the real process at its most talkative, and a mail server that repeats addresses."""
    stream, root = io.StringIO(), logging.getLogger()
    before, level = root.handlers[:], root.level
    logs.set_up("notify", "debug")
    root.handlers[0].setStream(stream)  # type: ignore[attr-defined]  # a StreamHandler
    try:
        secret = await world.listen(shop.url + "?token=bi-mat")
        await world.reach(email="nobody@example.vn")
        await world.reach(world.neighbour)
        mail.on_rcpt = lambda address: f"550 5.1.1 <{address}> unknown" if "nobody" in address else "250 OK"
        mail.on_data = lambda address: f"451 4.3.0 <{address}> later"
        shop.say("500 Broken")
        await world.apply(world.basket(), world.basket(world.neighbour), world.promised())
        await world.run("send_email")
        await world.run("send_webhooks")
        mail.on_data = lambda address: f"250 queued for <{address}>"
        mail.hold = asyncio.Event()
        sending = asyncio.create_task(world.run("send_email", after=timedelta(seconds=31)))
        await mail.holding.wait()
        await world.run("settle_interrupted_email", after=timedelta(hours=1))
        mail.hold.set()
        await sending
    finally:
        root.handlers[:] = before
        root.setLevel(level)
    ours = [line for line in stream.getvalue().splitlines() if json.loads(line)["logger"] != "mail.log"]  # aiosmtpd's
    said = "\n".join([*ours, *(str(dict(event)) for event in await world.events())])
    assert "sending was interrupted" in said
    assert "notice_delivered" in said
    key = secret.removeprefix("whsec_")
    for private in ("nobody@example.vn", "ba.do@example.vn", "Mùa Thị Dợ", key, "bi-mat"):
        assert private not in said
    receipts = await world.service.runtime.pool.fetch("select receipt from delivery where state = 'told'")
    assert [row["receipt"] for row in receipts] == ["250"]
