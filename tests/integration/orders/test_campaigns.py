"""Campaigns: offers pooled over two cooperatives, pushed to as one."""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx
import pytest

from infra.local.stack import Stack
from services.chassis import standard_webhooks
from services.chassis.ids import uuid7
from services.chassis.ledger import Transaction
from services.orders import pooling
from services.orders.domain.command import CommandLine, Kind, OrderCommand
from services.orders.intake import Push
from services.orders.store import books
from services.orders.store.partners import get_partner
from tests.integration.orders.conftest import (
    CAI_MEO,
    TOMORROW,
    Orders,
    Shop,
    line,
    market,
    order,
    product,
    published,
    registered,
)
from tests.support.node import until

CHIENG_MAI_CAI_MEO, CHIENG_MAI_OFFER = UUID(int=3), UUID(int=31)


def shares(van_ho: str, chieng_mai: str) -> list[dict[str, str]]:
    """What each of the two gives, in kg."""
    given = [("van-ho", "cai-meo", van_ho), ("chieng-mai", "cai", chieng_mai)]
    return [{"cooperative": slug, "product_code": code, "quantity": kg} for slug, code, kg in given]


def item(van_ho: str = "10", chieng_mai: str = "5", sku: str = "CAI-KG", factor: str = "1") -> dict[str, Any]:
    """One pooled offer of tomorrow."""
    day = TOMORROW.isoformat()
    return {"sku": sku, "factor": factor, "delivery_day": day, "shares": shares(van_ho, chieng_mai)}


@dataclass
class Campaign:
    """A campaign of the union over Vân Hồ and Chiềng Mai."""

    orders: Orders
    operator: dict[str, str]
    shop: Shop
    chieng_mai: UUID

    @property
    def url(self) -> str:
        return f"/v1/campaigns/{self.shop.partner_id}"

    async def set_items(self, *items: dict[str, Any]) -> Any:
        return await self.orders.ask("PUT", f"{self.url}/items", list(items), self.operator)

    async def push(self, *args: Any, **other: Any) -> Any:
        """One order, which must be answered 2xx."""
        answer = await self.orders.push(order(*args, **other), self.shop)
        assert answer.is_success, answer.text
        return answer.json()

    async def ordered(self) -> dict[str, str]:
        """By cooperative: how much of its share is ordered, in kg, as the union sees it."""
        (found,) = (await self.orders.ask("GET", self.url, key=self.operator))["items"]
        return {share["cooperative"]: share["ordered"] for share in found["shares"]}

    async def in_books(self) -> dict[str, int]:
        """By cooperative: steps that are ordered in the books."""
        rows = await self.orders.fetch(
            "select c.slug, sum(l.quantity_steps)::int as steps"
            " from order_line l join customer_order o using (order_id)"
            " join cooperative c using (cooperative_id) where l.state = 'ordered' group by 1"
        )
        return {row["slug"]: row["steps"] for row in rows}


def steps(kg: dict[str, str]) -> dict[str, int]:
    """Those that have any, in steps of 500 g."""
    return {slug: int(float(text) * 2) for slug, text in kg.items() if text != "0"}


def parts(answer: Any) -> list[str]:
    """How much each part is, in kg."""
    return [one["quantity"] for part in answer["parts"] for one in part["lines"] if one["state"] == "ordered"]


@pytest.fixture
async def campaign(stack: Stack) -> AsyncIterator[Campaign]:
    async with market(stack) as orders:
        chieng_mai, operator = uuid7(), await orders.running.key("operator", None)
        await orders.hear(
            registered(chieng_mai, "chieng-mai"),
            product(CHIENG_MAI_CAI_MEO, "cai", "kg", 500),
            published(CHIENG_MAI_OFFER, CHIENG_MAI_CAI_MEO, TOMORROW),
            stream=chieng_mai,
        )
        body = {"cooperative": None, "name": "Ngày đặc sản Sơn La", "adapter": "canonical", "tier": 2}
        made = await orders.ask("POST", "/v1/partners", body, operator)
        shop = Shop(UUID(made["partner_id"]), made["secret"], made["push_url"])
        found = Campaign(orders, operator, shop, chieng_mai)
        await found.set_items(item())
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


async def test_a_line_of_an_unknown_sku_waits_until_the_union_says_what_it_is(campaign: Campaign) -> None:
    contact = {"name": "Nguyễn Thị Hoa", "phone": "0912345678"}
    answer = await campaign.push("A-1", line("CAI-KG", "1"), line("CAI-TUI", "10"), contact=contact)
    assert [(one["state"], one["reason"]) for one in answer["lines"]] == [("ordered", None), ("refused", "unknown_sku")]
    lone = await campaign.push("A-2", line("CAI-TUI", "5"), contact=contact)
    assert (lone["state"], lone["parts"]) == ("not_promised", [])
    done = await campaign.set_items(item(sku="CAI-TUI", factor="0.3"))
    assert done["released_orders"] == 2
    state = await campaign.orders.ask("GET", f"{campaign.url}/orders/A-2", key=campaign.operator)
    assert parts(state) == ["1.5"]
    kept = await campaign.orders.fetch("select contact_name, contact_phone from campaign_order")
    assert {tuple(row.values()) for row in kept} == {(None, None)}
    told = await campaign.orders.fetch("select distinct contact_name from customer_order")
    assert [row["contact_name"] for row in told] == ["Nguyễn Thị Hoa"]


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


async def test_an_erased_customer_is_gone_from_the_whole_and_does_not_come_back_with_another_part(
    campaign: Campaign,
) -> None:
    contact = {"name": "Nguyễn Thị Hoa", "phone": "0912345678"}
    wanted = (line("CAI-KG", "4"), line("CAI-TUI", "10"))
    await campaign.push("A-1", *wanted, contact=contact)
    await campaign.push("A-2", line("CAI-TUI", "5"), contact=contact)  # no cooperative has a part of it yet
    digests = await campaign.orders.fetch("select partner_ref, digest from campaign_order")
    await campaign.orders.run("link_customers", datetime.now(UTC))
    (customer,) = await campaign.orders.fetch("select customer_id from customer")
    await campaign.orders.ask("DELETE", f"/v1/customers/{customer['customer_id']}?reason=customer_request")
    rows = await campaign.orders.fetch("select partner_ref, digest from campaign_order")
    assert not {row["digest"] for row in rows} & {row["digest"] for row in digests}
    repeated = await campaign.orders.push(order("A-1", *wanted, contact=contact), campaign.shop)
    assert repeated.status_code == 200
    assert (await campaign.set_items(item(sku="CAI-TUI", factor="0.3")))["released_orders"] == 2
    waited = await campaign.orders.ask("GET", f"{campaign.url}/orders/A-1", key=campaign.operator)
    assert [one["quantity"] for one in waited["lines"]] == ["4", "3"]
    await campaign.push("A-1", line("CAI-KG", "14"), line("CAI-TUI", "10"), minute=1, contact=contact)
    for table in ("campaign_order", "customer_order"):
        rows = await campaign.orders.fetch(f"select contact_name, contact_phone from {table}")  # noqa: S608
        assert {tuple(row.values()) for row in rows} == {(None, None)}, table


async def test_a_cooperative_that_erases_takes_the_customer_from_no_other(campaign: Campaign) -> None:
    contact = {"name": "Nguyễn Thị Hoa", "phone": "0912345678"}
    await campaign.push("A-1", line("CAI-KG", "14"), contact=contact)
    await campaign.orders.run("link_customers", datetime.now(UTC))
    (customer,) = await campaign.orders.fetch(
        "select customer_id from customer where cooperative_id = $1", campaign.orders.van_ho
    )
    await campaign.orders.ask("DELETE", f"/v1/customers/{customer['customer_id']}?reason=customer_request")
    await campaign.push("A-1", line("CAI-KG", "13"), minute=1, contact=contact)
    rows = await campaign.orders.fetch("select cooperative_id, contact_name from customer_order")
    named = {row["cooperative_id"]: row["contact_name"] for row in rows}
    assert named == {campaign.orders.van_ho: None, campaign.chieng_mai: "Nguyễn Thị Hoa"}


async def test_what_the_union_sets_is_set_even_where_a_cooperative_closes_meanwhile(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    await campaign.push("A-1", line("CAI-TUI", "10"))
    turns = iter([False])

    async def enter(conn: Any, cooperatives: Any) -> set[UUID]:
        return await books.enter_free_gates(conn, cooperatives) if next(turns, True) else set()

    monkeypatch.setattr(pooling, "enter_free_gates", enter)
    done = await campaign.set_items(item(sku="CAI-TUI", factor="0.3"))
    assert done["released_orders"] == 1
    found = await campaign.orders.ask("GET", campaign.url, key=campaign.operator)
    assert [one["sku"] for one in found["items"]] == ["CAI-KG", "CAI-TUI"]


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


async def test_the_platform_reads_its_orders_and_their_parts_with_the_campaigns_secret(campaign: Campaign) -> None:
    made = await campaign.push("Đơn/1", line("CAI-KG", "1"))

    async def read(path: str, secret: str) -> httpx.Response:
        signed = standard_webhooks.headers(secret, "msg_1", datetime.now(UTC), path.encode())
        return await campaign.orders.running.client.get(path, headers=signed)

    whole = await read(made["url"], campaign.shop.secret)
    assert (whole.status_code, whole.json()["partner_ref"]) == (200, "Đơn/1")
    part = await read(made["parts"][0]["url"], campaign.shop.secret)
    assert part.status_code == 200
    for path in (made["url"], made["parts"][0]["url"]):
        assert (await read(path, campaign.orders.shop.secret)).status_code == 401


async def test_cooperatives_neither_see_a_campaign_nor_change_its_skus(campaign: Campaign) -> None:
    client, staff = campaign.orders.running.client, campaign.orders.staff
    assert (await client.get(campaign.url, headers=staff)).status_code == 403
    assert (await client.put(f"{campaign.url}/items", json=[item()], headers=staff)).status_code == 403
    body = {"cooperative": None, "name": "Phiên chợ", "adapter": "canonical"}
    assert (await client.post("/v1/partners", json=body, headers=staff)).status_code == 403
    (seat,) = await campaign.orders.fetch(
        "select partner_id from partner where campaign_id is not null and cooperative_id = $1", campaign.orders.van_ho
    )
    meaning = [{"sku": "CAI-KG", "product_code": "su-su", "factor": "1"}]
    answer = await client.put(f"/v1/partners/{seat['partner_id']}/skus", json=meaning, headers=staff)
    assert answer.status_code == 409
    for path in ("secrets", "amqp-account"):
        answer = await client.post(f"/v1/partners/{seat['partner_id']}/{path}", headers=staff)
        assert answer.status_code == 409, path
    at_the_seat = Shop(seat["partner_id"], campaign.shop.secret, f"/v1/partners/{seat['partner_id']}/orders")
    assert (await campaign.orders.push(order("A-1", line("CAI-KG")), at_the_seat)).status_code == 401


async def test_nobody_pushes_to_a_seat_even_with_its_secret(campaign: Campaign) -> None:
    (seat,) = await campaign.orders.fetch(
        "select partner_id, secret from partner where campaign_id is not null and cooperative_id = $1",
        campaign.orders.van_ho,
    )
    shop = Shop(seat["partner_id"], seat["secret"], f"/v1/partners/{seat['partner_id']}/orders")
    assert (await campaign.orders.push(order("A-1", line("CAI-KG")), shop)).status_code == 401


async def test_a_sku_means_the_same_for_every_cooperative_on_every_day(campaign: Campaign) -> None:
    later = item(factor="0.5") | {"delivery_day": "2026-11-25", "shares": shares("10", "5")[:1]}
    path = f"{campaign.url}/items"
    answer = await campaign.orders.running.client.put(path, json=[later], headers=campaign.operator)
    assert [error["field"] for error in answer.json()["errors"]] == ["[0].factor"]
    both = later | {"shares": shares("10", "5")}
    await campaign.set_items(both)
    assert parts(await campaign.push("A-1", line("CAI-KG", "4"), delivery_day=TOMORROW.isoformat())) == ["2"]


async def test_a_cooperative_that_is_named_no_more_gets_nothing_more(campaign: Campaign) -> None:
    await campaign.push("A-1", line("CAI-KG", "2"))
    await campaign.set_items(item() | {"shares": shares("10", "5")[1:]})
    answer = await campaign.push("A-2", line("CAI-KG", "20"))
    assert [part["cooperative_id"] for part in answer["parts"]] == [str(campaign.chieng_mai)]
    assert await campaign.ordered() == {"van-ho": "2", "chieng-mai": "20"}


async def test_the_union_sees_the_seats_and_what_waits_for_a_meaning(campaign: Campaign) -> None:
    found = await campaign.orders.ask("GET", campaign.url, key=campaign.operator)
    assert [seat["cooperative"] for seat in found["seats"]] == ["chieng-mai", "van-ho"]
    await campaign.push("A-1", line("GAO-5KG", "3"), delivery_day=TOMORROW.isoformat())
    waiting = await campaign.orders.ask("GET", f"{campaign.url}/review", key=campaign.operator)
    expected = {"partner_ref": "A-1", "line_no": 1, "sku": "GAO-5KG", "sold_quantity": "3"}
    assert waiting["lines"] == [expected | {"delivery_day": TOMORROW.isoformat()}]


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


@pytest.mark.parametrize(
    ("items", "faulty"),
    [
        ([item(), item()], "[1]"),
        ([item(), item(factor="2") | {"delivery_day": "2026-11-25"}], "[1].factor"),
        ([item(van_ho="0.3")], "[0].shares[0].quantity"),
        ([item(factor="0")], "[0].factor"),
        ([item() | {"shares": shares("1", "1") * 2}], "[0].shares[2].cooperative"),
        ([item() | {"shares": [shares("1", "1")[0] | {"product_code": "gao"}]}], "[0].shares[0].product_code"),
        (
            [item() | {"shares": [*shares("1", "1")[1:], shares("1", "1")[0] | {"product_code": "su-su"}]}],
            "[0].shares[1].product_code",
        ),
    ],
)
async def test_faulty_shares_are_refused_and_change_nothing(
    campaign: Campaign, items: list[dict[str, Any]], faulty: str
) -> None:
    before = await campaign.orders.ask("GET", campaign.url, key=campaign.operator)
    answer = await campaign.orders.running.client.put(f"{campaign.url}/items", json=items, headers=campaign.operator)
    assert answer.status_code == 422, answer.text
    assert faulty in [error["field"] for error in answer.json()["errors"]]
    assert await campaign.orders.ask("GET", campaign.url, key=campaign.operator) == before
