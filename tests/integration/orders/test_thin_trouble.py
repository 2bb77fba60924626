"""Platforms that limit, fail, hang and refuse: asked less often, and no order holds up another."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from starlette.responses import JSONResponse, Response

from infra.local.stack import Stack
from tests.integration.orders.thin import REFUSALS, Thin, an_order, each_platform, partner_id, thin_market
from tests.support.platform_apis import broken, limited


@pytest.fixture
async def thin(stack: Stack) -> AsyncIterator[Thin]:
    async with thin_market(stack) as found:
        yield found


# -- Platforms that fail -------------------------------------------------------------------------------------


@each_platform
async def test_too_many_requests_a_broken_server_and_then_a_good_one(thin: Thin, adapter: str) -> None:
    thin.platform(adapter).troubles += [limited(7), broken(), broken()]
    await thin.tell(adapter, an_order())
    await thin.pull_once()
    assert await thin.waiting() == {"5764": "http_429"}
    (not_before,) = (await thin.orders.fetch(
        "select next_call_at from platform_token where partner_id = $1", partner_id(thin, adapter)
    ))[0]  # fmt: skip
    assert timedelta(seconds=1) < not_before - datetime.now(UTC)
    assert not await thin.orders.run("pull_orders", datetime.now(UTC))
    await thin.pull_all()
    assert await thin.books(adapter) == {"5764": ("upsert", {"SU-SU": 3})}
    assert thin.counted("orders_pulls_total", adapter=adapter, outcome="limited") == 1
    assert thin.counted("orders_pulls_total", adapter=adapter, outcome="unwell") == 2
    assert thin.counted("orders_pulls_total", adapter=adapter, outcome="pulled") == 1


@pytest.mark.parametrize("trouble", [limited(0), broken()])
async def test_what_a_platform_did_to_all_orders_makes_none_of_them_suspect(thin: Thin, trouble: Response) -> None:
    tiktok = thin.platforms.tiktok
    await thin.tell("tiktok", *(an_order(str(number)) for number in range(1, 41)))
    for _ in range(5):
        tiktok.troubles.append(trouble)
        thin.ahead += timedelta(hours=1)
        await thin.pull_once()
    assert (len(await thin.waiting()), list(tiktok.troubles)) == (40, [])
    await thin.pull_all()
    assert len(await thin.books("tiktok")) == 40
    assert len(tiktok.asked) <= 7


async def test_a_platform_that_hangs_is_asked_by_one_job_and_holds_up_no_other(thin: Thin) -> None:
    tiktok = thin.platforms.tiktok
    await thin.tell("tiktok", an_order("1"))
    tiktok.hold = asyncio.Event()
    pulling = asyncio.create_task(thin.pull_once())
    await tiktok.holding.wait()
    await thin.tell("tiktok", an_order("2"))
    await thin.tell("shopee", an_order("3"))
    async with asyncio.timeout(20):
        assert await thin.orders.run("pull_orders", datetime.now(UTC) + thin.ahead)
        assert not await thin.orders.run("pull_orders", datetime.now(UTC) + thin.ahead)
    assert (await thin.books("shopee"), tiktok.asked) == ({"3": ("upsert", {"SU-SU": 3})}, [["1"]])
    tiktok.hold.set()
    await pulling
    await thin.pull_all()
    assert set(await thin.books("tiktok")) == {"1", "2"}


async def test_a_platform_that_fails_is_asked_less_and_less_often_until_it_answers(thin: Thin) -> None:
    async def failures() -> int:
        ((found,),) = await thin.orders.fetch(
            "select failures from platform_token where partner_id = $1", partner_id(thin, "tiktok")
        )
        return int(found)

    await thin.tell("tiktok", *(an_order(str(number)) for number in range(1, 9)))
    for number in (1, 2, 3):
        thin.platforms.tiktok.troubles.append(broken())
        thin.ahead += timedelta(hours=1)
        await thin.pull_once()
        assert await failures() == number
    await thin.pull_all()
    assert await failures() == 0


async def test_a_platform_that_refuses_all_orders_is_not_asked_for_each(thin: Thin) -> None:
    calls = 0

    class Refusing(deque[Response]):
        def popleft(self) -> Response:
            nonlocal calls
            calls += 1
            return REFUSALS["tiktok"]

    await thin.tell("tiktok", *(an_order(str(number)) for number in range(1, 41)))
    thin.platforms.tiktok.troubles = Refusing([REFUSALS["tiktok"]])
    await thin.pull_once()
    assert len(await thin.waiting()) == 40
    assert calls <= 8
    rows = await thin.orders.fetch("select distinct faults, last_error from pull")
    assert [tuple(row) for row in rows] == [(0, "105005")]


# -- Orders at which they fail -------------------------------------------------------------------------------


@each_platform
async def test_an_order_that_is_not_there_holds_up_no_other(thin: Thin, adapter: str) -> None:
    for ref in ("1", "2", "3", "4", "5"):
        if ref != "3":
            thin.platform(adapter).put(an_order(ref))
        await thin.push(adapter, an_order(ref))
    await thin.pull_once()
    assert set(await thin.books(adapter)) == {"1", "2", "4", "5"}
    assert await thin.waiting() == {"3": "not_found"}
    await thin.orders.run("count_pulls", datetime.now(UTC) + timedelta(hours=1))
    assert thin.counted("orders_pulls_waiting", adapter=adapter) == 1
    assert thin.counted("orders_pull_oldest_due_seconds", adapter=adapter) == 0
    thin.platform(adapter).put(an_order("3"))
    await thin.pull_all()
    assert len(await thin.books(adapter)) == 5


async def test_an_order_at_which_the_platform_fails_holds_up_no_other(thin: Thin) -> None:
    for ref in ("1", "2", "3"):
        await thin.tell("tiktok", an_order(ref))
    thin.platforms.tiktok.poison = "2"
    for _ in range(12):
        await thin.pull_once()
    assert set(await thin.books("tiktok")) == {"1", "3"}
    assert await thin.waiting() == {"2": "http_500"}


async def test_a_refused_order_stops_the_others_of_its_seller_for_seconds(thin: Thin) -> None:
    tiktok = thin.platforms.tiktok
    tiktok.poison, tiktok.poison_answer = "2", JSONResponse({"code": 105005, "data": None}, 403)
    await thin.tell("tiktok", *(an_order(str(number)) for number in range(1, 9)))
    for _ in range(3):  # 8, 4 and 2 orders
        thin.ahead += timedelta(minutes=15)
        await thin.pull_once()
        (next_call_at,) = (await thin.orders.fetch("select max(next_call_at) from platform_token"))[0]
        assert next_call_at < datetime.now(UTC) + timedelta(minutes=1)


async def test_an_order_that_the_platform_refuses_does_not_keep_it_from_the_others_for_long(thin: Thin) -> None:
    tiktok = thin.platforms.tiktok
    tiktok.poison, tiktok.poison_answer = "2", JSONResponse({"code": 105005, "data": None}, 403)
    await thin.tell("tiktok", an_order("1"), an_order("2"))
    for _ in range(8):
        thin.ahead += timedelta(hours=1)
        await thin.pull_once()
    assert await thin.waiting() == {"2": "105005"}
    await thin.orders.fetch("update pull set due_at = now() where due_at is not null")
    await thin.orders.fetch("update platform_token set next_call_at = '-infinity'")
    thin.ahead = timedelta(0)
    await thin.pull_once()
    (next_call_at,) = (await thin.orders.fetch("select max(next_call_at) from platform_token"))[0]
    assert next_call_at < datetime.now(UTC) + timedelta(minutes=5)
    assert (await thin.orders.fetch("select attempts from pull where due_at is not null"))[0]["attempts"] > 4


@each_platform
async def test_a_refused_order_keeps_none_of_the_others_from_the_books(thin: Thin, adapter: str) -> None:
    platform = thin.platform(adapter)
    platform.poison, platform.poison_answer = "3", REFUSALS[adapter]
    await thin.tell(adapter, *(an_order(str(number)) for number in range(1, 9)))
    began = datetime.now(UTC)
    await thin.pull_once()
    assert set(await thin.books(adapter)) == {"1", "2", "4", "5", "6", "7", "8"}
    assert set(await thin.waiting()) == {"3"}
    (row,) = await thin.orders.fetch(
        "select t.next_call_at, t.failures, p.faults from platform_token t join pull p using (partner_id) "
        "where p.due_at is not null"
    )
    assert (row["failures"], row["faults"]) == (0, 1)
    assert row["next_call_at"] >= began + timedelta(seconds=7 * 0.02)  # as many calls as that took
