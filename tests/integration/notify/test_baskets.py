"""A household is told what the books say, once per change, by real SMTP."""

import asyncio
import json
from datetime import UTC, date, datetime, timedelta

from msgspec.structs import replace

from services.chassis.ids import uuid7
from services.chassis.inbox import Received
from services.chassis.ledger import Transaction
from services.notify.store.deliveries import Claim, claim_due
from tests.integration.notify.peers import Mailbox
from tests.integration.notify.world import TRACE, World

HALF_A_MINUTE = timedelta(seconds=31)


def content(letter: object) -> str:
    return str(letter.get_content()).replace("\r\n", "\n")  # type: ignore[attr-defined]  # an EmailMessage


async def test_a_household_reads_its_basket_in_vietnamese(world: World, mail: Mailbox) -> None:
    await world.reach()
    await world.apply(world.basket())
    await world.run("send_email")
    (letter,) = mail.letters
    (notice,) = await world.notices()
    assert letter["Subject"] == "Hàng cần mang thứ Ba, 24/11/2099"
    assert str(letter["To"]) == "bà Mùa Thị Dợ <ba.do@example.vn>"
    assert letter["From"].addresses[0].display_name == "Hợp tác xã Rau Vân Hồ"
    assert letter["Message-ID"] == f"<{notice['notice_id']}@cho.example>"
    assert content(letter) == (
        "Kính gửi bà Mùa Thị Dợ,\n"
        "\n"
        "Hợp tác xã Rau Vân Hồ kính nhờ gia đình mang hàng cho ngày thứ Ba, 24/11/2099:\n"
        "\n"
        "- Cải mèo: 12,5 kg\n"
        "- Rau mùi: 3 bó\n"
        "Nơi nhận: Nhà văn hóa bản Bó Nhàng\n"
        "Có mặt trước 05:30 sáng thứ Ba, 24/11/2099\n"
        "\n"
        "Xin cảm ơn gia đình.\n"
        "Hợp tác xã Rau Vân Hồ\n"
    )


async def test_told_is_the_servers_acceptance_and_is_announced_once(world: World, mail: Mailbox) -> None:
    await world.reach()
    before = datetime.now(UTC)
    await world.apply(world.basket())
    assert await world.events() == []
    await world.run("send_email")
    await world.run("send_email")
    (notice,), (event,) = await world.notices(), await world.events()
    assert len(mail.letters) == 1
    assert notice["state"] == "told"
    told_at = datetime.fromisoformat(notice["told_at"])
    assert before < told_at < datetime.now(UTC)
    assert (event["stream"], event["type"]) == (world.cooperative, "notify.notice_delivered.v1")
    assert event["traceparent"] == TRACE
    said = json.loads(event["data"])
    assert datetime.fromisoformat(said.pop("told_at")) == told_at
    assert said == {
        "notice_id": notice["notice_id"],
        "kind": "basket",
        "channel": "email",
        "household_id": str(world.household),
        "delivery_day": "2099-11-24",
        "version": 1,
        "order_id": None,
    }


async def test_a_change_comes_as_a_notice_that_replaces_the_one_before(world: World, mail: Mailbox) -> None:
    await world.reach()
    await world.apply(world.basket())
    await world.run("send_email")
    await world.apply(world.changed(2, 10))
    await world.run("send_email")
    await world.apply(world.changed(3, 0))
    await world.run("send_email")
    _, second, third = mail.letters
    assert second["Subject"] == "Thay đổi: Hàng cần mang thứ Ba, 24/11/2099"
    assert "thay cho thông báo trước" in content(second)
    assert "- Cải mèo: 5 kg\n" in content(second)
    assert third["Subject"] == "Thay đổi: Không phải mang hàng thứ Ba, 24/11/2099"
    assert "bà con không phải mang hàng" in content(third)


async def test_a_household_that_is_spared_a_small_delivery_is_told_why_in_its_one_notice(
    world: World, mail: Mailbox
) -> None:
    await world.reach()
    await world.apply(replace(world.basket(cabbage_steps=0), empty_reason="not_worthwhile"))
    await world.run("send_email")
    await world.run("send_email")
    (letter,) = mail.letters
    assert letter["Subject"] == "Không phải mang hàng thứ Ba, 24/11/2099"
    assert "không đáng một chuyến đi, nên các hộ khác mang thay.\n" in content(letter)


async def test_an_old_basket_is_not_sent_after_the_books_have_changed(world: World, mail: Mailbox) -> None:
    await world.reach()
    await world.apply(world.basket(), world.changed(2, 10))
    await world.run("send_email")
    (letter,) = mail.letters
    assert "- Cải mèo: 5 kg\n" in content(letter)
    assert "thay cho" not in content(letter)
    await world.run("climb")
    await world.run("send_email")
    assert len(mail.letters) == 1
    assert await world.states() == [("superseded", 0, None), ("told", 1, None)]


async def test_a_refused_basket_is_not_tried_again_after_the_books_have_changed(world: World, mail: Mailbox) -> None:
    await world.reach()
    mail.on_rcpt = lambda _: "451 4.3.0 try later"
    await world.apply(world.basket())
    await world.run("send_email")
    await world.apply(world.changed(2, 10))
    mail.on_rcpt = lambda _: "250 OK"
    await world.run("send_email", after=HALF_A_MINUTE)
    await world.run("climb")
    assert [letter["Subject"] for letter in mail.letters] == ["Hàng cần mang thứ Ba, 24/11/2099"]
    assert await world.states() == [("superseded", 1, None), ("told", 1, None)]


async def test_a_change_waits_while_the_basket_before_it_is_being_sent(world: World, mail: Mailbox) -> None:
    await world.reach()
    await world.apply(world.basket())
    mail.hold = asyncio.Event()
    first = asyncio.create_task(world.run("send_email"))
    await mail.holding.wait()
    await world.apply(world.changed(2, 10))
    await world.run("send_email")
    assert len(mail.letters) == 1
    mail.hold.set()
    await first
    await world.run("send_email")
    assert [state for state, _, _ in await world.states()] == ["told", "told"]


async def test_the_same_basket_makes_one_notice_however_often_it_comes(world: World, mail: Mailbox) -> None:
    await world.reach()
    again = [Received(world.cooperative, n, uuid7(), datetime.now(UTC), None, world.basket()) for n in (91, 92)]
    await world.apply_together(again)
    await world.apply(world.basket())
    await world.run("send_email")
    assert len(mail.letters) == len(await world.notices()) == 1


async def test_fifty_households_are_told_over_one_connection(world: World, mail: Mailbox) -> None:
    day = date(2099, 1, 1)
    await world.reach()
    await world.apply(*(world.basket(day=day + timedelta(days=n)) for n in range(51)))
    assert await world.run("send_email") is True
    assert (len(mail.letters), mail.sessions) == (50, 1)
    assert await world.run("send_email") is True
    assert (len(mail.letters), mail.sessions) == (51, 2)
    assert await world.run("send_email") is False


async def test_two_processes_at_once_tell_each_household_once(world: World, mail: Mailbox) -> None:
    day = date(2099, 1, 1)
    await world.reach()
    await world.apply(*(world.basket(day=day + timedelta(days=n)) for n in range(20)))
    await asyncio.gather(*(world.run("send_email") for _ in range(4)))
    assert len({letter["Message-ID"] for letter in mail.letters}) == len(mail.letters) == 20
    assert len(await world.events()) == 20


async def test_what_one_process_is_claiming_another_passes_over_without_waiting(world: World) -> None:
    await world.reach()
    await world.apply(world.basket())
    now, ledger = datetime.now(UTC), world.service.runtime.ledger

    async def claim(tx: Transaction) -> list[Claim]:
        return await claim_due(tx.conn, "email", now, 50)

    async def claim_around_another(tx: Transaction) -> tuple[int, int]:
        own = await claim(tx)
        async with asyncio.timeout(5):
            return len(own), len(await ledger.transact(claim))

    assert await ledger.transact(claim_around_another) == (1, 0)


async def test_a_household_without_a_contact_is_for_a_person_to_tell_at_once(world: World, mail: Mailbox) -> None:
    await world.apply(world.basket())
    assert await world.states() == [("undeliverable", 0, "no_contact")]
    (event,) = await world.events()
    assert event["type"] == "notify.notice_undeliverable.v1"
    said = json.loads(event["data"])
    assert (said["reason"], said["channel"], said["household_id"]) == ("no_contact", "none", str(world.household))
    await world.run("send_email")
    assert mail.letters == []


async def test_a_contact_that_comes_late_is_told_the_latest_baskets_of_days_to_come(
    world: World, mail: Mailbox
) -> None:
    await world.apply(world.basket(), world.changed(2, 10), world.basket(day=date(2020, 1, 1)))
    await world.reach()
    await world.run("send_email")
    (letter,) = mail.letters
    assert "- Cải mèo: 5 kg\n" in content(letter)
    assert [state for state, _, _ in await world.states()] == ["undeliverable", "told", "undeliverable"]
    await world.reach()
    await world.run("send_email")
    assert len(mail.letters) == 1


async def test_a_contact_and_a_basket_at_the_same_moment_do_not_miss_each_other(world: World, mail: Mailbox) -> None:
    days = [date(2099, 1, 1) + timedelta(days=n) for n in range(10)]
    await asyncio.gather(*(world.apply(world.basket(day=day)) for day in days), world.reach())
    await world.run("send_email")
    assert len(mail.letters) == 10


async def test_a_contact_that_was_deleted_is_told_nothing_more(world: World, mail: Mailbox) -> None:
    contact = await world.reach()
    await world.apply(world.basket())
    path = f"{contact['url']}?reason=own_request"
    assert (await world.service.client.delete(path, headers=await world.staff())).status_code == 204
    await world.run("send_email")
    assert mail.letters == []
    assert await world.states() == [("undeliverable", 1, "no_contact")]
