"""Partners from the command line: registered, given a new secret, and tried the whole way."""

import asyncio
import json
from datetime import UTC, datetime
from uuid import UUID

import asyncpg
import httpx
import pytest
from pydantic import SecretStr

from infra.local.stack import Stack
from services.chassis.ids import uuid7
from services.orders import partner_command, samples
from services.orders.adapters.base import Credentials
from services.orders.partner_command import Refused
from services.orders.samples import EVENTS, SAMPLES, SampleOrder
from services.orders.settings import OrdersSettings
from services.orders.store.partners import get_partner
from services.orders.trial import Failed, Trial
from tests.integration.orders.conftest import Orders, Shop, line, order
from tests.integration.orders.thin import Thin, thin_market
from tests.support.platforms import PLATFORMS, THIN
from tests.support.platforms.base import SECRET, URL


async def said(
    orders: Orders, shop: Shop, number: int, *, promised: bool = True, wait_s: float = 30, event: str | None = None
) -> list[str]:
    """The steps of a trial, while allocation promises."""
    steps: list[str] = []
    found = await get_partner(orders.running.runtime.pool, shop.partner_id)
    assert found is not None
    trial = Trial(
        orders.running.runtime.pool,
        orders.running.client,
        found,
        lambda step, what: steps.append(f"{step} {what}"),
        event=event,
    )
    running = asyncio.create_task(trial.run(number, None, wait_s))
    try:
        if promised:
            await orders.promise_when_placed(ref_of(found.adapter, number))
        await running
    finally:
        running.cancel()
        assert shop.secret not in "".join(steps)
    return steps


def ref_of(adapter: str, number: int) -> str:
    """What the trial's order is called on the platform."""
    told = samples.Shop(Credentials((SECRET,), PLATFORMS[adapter].credentials.settings), URL, datetime.now(UTC))
    return SAMPLES[adapter](told, SampleOrder(number, "A", 1)).ref


async def registered(orders: Orders, adapter: str) -> Shop:
    """A partner with a secret of its own, and two SKUs that are mapped."""
    shop = await orders.register(adapter, settings=dict(PLATFORMS[adapter].credentials.settings))
    skus = [{"sku": "CẢI-300G", "product_code": "cai-meo", "factor": "0.3"}]
    await orders.ask("PUT", f"/v1/partners/{shop.partner_id}/skus", skus)
    return shop


STEPS = [
    "partner",
    "signed",
    "pushed",
    "order",
    "stored",
    "announced",
    "promised",
    "promised",
    "cancelled",
    "cancelled",
]


@pytest.mark.parametrize("adapter", sorted(set(SAMPLES) - set(THIN)))
async def test_a_trial_tells_each_step_and_leaves_nothing_ordered(orders: Orders, adapter: str) -> None:
    shop = await registered(orders, adapter)
    steps = await said(orders, shop, 1_764_000_000_000)
    assert [step.split()[0] for step in steps] == STEPS
    assert steps[0] == f"partner Sạp rau online ({adapter}) of van-ho"
    assert "5 of CẢI-300G" in steps[3]
    assert "1.5 kg for 2026-11-24" in steps[4]
    assert steps[7].endswith("1.5 kg promised, 0 short")
    assert ("nothing is left in it" in steps[-1]) == (adapter == "meta")
    rows = await orders.fetch("select distinct state from order_line")
    assert [row["state"] for row in rows] == ["cancelled"]
    assert await orders.names() == ["order_placed", "order_changed" if adapter == "meta" else "order_cancelled"]


@pytest.mark.parametrize("event", sorted(EVENTS))
async def test_the_own_format_is_tried_as_cloudevents_too(orders: Orders, event: str) -> None:
    shop = await registered(orders, "canonical")
    steps = await said(orders, shop, 1_764_000_000_000, event=event)
    assert [step.split()[0] for step in steps] == STEPS
    assert ("ce-id" in steps[1]) == (event == "binary")


async def tried(thin: Thin, adapter: str) -> list[str]:
    """The steps of a trial at a platform that pushes no lines, while a worker pulls."""
    runtime, steps = thin.orders.running.runtime, list[str]()
    found = await get_partner(runtime.pool, thin.shops[adapter].partner_id)
    assert found is not None
    trial = Trial(
        runtime.pool,
        thin.orders.running.client,
        found,
        lambda step, what: steps.append(f"{step} {what}"),
        public_url="http://orders",
    )
    running = asyncio.create_task(trial.run(1_764_000_000_000, None, 30))
    try:
        while not running.done() and not await thin.pull_once():
            await asyncio.wait([running], timeout=0.05)
        await running
    finally:
        running.cancel()
        assert thin.shops[adapter].secret not in "".join(steps)
        assert await thin.orders.fetch("select from pull") == []
    return steps


@pytest.mark.parametrize("adapter", THIN)
async def test_where_pushes_have_no_lines_the_platform_is_asked_and_nothing_stays(stack: Stack, adapter: str) -> None:
    async with thin_market(stack) as thin:
        steps = await tried(thin, adapter)
        assert [step.split()[0] for step in steps] == ["partner", "signed", "pushed", "stored", "pull", "forgotten"]
        assert "so it can be asked" in steps[4]
        assert thin.platform(adapter).refused == []
        assert await thin.orders.names() == []


async def test_a_trial_says_that_a_platform_cannot_be_asked(stack: Stack) -> None:
    async with thin_market(stack, authorised=False) as thin:
        steps = await tried(thin, "tiktok")
        assert "no API credentials are set" in steps[4]
        await thin.authorise("tiktok", app_secret="another-than-the-apps")
        with pytest.raises(Failed, match="gave no order: 106001"):
            await tried(thin, "tiktok")


async def test_a_partner_whose_skus_nobody_mapped_is_tried_too(orders: Orders) -> None:
    shop = await orders.register()
    steps = await said(orders, shop, 7)
    assert any(step.startswith("sku nothing that is mapped") for step in steps)
    assert any("refused, unknown_sku" in step for step in steps)
    assert steps[-1] == "cancelled TEST-7 is cancelled"


async def test_a_trial_without_a_promise_says_where_to_look_and_cancels(orders: Orders) -> None:
    with pytest.raises(Failed, match="look at the relay of orders"):
        await said(orders, orders.shop, 8, promised=False, wait_s=0)
    assert await orders.names() == ["order_placed", "order_cancelled"]


@pytest.mark.parametrize("failure", [TimeoutError(), asyncpg.InterfaceError("closed"), asyncio.CancelledError()])
async def test_a_trial_that_is_broken_off_cancels(orders: Orders, failure: BaseException) -> None:
    """A lost database, or Ctrl-C, which cancels the task."""
    steps: list[str] = []

    def say(step: str, _: str) -> None:
        steps.append(step)
        if step == "stored":
            raise failure

    found = await get_partner(orders.running.runtime.pool, orders.shop.partner_id)
    assert found is not None
    trial = Trial(orders.running.runtime.pool, orders.running.client, found, say)
    with pytest.raises(type(failure)):
        await trial.run(10, "SU-SU", 30)
    assert steps[-2:] == ["cancelled", "cancelled"]
    assert await orders.names() == ["order_placed", "order_cancelled"]


async def test_what_could_not_be_cancelled_is_named(orders: Orders) -> None:
    """The service goes away when the order is in."""
    client, pushes = orders.running.client, 0

    async def first_only(request: httpx.Request) -> httpx.Response:
        nonlocal pushes
        pushes += 1
        if pushes > 1:
            raise httpx.ConnectError("gone")
        return await client.post(request.url.path, content=request.content, headers=dict(request.headers))

    found = await get_partner(orders.running.runtime.pool, orders.shop.partner_id)
    assert found is not None
    steps: list[str] = []
    async with httpx.AsyncClient(base_url="http://127.0.0.1:1", transport=httpx.MockTransport(first_only)) as flaky:
        trial = Trial(orders.running.runtime.pool, flaky, found, lambda step, what: steps.append(f"{step} {what}"))
        with pytest.raises(Failed, match="no promise within"):
            await trial.run(11, "SU-SU", 0)
    assert steps[-1] == "left TEST-11 may be ordered still: look, and cancel it by hand"
    assert await orders.names() == ["order_placed"]


async def test_a_service_that_does_not_answer_is_told(orders: Orders) -> None:
    def refuse(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    pool = orders.running.runtime.pool
    async with httpx.AsyncClient(base_url="http://127.0.0.1:1", transport=httpx.MockTransport(refuse)) as nobody:
        trial = await partner_command.trial_of(pool, nobody, orders.shop.partner_id)
        with pytest.raises(Failed, match=r"does not answer \(ConnectError\)"):
            await trial.run(1, None, 1)
    assert await orders.names() == []


async def test_a_partner_is_added_and_its_secret_renewed(orders: Orders, capsys: pytest.CaptureFixture[str]) -> None:
    pool = orders.running.runtime.pool
    made = await partner_command.add(pool, "van-ho", "Siêu thị", "canonical", 2)
    printed = dict(row.split(maxsplit=1) for row in capsys.readouterr().out.splitlines())
    shop = Shop(made.partner_id, printed["secret"], printed["push"])
    assert (await orders.push(order("A-1", line("LẠ")), shop)).status_code == 202
    await partner_command.rotate(pool, made.partner_id, end_previous=False)
    newer = Shop(made.partner_id, capsys.readouterr().out.split()[1], shop.path)
    for one in (shop, newer):
        assert (await orders.push(order("A-2", line("LẠ")), one)).is_success
    await partner_command.rotate(pool, made.partner_id, end_previous=True)
    assert (await orders.push(order("A-3", line("LẠ")), shop)).status_code == 401
    assert (await orders.push(order("A-3", line("LẠ")), newer)).status_code == 202
    (row,) = await orders.fetch("select tier from partner where partner_id = $1", made.partner_id)
    assert row["tier"] == 2


async def test_what_a_partner_has_registered_is_changed_from_the_command_line(
    orders: Orders, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = orders.running.runtime.settings

    async def typed(*words: object) -> tuple[int, str]:
        done = await asyncio.to_thread(partner_command.partner_command, settings, [str(word) for word in words])
        printed = capsys.readouterr()
        return done, printed.out + printed.err

    add = ("add", "--cooperative", "van-ho", "--name", "Tiệm", "--adapter")
    assert await typed(*add, "tiktok", "app_key=29a3") == (1, "orders: settings.shop_cipher is missing\n")
    done, told = await typed(*add, "woocommerce")
    partner_id = told.split()[1]
    assert done == 0
    assert await typed("set", partner_id, "shop_url=https://rau.vn") == (0, f"{'set':10} shop_url\n")
    done, told = await typed("set", partner_id, "shop_url=rau.vn")
    assert (done, "must be an https URL" in told) == (1, True)
    assert (await typed("set", partner_id, "shop=x"))[0] == 1
    assert (await typed("set", uuid7(), "shop_url="))[0] == 1
    ((kept,),) = await orders.fetch("select settings from partner where partner_id = $1", UUID(partner_id))
    assert json.loads(kept) == {"shop_url": "https://rau.vn"}
    assert await typed("set", partner_id, "shop_url=") == (0, "taken away shop_url\n")
    with pytest.raises(SystemExit):
        await typed("set", partner_id, "shop_url")


async def test_what_the_command_line_cannot_do_it_says(orders: Orders) -> None:
    pool = orders.running.runtime.pool
    with pytest.raises(Refused, match="there is no cooperative moc-chau"):
        await partner_command.add(pool, "moc-chau", "Siêu thị", "canonical", 5)
    with pytest.raises(Refused, match="--name"):
        await partner_command.add(pool, "van-ho", "a\nb", "canonical", 5)
    with pytest.raises(Refused, match="there is no partner"):
        await partner_command.rotate(pool, UUID(int=1), end_previous=False)


async def test_the_command_runs_as_typed(orders: Orders, capsys: pytest.CaptureFixture[str]) -> None:
    settings = OrdersSettings(
        database_url=orders.running.runtime.settings.database_url, amqp_url=SecretStr("amqp://unused")
    )
    typed = ["add", "--cooperative", "van-ho", "--name", "Siêu thị", "--adapter", "woocommerce"]
    assert await asyncio.to_thread(partner_command.partner_command, settings, typed) == 0
    assert "whsec_" in capsys.readouterr().out
    assert await asyncio.to_thread(partner_command.partner_command, settings, ["rotate", str(uuid7())]) == 1
    assert "there is no partner" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        partner_command.partner_command(settings, ["add", "--adapter", "carrier-pigeon"])


async def test_the_trial_orders_what_is_asked_for(orders: Orders) -> None:
    found = await get_partner(orders.running.runtime.pool, orders.shop.partner_id)
    assert found is not None
    steps: list[str] = []
    trial = Trial(orders.running.runtime.pool, orders.running.client, found, lambda step, what: steps.append(what))
    running = asyncio.create_task(trial.run(9, "SU-SU", 30))
    await orders.promise_when_placed("TEST-9")
    await running
    assert "TEST-9: 1 of SU-SU" in steps
