"""The checks themselves are checked: after a good day the books are tampered with, and each fault must be seen."""

import asyncio
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from infra.demo.day import connect_all
from infra.demo.peers import Arrival
from infra.rabbitmq.definitions import PARTNERS_VHOST
from services.contracts.flow import SERVICES
from tests.chaos import template
from tests.chaos.arena import Arena, entered
from tests.chaos.checks import check
from tests.chaos.interruptions import SLACK, Interruptions
from tests.chaos.run import LOCAL, Result, clean_up, live_through
from tests.chaos.scenario import find_all
from tests.chaos.tamperings import TAMPERINGS


def test_every_tampering_is_seen() -> None:
    asyncio.run(_tamper_and_check())


async def _tamper_and_check() -> None:
    scenario = replace(find_all()["no fault"], cooperatives=3, pushes_per_s=25, load_s=3)
    root = LOCAL / f"tampered-{os.getpid()}"
    prepared = await asyncio.to_thread(template.prepare, LOCAL)
    try:
        async with entered(scenario, 1, root, prepared) as arena:
            result = Result(scenario.name, 1)
            await live_through(arena, result, lambda phase: None)
            assert result.faults == []
            unseen = [it for tampering in TAMPERINGS for it in await _in_books(arena, *tampering)]
            for undone, law in RECEIVED:
                unseen += await _at_the_receivers(arena, undone, law)
            assert not unseen, "\n".join(unseen)
    finally:
        clean_up(root)


async def _in_books(arena: Arena, database: str, statement: str, law: str) -> list[str]:
    """What nobody saw of the tampering, which is undone then."""
    databases = await connect_all({name: arena.stack.postgres.admin_dsn(name) for name in SERVICES})
    transaction = databases[database].transaction()
    await transaction.start()
    try:
        assert await databases[database].fetch(statement + " returning 1"), f"nothing to tamper with: {statement}"
        return _unseen(law, await check(databases, arena), statement)
    finally:
        await transaction.rollback()
        for connection in databases.values():
            await connection.close()


def _unseen(law: str, faults: list[str], tampering: str) -> list[str]:
    return [] if any(law in fault for fault in faults) else [f"nobody saw: {tampering}; seen: {faults}"]


# -- What only receivers and the load know ---------------------------------------------------------------------


async def _at_the_receivers(
    arena: Arena, tampering: Callable[[Arena], AbstractContextManager[None]], law: str
) -> list[str]:
    databases = await connect_all({name: arena.books.dsn_of(name) for name in SERVICES})
    try:
        with tampering(arena):
            return _unseen(law, await check(databases, arena), tampering.__name__)
    finally:
        for connection in databases.values():
            await connection.close()


@contextmanager
def _a_lost_order(arena: Arena) -> Iterator[None]:
    key, push = next(iter(arena.load.acknowledged.items()))
    arena.load.acknowledged[key[0], "never-seen"] = push
    arena.load.order_ids[key[0], "never-seen"] = arena.load.order_ids[key]
    yield
    del arena.load.acknowledged[key[0], "never-seen"]


@contextmanager
def _a_lost_statement(arena: Arena) -> Iterator[None]:
    offer = next(iter(arena.world.members[0].offers.values()))
    offer.stated.append({code: steps + 1 for code, steps in offer.stated[-1].items()})
    yield
    offer.stated.pop()


@contextmanager
def _a_lost_withdrawal(arena: Arena) -> Iterator[None]:
    member = arena.world.members[0]
    member.withdrawn.append(next(iter(member.offers.values())))
    yield
    member.withdrawn.pop()


@contextmanager
def _a_lost_arrival(arena: Arena) -> Iterator[None]:
    assert arena.evening
    arrivals, lost = arena.evening.taken.arrivals, str(uuid4())
    arrivals[lost] = next(iter(arrivals.values()))
    yield
    del arrivals[lost]


@contextmanager
def _a_lost_reply(arena: Arena) -> Iterator[None]:
    assert arena.evening
    replies = arena.evening.taken.replies
    household_id, version = next(iter(replies))
    replies[household_id, version + 7] = "confirm"
    yield
    del replies[household_id, version + 7]


@contextmanager
def _a_mail_twice(arena: Arena) -> Iterator[None]:
    mail = next(arena.received.maildir.glob("new/*"))
    shutil.copy(mail, mail.with_name(f"{mail.name}.again"))
    yield
    mail.with_name(f"{mail.name}.again").unlink()


@contextmanager
def _a_mail_that_never_came(arena: Arena) -> Iterator[None]:
    mail = next(arena.received.maildir.glob("new/*"))
    aside = arena.root / mail.name
    mail.rename(aside)
    yield
    aside.rename(mail)


@contextmanager
def _a_webhook_twice(arena: Arena) -> Iterator[None]:
    first = arena.received.arrivals[-1]
    arena.received.arrivals.append(Arrival(datetime.now(UTC), first.message_id, 2))
    yield
    arena.received.arrivals.pop()


@contextmanager
def _a_webhook_again_after_a_late_death(arena: Arena) -> Iterator[None]:
    usual, first = arena.interruptions, arena.received.arrivals[0]
    assert datetime.now(UTC) > first.at + arena.held + 2 * SLACK
    arena.interruptions = Interruptions()
    arena.interruptions.note("notify")
    arena.received.arrivals.append(Arrival(datetime.now(UTC), first.message_id, 2))
    yield
    arena.received.arrivals.pop()
    arena.interruptions = usual


@contextmanager
def _a_webhook_under_another_id(arena: Arena) -> Iterator[None]:
    body = next(body for body in arena.received.webhooks.values() if body["type"] == "order.promised")
    arena.received.webhooks["another"] = body
    yield
    del arena.received.webhooks["another"]


@contextmanager
def _a_webhook_that_never_came(arena: Arena) -> Iterator[None]:
    message_id = next(reversed(arena.received.webhooks))
    body = arena.received.webhooks.pop(message_id)
    yield
    arena.received.webhooks[message_id] = body


@contextmanager
def _webhooks_out_of_turn(arena: Arena) -> Iterator[None]:
    webhooks, arrivals = arena.received.webhooks, list(arena.received.arrivals)
    later = [it for it in arrivals if webhooks[it.message_id]["type"] == "order.delivered"]
    earlier = [replace(it, at=it.at - timedelta(days=1)) for it in later]
    arena.received.arrivals[:] = [*earlier, *(it for it in arrivals if it not in later)]
    yield
    arena.received.arrivals[:] = arrivals


@contextmanager
def _a_queue_of_nobody(arena: Arena) -> Iterator[None]:
    usual = template.SHARED_LANES
    template.SHARED_LANES = usual + 1
    yield
    template.SHARED_LANES = usual


@contextmanager
def _a_reject_that_nobody_reads(arena: Arena) -> Iterator[None]:
    management, name = arena.stack.rabbit.management, "partner.nobody.rejects"
    message = {"properties": {}, "routing_key": name, "payload": "", "payload_encoding": "string"}
    management.request("PUT", f"/queues/{PARTNERS_VHOST}/{name}", {"durable": True})
    management.request("POST", f"/exchanges/{PARTNERS_VHOST}/amq.default/publish", message)
    while not management.queues(PARTNERS_VHOST)[name].ready:
        time.sleep(0.1)
    yield
    management.request("DELETE", f"/queues/{PARTNERS_VHOST}/{name}")


RECEIVED: tuple[tuple[Callable[[Arena], AbstractContextManager[None]], str], ...] = (
    (_a_lost_order, "was acknowledged and is lost"),
    (_a_lost_statement, "what staff stated of offers stands: pledges"),
    (_a_lost_withdrawal, "what staff stated of offers stands: withdrawn"),
    (_a_lost_arrival, "arrivals and departures stand"),
    (_a_lost_reply, "what households answered stands"),
    (_a_mail_twice, "came 2 times"),
    (_a_mail_that_never_came, "households are told exactly"),
    (_a_webhook_twice, "nothing died over it"),
    (_a_webhook_again_after_a_late_death, "nothing died over it"),
    (_a_webhook_under_another_id, "say the same"),
    (_a_webhook_under_another_id, "those that count as told"),
    (_a_webhook_that_never_came, "those that count as told"),
    (_webhooks_out_of_turn, "came before"),
    (_a_queue_of_nobody, "is not there"),
    (_a_reject_that_nobody_reads, "messages in partner.nobody.rejects"),
)
