"""Pushes to a campaign: shared among its cooperatives, answered as one, and counted right whatever comes at once."""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from infra.local.stack import Stack
from services.chassis.ledger import Transaction
from services.orders import pooling
from services.orders.domain.command import CommandLine, Kind, OrderCommand
from services.orders.intake import Push
from services.orders.store import books
from services.orders.store.partners import get_partner
from tests.integration.orders.campaigns import CHIENG_MAI_OFFER, Campaign, campaign_market, parts, steps
from tests.integration.orders.conftest import CAI_MEO, TOMORROW, line, order, published
from tests.support.node import until


@pytest.fixture
async def campaign(stack: Stack) -> AsyncIterator[Campaign]:
    async with campaign_market(stack) as found:
        yield found


async def test_orders_go_in_turn_to_the_cooperative_that_is_least_far(campaign: Campaign) -> None:
    first = await campaign.push("A-1", line("CAI-KG", "4"))
    assert [part["cooperative_id"] for part in first["parts"]] == [str(campaign.orders.van_ho)]
    second = await campaign.push("A-2", line("CAI-KG", "2"))
    assert [part["cooperative_id"] for part in second["parts"]] == [str(campaign.chieng_mai)]
    assert await campaign.ordered() == {"van-ho": "4", "chieng-mai": "2"}
    ((name, event),) = await campaign.orders.events(campaign.chieng_mai)
    assert (name, event["partner_ref"], event["tier"]) == ("order_placed", "A-2", 2)
    assert [(one["offer_id"], one["quantity_steps"]) for one in event["lines"]] == [(str(CHIENG_MAI_OFFER), 4)]


async def test_an_order_beyond_one_share_is_split_and_its_answer_adds_up(campaign: Campaign) -> None:
    answer = await campaign.push("A-1", line("CAI-KG", "14"))
    assert parts(answer) == ["10", "4"]
    assert [(one["quantity"], one["promise"], one["offer_id"]) for one in answer["lines"]] == [("14", None, None)]
    assert answer["state"] == "placed"
    first, second = (part["order_id"] for part in answer["parts"])
    await campaign.orders.promise(first)
    assert (await campaign.push("A-1", line("CAI-KG", "14")))["state"] == "placed"
    await campaign.orders.promise(second, campaign.chieng_mai, line_1=6)
    again = await campaign.push("A-1", line("CAI-KG", "14"))
    assert again["lines"][0]["promise"] == {"promised": "13", "short": "1", "reason": "sold_out"}
    assert again["state"] == "part_promised"
    assert await campaign.ordered() == {"van-ho": "10", "chieng-mai": "4"}


async def test_a_push_that_waits_is_answered_when_every_part_is_promised(campaign: Campaign) -> None:
    body = order("A-1", line("CAI-KG", "14"))
    pushing = asyncio.create_task(campaign.orders.push(body, campaign.shop, prefer="wait=30"))
    found: Sequence[Any] = ()

    async def is_here() -> bool:
        nonlocal found
        found = await campaign.orders.fetch("select order_id, cooperative_id from customer_order")
        return len(found) == 2

    await until(is_here)
    for row in found:
        await campaign.orders.promise(row["order_id"], row["cooperative_id"])
    answer = await pushing
    assert (answer.status_code, answer.headers["preference-applied"]) == (200, "wait")
    assert answer.json()["state"] == "promised"


async def test_a_repeated_or_older_push_changes_nothing(campaign: Campaign) -> None:
    newest = order("A-1", line("CAI-KG", "3"), minute=5)
    assert (await campaign.orders.push(newest, campaign.shop)).status_code == 202
    before = await campaign.orders.events()
    assert (await campaign.orders.push(newest, campaign.shop)).status_code == 200
    older = await campaign.orders.push(order("A-1", line("CAI-KG", "9"), minute=1), campaign.shop)
    assert (older.status_code, parts(older.json())) == (200, ["3"])
    assert await campaign.orders.events() == before
    assert await campaign.ordered() == {"van-ho": "3", "chieng-mai": "0"}


async def test_only_the_difference_of_a_change_moves_and_a_cancellation_frees_all(campaign: Campaign) -> None:
    await campaign.push("A-1", line("CAI-KG", "12"))
    assert await campaign.ordered() == {"van-ho": "10", "chieng-mai": "2"}
    await campaign.push("A-1", line("CAI-KG", "14"), minute=1)
    assert await campaign.ordered() == {"van-ho": "10", "chieng-mai": "4"}
    await campaign.push("A-1", line("CAI-KG", "5"), minute=2)
    assert sum(map(int, (await campaign.ordered()).values())) == 5
    cancelled = await campaign.push("A-1", minute=3, status="cancelled")
    assert cancelled["state"] == "cancelled"
    assert await campaign.ordered() == {"van-ho": "0", "chieng-mai": "0"}
    names = [name for name, _ in await campaign.orders.events(campaign.chieng_mai)]
    assert names[-1] == "order_cancelled"


async def test_pushes_in_any_order_end_in_the_same_quantities(campaign: Campaign) -> None:
    history = [
        order("A", line("CAI-KG", "3"), minute=0),
        order("A", line("CAI-KG", "13"), minute=1),
        order("A", line("CAI-KG", "6"), minute=2),
        order("A", minute=3, status="cancelled"),
    ]
    for number, (newest, kg) in enumerate([(3, 6), (4, 0)]):
        for turn, some in enumerate(itertools.permutations(history[:newest])):
            ref = f"A-{number}-{turn}"
            for one in some:
                assert (await campaign.orders.push(one | {"ref": ref}, campaign.shop)).is_success
            state = await campaign.orders.ask("GET", f"{campaign.url}/orders/{ref}", key=campaign.operator)
            assert sum(map(float, parts(state))) == kg, [one["updated_at"] for one in some]
    assert steps(await campaign.ordered()) == await campaign.in_books()


async def test_an_offer_that_has_closed_keeps_its_part_and_the_other_takes_what_is_more(campaign: Campaign) -> None:
    await campaign.push("A-1", line("CAI-KG", "2"))
    await campaign.orders.hear(
        published(campaign.orders.cai_meo_tomorrow, CAI_MEO, TOMORROW, datetime.now(UTC) - timedelta(minutes=1))
    )
    more = await campaign.push("A-1", line("CAI-KG", "5"), minute=1)
    assert sorted(parts(more)) == ["2", "3"]
    cancelled = await campaign.push("A-1", minute=2, status="cancelled")
    assert [one["reason"] for part in cancelled["parts"] for one in part["lines"] if one["state"] == "ordered"] == [
        "too_late"
    ]
    assert await campaign.ordered() == {"van-ho": "2", "chieng-mai": "0"}
    assert steps(await campaign.ordered()) == await campaign.in_books()


async def test_a_cooperative_that_closes_holds_up_the_campaign_and_nobody_else(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[bool] = []

    async def enter(conn: Any, cooperatives: Any) -> set[UUID]:
        entered = await books.enter_free_gates(conn, cooperatives)
        tried.append(entered == cooperatives)
        return entered

    async def has_tried() -> bool:
        return bool(tried)

    monkeypatch.setattr(pooling, "enter_free_gates", enter)
    pool = campaign.orders.running.runtime.pool
    async with pool.acquire() as conn, conn.transaction():
        await books.hold_gates(conn, [campaign.chieng_mai])
        pushing = asyncio.create_task(campaign.orders.push(order("A-1", line("CAI-KG", "1")), campaign.shop))
        await until(has_tried)
        assert (await campaign.orders.push(order("B-1", line("CAI-KG", "1")))).status_code == 202
        past = datetime.now(UTC) - timedelta(minutes=1)
        await campaign.orders.hear(published(campaign.orders.cai_meo_tomorrow, CAI_MEO, TOMORROW, past))
        await campaign.orders.close(datetime.now(UTC))  # needs the gate of Vân Hồ for itself
        assert not pushing.done()
    answer = await pushing
    assert tried[0] is False
    assert tried[-1] is True
    assert [one["reason"] for one in answer.json()["lines"]] == [None]
    assert [part["cooperative_id"] for part in answer.json()["parts"]] == [str(campaign.chieng_mai)]


async def test_many_pushes_at_once_never_lose_count(campaign: Campaign) -> None:
    def push(number: int) -> Any:
        return campaign.orders.push(order(f"A-{number % 15}", line("CAI-KG", "1"), minute=number // 15), campaign.shop)

    answers = await asyncio.gather(*map(push, range(45)))
    assert Counter(answer.status_code for answer in answers).keys() <= {200, 202}
    assert steps(await campaign.ordered()) == await campaign.in_books() == {"van-ho": 20, "chieng-mai": 10}


async def test_a_batch_is_answered_for_each_of_its_orders(campaign: Campaign) -> None:
    campaign.orders.shop = campaign.shop
    answer = await campaign.orders.push_batch(
        order("A-1", line("CAI-KG", "1")), order("A-1", line("CAI-KG", "2"), minute=1), order("A-2")
    )
    told = answer.json()["answers"]
    assert [one["status"] for one in told] == [202, 202, 422]
    assert parts(told[1]["order"]) == ["2"]


async def test_the_tier_of_a_campaign_is_that_of_its_parts(campaign: Campaign) -> None:
    path = f"/v1/partners/{campaign.shop.partner_id}/tier"
    await campaign.orders.ask("PUT", path, {"tier": 1}, campaign.operator)
    await campaign.push("A-1", line("CAI-KG", "2"))
    assert [event["tier"] for _, event in await campaign.orders.events()] == [1]


async def test_a_batch_to_a_campaign_costs_as_many_statements_as_one_push(campaign: Campaign) -> None:
    runtime = campaign.orders.running.runtime
    now = datetime.now(UTC)

    async def statements(refs: list[str], minute: int, kg: int) -> int:
        seen: list[str] = []
        wanted = (CommandLine(1, "CAI-KG", Decimal(kg)),)
        at = now + timedelta(minutes=minute)

        async def work(tx: Transaction) -> None:
            partner = await get_partner(tx.conn, campaign.shop.partner_id)
            assert partner
            commands = [OrderCommand.make(ref, at, 0, Kind.UPSERT, TOMORROW, wanted) for ref in refs]
            with tx.conn.query_logger(lambda record: seen.append(record.query)):
                await pooling.take_pooled(tx, partner, [Push(partner, one, now) for one in commands], now)

        await runtime.ledger.transact(work)
        return len(seen)

    for minute in (0, 1):  # on its first use of a type, a connection asks the database about it
        await statements(["A-0"], minute, 1 + minute)
    many = [f"B-{number}" for number in range(100)]
    assert await statements(["A-1"], 0, 1) == await statements(many, 0, 1) <= 12
    assert await statements(["A-1"], 1, 2) == await statements(many, 1, 2) <= 14
