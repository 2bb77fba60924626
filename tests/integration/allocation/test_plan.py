"""What if the day closed now: exactly what then happens, and nothing changes by asking."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from services.allocation.planning import plan_command
from tests.integration.allocation.conftest import Allocation
from tests.integration.allocation.market import DAY, SU_SU, Stream
from tests.integration.allocation.test_market_day import baskets


async def open_day(allocation: Allocation, **policies: Any) -> Stream:
    s = Stream()
    await allocation.take_in(*s.registered((1, 2, 1), **policies))
    await allocation.take_in(s.published(1, {0: 6, 1: 8, 2: 3}), s.published(2, {0: 4, 2: 4}, SU_SU))
    await allocation.take_in(s.placed(11, (1, 7), (2, 3)), s.placed(12, (1, 6)))
    return s


async def planned(allocation: Allocation, s: Stream) -> Any:
    path = f"/v1/cooperatives/{s.cooperative_id}/days/{DAY}/plan"
    answer = await allocation.running.client.get(path, headers=await allocation.running.key("staff", s.cooperative_id))
    assert answer.status_code == 200
    return answer.json()


@pytest.mark.parametrize("rule", ["first_come", "fair"])
async def test_the_plan_is_what_happens_at_the_cut_off(allocation: Allocation, rule: str) -> None:
    s = await open_day(allocation, promise_rule=rule, buffer_permille=200)
    before = await allocation.state()
    plan = await planned(allocation, s)
    assert await allocation.state() == before
    assert await allocation.fetch("select from basket") == []
    await allocation.take_in(s.closed(1, closes_day=False), s.closed(2))
    codes = {"cai-meo": 1, "su-su": 2}
    happened = await baskets(allocation, s)
    assert {
        int(basket["household_code"][-2:]) - 1: {codes[x["product_code"]]: x["quantity_steps"] for x in basket["items"]}
        for basket in plan["baskets"]
        if basket["items"]
    } == happened
    assert (await planned(allocation, s))["baskets"] == []


async def test_the_plan_explains_itself_on_the_command_line(
    allocation: Allocation, capsys: pytest.CaptureFixture[str]
) -> None:
    s = await open_day(allocation)
    settings = allocation.running.runtime.settings
    words = ["--cooperative", str(s.cooperative_id), "--day", DAY.isoformat()]
    assert await asyncio.to_thread(plan_command, settings, words) == 0
    said = capsys.readouterr().out
    assert said.startswith("VH-01\n  cai-meo, ")
    assert await asyncio.to_thread(plan_command, settings, [*words, "--language", "vi"]) == 0
    assert "chia cho 3 hộ" in capsys.readouterr().out
    unknown = ["--cooperative", str(uuid4()), "--day", DAY.isoformat()]
    assert await asyncio.to_thread(plan_command, settings, unknown) == 1
    assert "there is no cooperative" in capsys.readouterr().err
