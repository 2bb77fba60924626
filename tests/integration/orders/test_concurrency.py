"""What happens at the same time: the same push twice, pushes during the cut-off, promises in another process."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from services.chassis.ledger import Transaction
from services.orders.app import service
from services.orders.closing import close_due
from services.orders.desk import MOST_OF_ONE, Desk
from services.orders.domain.command import CommandLine, Kind, OrderCommand
from services.orders.domain.intake import Outcome
from services.orders.intake import Answer, Push, take_orders
from services.orders.store.books import enter_gates, hold_gates
from services.orders.store.orders import lock_orders
from services.orders.store.partners import Partner, get_partner
from tests.integration.orders.conftest import TOMORROW, Orders, line, order
from tests.support.node import until
from tests.support.service import running


def command(ref: str, *quantities: int, minute: int = 0) -> OrderCommand:
    moment = datetime(2026, 11, 23, 6, minute, tzinfo=UTC)
    lines = tuple(CommandLine(number, "SU-SU", Decimal(q)) for number, q in enumerate(quantities, 1))
    return OrderCommand.make(ref, moment, 0, Kind.UPSERT, TOMORROW, lines)


async def partner_of(orders: Orders) -> Partner:
    partner = await get_partner(orders.running.runtime.pool, orders.shop.partner_id)
    assert partner is not None
    return partner


async def take(tx: Transaction, partner: Partner, commands: list[OrderCommand]) -> list[Answer]:
    await enter_gates(tx.conn, [partner.cooperative_id])
    now = datetime.now(UTC)
    return await take_orders(tx, [Push(partner, command, now) for command in commands], now)


async def somebody_waits_for_a_lock(orders: Orders) -> bool:
    rows = await orders.fetch(
        "select from pg_locks where not granted and (database is null or database = "
        "(select oid from pg_database where datname = current_database()))"
    )
    return bool(rows)


async def test_the_same_push_on_two_connections_makes_one_order(orders: Orders) -> None:
    partner, ledger = await partner_of(orders), orders.running.runtime.ledger
    taken, may_commit = asyncio.Event(), asyncio.Event()

    async def slow(tx: Transaction) -> Outcome:
        (answer,) = await take(tx, partner, [command("A-1", 2)])
        taken.set()
        await may_commit.wait()
        return answer.outcome

    async def quick(tx: Transaction) -> list[Outcome]:
        pushes = [command("A-0", 1), command("A-1", 2), command("A-1", 3, minute=1)]
        return [answer.outcome for answer in await take(tx, partner, pushes)]

    first = asyncio.create_task(ledger.transact(slow))
    await taken.wait()
    second = asyncio.create_task(ledger.transact(quick))
    await until(lambda: somebody_waits_for_a_lock(orders))
    may_commit.set()
    assert await first == "placed"
    assert await second == ["placed", "repeated", "changed"]
    placed = [event["partner_ref"] for name, event in await orders.events() if name == "order_placed"]
    assert sorted(placed) == ["A-0", "A-1"]


async def test_the_same_push_many_times_at_once_makes_one_order(orders: Orders) -> None:
    answers = await asyncio.gather(*(orders.push(order("A-1", line("SU-SU", 2))) for _ in range(20)))
    assert sorted(answer.status_code for answer in answers) == [200] * 19 + [202]
    assert len({answer.json()["order_id"] for answer in answers}) == 1
    assert await orders.names() == ["order_placed"]


async def test_interleaved_updates_at_once_end_with_the_newest(orders: Orders) -> None:
    await asyncio.gather(*(orders.push(order("A-1", line("SU-SU", m + 1), minute=m)) for m in range(20)))
    events = await orders.events()
    assert [name for name, _ in events] == ["order_placed"] + ["order_changed"] * (len(events) - 1)
    assert events[-1][1]["lines"][0]["quantity_steps"] == 20


async def test_no_order_stands_behind_the_cut_off(orders: Orders) -> None:
    answers = []

    async def customer(number: int) -> None:
        for turn in range(6):
            day = TOMORROW.isoformat()
            answers.append(await orders.push(order(f"A-{number}-{turn}", line("SU-SU"), delivery_day=day)))

    async def closer() -> None:
        async def some_are_in() -> bool:
            return len(answers) >= 10

        await until(some_are_in)
        await orders.close(datetime.now(UTC) + timedelta(days=1))

    await asyncio.gather(closer(), *(customer(number) for number in range(12)))
    events = await orders.events()
    closed_at = next(
        i for i, (_, e) in enumerate(events) if e.get("offer_id") == str(orders.su_su_tomorrow) and "closes_day" in e
    )
    for place, (_, event) in enumerate(events):
        for ordered in event.get("lines", ()):
            assert place < closed_at or ordered["offer_id"] != str(orders.su_su_tomorrow)
    reasons = [answer.json()["lines"][0]["reason"] for answer in answers]
    assert set(reasons) == {None, "intake_closed"}
    assert reasons.count(None) == sum(len(e["lines"]) for name, e in events if name == "order_placed")


async def test_the_cut_off_waits_for_an_order_that_is_being_taken(orders: Orders) -> None:
    partner, ledger = await partner_of(orders), orders.running.runtime.ledger
    taken, may_commit = asyncio.Event(), asyncio.Event()

    async def slow(tx: Transaction) -> None:
        await take(tx, partner, [command("A-1", 2)])
        taken.set()
        await may_commit.wait()

    taking = asyncio.create_task(ledger.transact(slow))
    await taken.wait()
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    closing = asyncio.create_task(ledger.transact(lambda tx: close_due(tx, tomorrow)))
    await until(lambda: somebody_waits_for_a_lock(orders))
    assert await orders.names() == []
    may_commit.set()
    await asyncio.gather(taking, closing)
    assert await orders.names() == ["order_placed"] + ["intake_closed"] * 3


async def test_a_batch_costs_as_many_statements_as_one_push(orders: Orders) -> None:
    partner = await partner_of(orders)

    async def statements(commands: list[OrderCommand]) -> int:
        seen: list[str] = []

        async def work(tx: Transaction) -> None:
            with tx.conn.query_logger(lambda record: seen.append(record.query)):
                await take(tx, partner, commands)

        await orders.running.runtime.ledger.transact(work)
        return len(seen)

    for minute in (0, 1):  # on its first use of a type, a connection asks the database about it
        await statements([command("A-0", 1, minute=minute)])
    few = await statements([command("A-1", 1)])
    many = await statements([command(f"B-{number}", 1, 2, 3) for number in range(200)])
    assert few == many <= 6
    few_again = await statements([command("A-1", 2, minute=1)])
    many_again = await statements([command(f"B-{number}", 2, 3, minute=1) for number in range(200)])
    assert few_again == many_again <= 8


async def test_a_gate_that_is_held_holds_up_no_other_cooperative(orders: Orders) -> None:
    other = await orders.register_elsewhere()
    held, may_end = asyncio.Event(), asyncio.Event()

    async def hold(tx: Transaction) -> None:
        await hold_gates(tx.conn, [orders.van_ho])
        held.set()
        await may_end.wait()

    holding = asyncio.create_task(orders.running.runtime.ledger.transact(hold))
    await held.wait()
    many = 3 * orders.running.runtime.settings.database_connections
    waiting = [asyncio.create_task(orders.push(order(f"A-{number}", line("SU-SU")))) for number in range(many)]
    await until(lambda: somebody_waits_for_a_lock(orders))
    batch = [order(f"C-{number}", line("SU-SU")) for number in range(100)] + [order("C-100")]
    waiting.append(asyncio.create_task(orders.push_batch(*batch)))
    answer = await orders.push(order("B-1", line("???")), other)
    assert answer.status_code == 202
    assert not any(task.done() for task in waiting)
    may_end.set()
    await holding
    answers = await asyncio.gather(*waiting)
    assert {answer.status_code for answer in answers} == {202}
    assert [it["status"] for it in answers[-1].json()["answers"]] == [202] * 100 + [422]


async def test_a_partner_of_whom_too_much_waits_is_asked_to_come_again(orders: Orders) -> None:
    other = await orders.register_elsewhere()
    held, may_end = asyncio.Event(), asyncio.Event()

    async def hold(tx: Transaction) -> None:
        await hold_gates(tx.conn, [orders.van_ho])
        held.set()
        await may_end.wait()

    holding = asyncio.create_task(orders.running.runtime.ledger.transact(hold))
    await held.wait()
    lines_of_one = [line("SU-SU") for _ in range(200)]
    much = [order(f"A-{number}", *lines_of_one) for number in range(MOST_OF_ONE // 200 + 3)]
    waiting = asyncio.create_task(orders.push_batch(*much))
    await until(lambda: somebody_waits_for_a_lock(orders))
    refused = await orders.push(order("B-1", line("SU-SU")))
    assert (refused.status_code, refused.json()["type"].rpartition(":")[2]) == (503, "overloaded")
    assert int(refused.headers["retry-after"]) > 0
    assert (await orders.push(order("C-1", line("???")), other)).status_code == 202
    may_end.set()
    await holding
    answers = (await waiting).json()["answers"]
    assert [it["status"] for it in answers] == [202] * len(much)
    assert (await orders.push(order("B-1", line("SU-SU")))).status_code == 202


async def test_a_partner_who_changes_all_the_time_is_asked_to_send_again(
    orders: Orders, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk, partner_id = orders.running.parts.state["desk"], orders.shop.partner_id
    assert isinstance(desk, Desk)
    remembered = desk.partner

    async def out_of_date(_: UUID, *, anew: bool) -> Partner | None:
        """Its secrets as they were read a moment before they were changed once more."""
        found = await remembered(partner_id, anew=anew)
        await orders.ask("POST", f"/v1/partners/{partner_id}/secrets")
        return found

    monkeypatch.setattr(desk, "partner", out_of_date)
    answer = await orders.push(order("A-1", line("SU-SU")))
    assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (409, "conflict")
    monkeypatch.undo()
    assert await orders.names() == []


async def test_an_order_that_is_held_holds_up_only_its_own_push(orders: Orders) -> None:
    other = await orders.register_elsewhere()
    told = (await orders.push(order("A-1", line("SU-SU")))).json()
    held, may_end = asyncio.Event(), asyncio.Event()

    async def hold(tx: Transaction) -> None:
        await lock_orders(tx.conn, [UUID(told["order_id"])])
        held.set()
        await may_end.wait()

    holding = asyncio.create_task(orders.running.runtime.ledger.transact(hold))
    await held.wait()
    waiting = asyncio.create_task(orders.push(order("A-1", line("SU-SU", 2), minute=1)))
    others = [orders.push(order(f"B-{number}", line("???")), other) for number in range(8)]
    assert {answer.status_code for answer in await asyncio.gather(*others)} == {202}
    assert not waiting.done()
    may_end.set()
    await holding
    assert (await waiting).json()["lines"][0]["quantity"] == "2"


async def test_a_push_with_the_remembered_secret_is_taken_after_one_rotation(orders: Orders) -> None:
    async with running(service, orders.dsn) as other:
        elsewhere = Orders(other, orders.dsn, orders.staff, orders.van_ho)
        assert (await elsewhere.push(order("A-1", line("SU-SU")), orders.shop)).status_code == 202
        await orders.ask("POST", f"/v1/partners/{orders.shop.partner_id}/secrets")
        assert (await elsewhere.push(order("A-2", line("SU-SU")), orders.shop)).status_code == 202


async def test_a_secret_that_another_process_ended_is_not_taken_any_more(orders: Orders) -> None:
    async with running(service, orders.dsn) as other:
        elsewhere = Orders(other, orders.dsn, orders.staff, orders.van_ho)
        assert (await elsewhere.push(order("A-1", line("SU-SU")), orders.shop)).status_code == 202
        for _ in range(2):
            await orders.ask("POST", f"/v1/partners/{orders.shop.partner_id}/secrets")
        assert (await elsewhere.push(order("A-2", line("SU-SU")), orders.shop)).status_code == 401
    assert [event["partner_ref"] for _, event in await orders.events()] == ["A-1"]


async def test_a_promise_applied_by_another_process_ends_the_wait(orders: Orders) -> None:
    async with running(service, orders.dsn) as other:
        worker = Orders(other, orders.dsn, orders.staff, orders.van_ho)
        promising = asyncio.create_task(worker.promise_when_placed("A-1"))
        answer = await orders.push(order("A-1", line("SU-SU")), Prefer="wait=20")
        await promising
    assert (answer.status_code, answer.json()["state"]) == (200, "promised")
