"""Secrets that change while messages are on their way."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from services.chassis.standard_webhooks import new_secret
from tests.integration.notify.peers import Pushed, Receiver
from tests.integration.notify.world import World


async def rotate(world: World, **body: Any) -> dict[str, Any]:
    path = f"/v1/partners/{world.partner}/webhook/secret/rotate"
    answer = await world.service.client.post(
        path, json={"cooperative": str(world.cooperative)} | body, headers=await world.staff()
    )
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    return dict(answer.json())


def takes(secret: str, pushed: Pushed) -> bool:
    try:
        Webhook(secret).verify(pushed.body, pushed.headers)
    except WebhookVerificationError:
        return False
    return True


async def test_for_a_stated_time_two_secrets_sign_side_by_side(world: World, shop: Receiver) -> None:
    first = await world.listen(shop.url)
    made = await rotate(world, keep_old_h=2)
    second = made["secret"]
    assert second.startswith("whsec_")
    assert made["old_secret_until"] == (await world.webhook())["old_secret_until"]
    await world.apply(world.promised())
    await world.run("send_webhooks")
    assert takes(first, shop.pushed[0])
    assert takes(second, shop.pushed[0])
    await world.run("forget_old_secrets", after=timedelta(hours=1))
    assert (await world.webhook())["old_secret_until"] is not None
    await world.run("forget_old_secrets", after=timedelta(hours=3))
    assert (await world.webhook())["old_secret_until"] is None
    await world.apply(world.promised(20))
    await world.run("send_webhooks")
    assert not takes(first, shop.pushed[1])
    assert takes(second, shop.pushed[1])


async def test_a_secret_that_others_may_know_stops_at_once(world: World, shop: Receiver) -> None:
    first = await world.listen(shop.url)
    given = new_secret()
    made = await rotate(world, secret=given, keep_old_h=0)
    assert (made["secret"], made["old_secret_until"]) == (None, None)
    await world.apply(world.promised())
    await world.run("send_webhooks")
    assert not takes(first, shop.pushed[0])
    assert takes(given, shop.pushed[0])


async def test_setting_the_endpoint_ends_the_old_secret_too(world: World, shop: Receiver) -> None:
    first = await world.listen(shop.url)
    await rotate(world)
    third = await world.listen(shop.url)
    await world.apply(world.promised())
    await world.run("send_webhooks")
    assert not takes(first, shop.pushed[0])
    assert takes(third, shop.pushed[0])


@pytest.mark.parametrize(
    ("change", "status"),
    [({"keep_old_h": -1}, 422), ({"keep_old_h": 169}, 422), ({"secret": "geheim"}, 422), ({"until": 1}, 422),
     ({"cooperative": str(uuid4())}, 404)],
)  # fmt: skip
async def test_a_rotation_that_makes_no_sense_changes_nothing(
    world: World, shop: Receiver, change: dict[str, Any], status: int
) -> None:
    first = await world.listen(shop.url)
    path = f"/v1/partners/{world.partner}/webhook/secret/rotate"
    body = {"cooperative": str(world.cooperative)} | change
    answer = await world.service.client.post(path, json=body, headers=await world.staff())
    assert answer.status_code == status
    assert "geheim" not in answer.text
    await world.apply(world.promised())
    await world.run("send_webhooks")
    assert takes(first, shop.pushed[0])
