"""Mail that is refused is tried again or given up; mail whose fate nobody knows is never sent twice."""

import asyncio
import json
from datetime import UTC, date, datetime, timedelta

import pytest

from infra.local.ports import choose_ports
from infra.local.stack import Stack
from services.chassis.ledger import Transaction
from services.notify.app import service
from services.notify.store.deliveries import claim_due
from tests.integration.notify.peers import Mailbox
from tests.integration.notify.world import REACHED, World
from tests.support.servers import fresh_database
from tests.support.service import running

LATER = timedelta(seconds=31)
MUCH_LATER = timedelta(hours=11)


async def queue_one(world: World) -> None:
    await world.reach()
    await world.apply(world.basket())


async def reasons(world: World) -> list[str]:
    return [json.loads(e["data"]).get("reason", "told") for e in await world.events()]


@pytest.mark.parametrize("stage", ["on_rcpt", "on_data"])
async def test_a_letter_that_is_refused_for_now_is_tried_again(world: World, mail: Mailbox, stage: str) -> None:
    await queue_one(world)
    setattr(mail, stage, lambda _: "451 4.3.0 try later")
    await world.run("send_email")
    assert await world.states() == [("queued", 1, "smtp_451")]
    setattr(mail, stage, lambda _: "250 OK")
    await world.run("send_email")
    assert mail.letters == []
    await world.run("send_email", after=LATER)
    assert len(mail.letters) == 1
    assert await world.states() == [("told", 2, None)]
    assert await reasons(world) == ["told"]


@pytest.mark.parametrize(("stage", "reason"), [("on_rcpt", "recipient_refused"), ("on_data", "message_refused")])
async def test_a_letter_that_is_refused_for_good_is_for_a_person_to_tell(
    world: World, mail: Mailbox, stage: str, reason: str
) -> None:
    await queue_one(world)
    setattr(mail, stage, lambda _: "550 5.1.1 no such mailbox")
    await world.run("send_email")
    await world.run("send_email", after=MUCH_LATER)
    assert await world.states() == [("undeliverable", 1, reason)]
    assert await reasons(world) == [reason]


async def test_one_refused_recipient_does_not_keep_the_others_from_being_told(world: World, mail: Mailbox) -> None:
    await world.reach(email="nobody@example.vn")
    await world.reach(world.neighbour, "ba.pa@example.vn")
    mail.on_rcpt = lambda address: "550 5.1.1 no" if address.startswith("nobody") else "250 OK"
    await world.apply(world.basket(), world.basket(world.neighbour))
    await world.run("send_email")
    assert len(mail.to("ba.pa@example.vn")) == 1
    assert mail.sessions == 1
    assert [state for state, _, _ in await world.states()] == ["undeliverable", "told"]


async def test_a_mail_server_may_say_what_no_row_can_hold(world: World, mail: Mailbox) -> None:
    await world.reach()
    await world.reach(world.neighbour, "ba.pa@example.vn")
    mail.on_data = lambda address: "250 OK \0\x7f" if address != "ba.pa@example.vn" else "250 OK"
    await world.apply(world.basket(), world.basket(world.neighbour))
    await world.run("send_email")
    assert await world.states() == [("told", 1, None), ("told", 1, None)]
    kept = await world.service.runtime.pool.fetch("select receipt from delivery")
    assert {row["receipt"] for row in kept} == {"250 OK ??", "250 OK"}


async def test_one_notice_that_cannot_be_worded_does_not_keep_the_others_from_being_told(
    world: World, mail: Mailbox
) -> None:
    await world.reach()
    await world.apply(world.basket(day=date(2099, 1, 1)), world.basket(day=date(2099, 1, 2)))
    await world.service.runtime.pool.execute(
        "update notice set facts = jsonb_set(facts, '{timezone}', '\"Nowhere\"') where delivery_day = '2099-01-01'"
    )
    await world.run("send_email")
    assert len(mail.letters) == 1
    assert await world.states() == [("queued", 1, "cannot_be_composed"), ("told", 1, None)]


async def test_a_new_address_is_tried_where_the_old_one_was_refused(world: World, mail: Mailbox) -> None:
    await queue_one(world)
    mail.on_rcpt = lambda address: "550 5.1.1 no" if address.startswith("ba.do") else "250 OK"
    await world.run("send_email")
    await world.reach(email="con.gai@example.vn")
    await world.run("send_email")
    assert len(mail.to("con.gai@example.vn")) == 1
    assert await reasons(world) == ["recipient_refused", "told"]


async def test_a_connection_that_breaks_after_the_content_leaves_the_outcome_unknown(
    world: World, mail: Mailbox
) -> None:
    await queue_one(world)
    mail.drop_after_data = True
    await world.run("send_email")
    assert len(mail.letters) == 1
    mail.drop_after_data = False
    await world.run("send_email", after=MUCH_LATER)
    await world.run("settle_interrupted_email", after=MUCH_LATER)
    await world.reach(email="con.gai@example.vn")
    await world.run("send_email", after=MUCH_LATER)
    assert len(mail.letters) == 1
    assert [n["state"] for n in await world.notices(state="unknown")] == ["unknown"]
    assert await reasons(world) == ["outcome_unknown"]


async def test_a_server_that_falls_silent_after_the_content_leaves_the_outcome_unknown(
    world: World, mail: Mailbox
) -> None:
    await world.reach()
    await world.reach(world.neighbour, "ba.pa@example.vn")
    await world.apply(world.basket())
    mail.hold = asyncio.Event()
    await world.run("send_email")
    mail.hold.set()
    mail.hold = None
    await world.apply(world.basket(world.neighbour))
    await world.run("send_email")
    assert [state for state, _, _ in await world.states()] == ["unknown", "told"]


async def test_a_server_that_falls_silent_before_the_content_has_certainly_not_delivered(
    world: World, mail: Mailbox
) -> None:
    await world.reach(email="nobody@example.vn")
    await world.reach(world.neighbour, "ba.pa@example.vn")
    mail.silent_for = "nobody@example.vn"
    await world.apply(world.basket(), world.basket(world.neighbour))
    await world.run("send_email")
    assert await world.states() == [("queued", 1, "timed_out"), ("told", 1, None)]
    assert (len(mail.to("ba.pa@example.vn")), mail.sessions) == (1, 2)


async def test_after_a_broken_connection_the_rest_of_the_batch_goes_over_a_new_one(world: World, mail: Mailbox) -> None:
    await world.reach()
    await world.apply(*(world.basket(day=date(2099, 1, n)) for n in (1, 2, 3)))
    mail.drop_after_data = True
    await world.run("send_email")
    assert len(mail.letters) == mail.sessions == 3
    assert [state for state, _, _ in await world.states()] == ["unknown"] * 3


async def test_what_a_killed_process_had_in_hand_becomes_unknown_and_is_never_sent(world: World, mail: Mailbox) -> None:
    await queue_one(world)
    now = datetime.now(UTC)

    async def claim(tx: Transaction) -> None:
        assert len(await claim_due(tx.conn, "email", now, 50)) == 1

    await world.service.runtime.ledger.transact(claim)  # and there the process ends
    await world.run("settle_interrupted_email", after=timedelta(seconds=100))
    assert await world.states() == [("queued", 1, None)]
    await world.run("settle_interrupted_email", after=timedelta(seconds=121))
    await world.run("settle_interrupted_email", after=timedelta(seconds=121))
    await world.run("send_email", after=MUCH_LATER)
    assert mail.letters == []
    assert await world.states() == [("unknown", 1, "outcome_unknown")]
    assert await reasons(world) == ["outcome_unknown"]


async def test_a_receipt_that_comes_after_all_is_worth_more_than_unknown(world: World, mail: Mailbox) -> None:
    await queue_one(world)
    mail.hold = asyncio.Event()
    sending = asyncio.create_task(world.run("send_email"))
    await mail.holding.wait()
    await world.run("settle_interrupted_email", after=timedelta(seconds=121))
    mail.hold.set()
    await sending
    assert await world.states() == [("told", 1, None)]
    assert await reasons(world) == ["outcome_unknown", "told"]


async def test_a_stopping_process_finishes_its_letter_and_puts_the_others_back(world: World, mail: Mailbox) -> None:
    await world.reach()
    await world.apply(*(world.basket(day=date(2099, 1, n)) for n in (1, 2, 3)))
    mail.hold = asyncio.Event()
    sending = asyncio.create_task(world.run("send_email"))
    await mail.holding.wait()
    sending.cancel()
    mail.hold.set()
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert len(mail.letters) == 1
    assert sorted(await world.states()) == [("queued", 0, None), ("queued", 0, None), ("told", 1, None)]


async def test_letters_wait_while_the_mail_server_is_away(stack: Stack) -> None:
    nobody = choose_ports([None])[0]
    smtp = {"smtp_host": "127.0.0.1", "smtp_port": nobody, "smtp_tls": "none", "smtp_sender": "no-reply@cho.example"}
    async with fresh_database(stack, "notify") as dsn, running(service, dsn, **REACHED, **smtp) as made:
        world = World(made)
        await world.open()
        await queue_one(world)
        await world.run("send_email")
        assert await world.states() == [("queued", 1, "connection_failed")]


async def test_nothing_is_sent_in_clear_where_tls_is_wanted(stack: Stack, mail: Mailbox) -> None:
    smtp = {"smtp_host": "127.0.0.1", "smtp_port": mail.port, "smtp_sender": "no-reply@cho.example"}
    async with fresh_database(stack, "notify") as dsn, running(service, dsn, **REACHED, **smtp) as made:
        world = World(made)
        await world.open()
        await queue_one(world)
        await world.run("send_email")
        assert mail.letters == []
        assert await world.states() == [("queued", 1, "connection_failed")]
