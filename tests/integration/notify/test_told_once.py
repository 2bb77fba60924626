"""Nobody is told twice because a receipt, a result and a change of the contact book come in an unlucky order."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from infra.local.stack import Stack
from services.notify.channels import Batch
from services.notify.climbing import Ladder
from services.notify.domain.delivery import Failed, Outcome, Sent, Unknown
from services.notify.domain.messages import Message, Receipt
from services.notify.metrics import NoticeMetrics
from services.notify.outbox import Outbox
from services.notify.sending import Sender
from tests.integration.notify.peers import Mailbox
from tests.integration.notify.reached import PHONE, STEP, Reached, reached
from tests.integration.notify.senders import Clock
from tests.integration.notify.world import LINKS

OTHER = "+84987654321"
MINUTE = timedelta(minutes=1)


@dataclass
class Way:
    """A channel whose attempts come to what a test says, after what a test does meanwhile."""

    name: str
    outcome: Outcome
    meanwhile: Callable[[], Awaitable[Any]] | None = None
    resend_is_safe: bool = False
    tells_later: bool = True

    def __post_init__(self) -> None:
        self.begun: list[Message] = []

    async def send(self, messages: Sequence[Message], batch: Batch) -> None:
        for message in messages:
            assert batch.begin(message.message_id)
            self.begun.append(message)
            if self.meanwhile is not None:
                await self.meanwhile()
            batch.report(message.message_id, self.outcome)


@pytest.fixture
async def world(stack: Stack, mail: Mailbox) -> AsyncIterator[Reached]:
    async with reached(stack, mail) as made:
        yield made


def outbox(world: Reached, way: Way) -> Outbox:
    metrics = NoticeMetrics(CollectorRegistry())
    return Outbox(way, Ladder(frozenset({"zalo", "sms", "email"}), metrics), LINKS, metrics, 5 * MINUTE)


async def send(world: Reached, way: Way, after: timedelta = timedelta()) -> None:
    clock = Clock()
    clock.now += after
    await Sender(world.service.runtime.ledger, outbox(world, way), way, clock, MINUTE).send_due(clock.now)


async def deliveries(world: Reached) -> list[tuple[str, str]]:
    rows = await world.service.runtime.pool.fetch("select channel, state from delivery order by queued_at, delivery_id")
    return [(r["channel"], r["state"]) for r in rows]


def receipt_of(message: Message, channel: str = "sms") -> Receipt:
    return Receipt(channel, datetime.now(UTC), arrived=True, message_id=message.message_id)


async def take(world: Reached, *receipts: Receipt) -> None:
    await world.service.parts.state["inbound"].take(receipts)


async def test_what_was_told_while_another_way_failed_is_not_tried_again(world: Reached) -> None:
    await world.write_down("zalo", "sms")
    world.zalo.reports_at_once = False
    await world.apply(world.basket())
    await world.run("send_zalo")
    await world.run("climb", after=STEP)
    way = Way("sms", Failed("http_500"), meanwhile=world.zalo.report)
    await send(world, way, STEP)
    assert await world.states_by_channel() == [("told", "zalo")]
    await send(world, Way("sms", Sent("1")), STEP + 2 * MINUTE)
    assert await deliveries(world) == [("zalo", "told"), ("sms", "superseded")]


async def test_a_receipt_counts_also_while_the_message_waits_for_another_attempt(world: Reached) -> None:
    await world.write_down("sms")
    await world.apply(world.basket())
    way = Way("sms", Failed("http_503"))
    await send(world, way)
    assert await deliveries(world) == [("sms", "queued")]
    await take(world, receipt_of(way.begun[0]))
    assert await world.states_by_channel() == [("told", "sms")]


async def test_a_receipt_that_crosses_our_own_commit_is_found_soon(world: Reached) -> None:
    """As it is after the receipt did not see the delivery, and the delivery not the receipt."""
    await world.write_down("sms")
    await world.apply(world.basket())
    await send(world, Way("sms", Sent("of-this-one")))
    await world.service.runtime.pool.execute(
        "insert into stray_receipt values ('sms', 'of-this-one', now(), true, null, now()), "
        "('sms', 'of-another', now(), true, null, now())"
    )
    await world.run("match_strays")
    assert await world.states_by_channel() == [("told", "sms")]
    assert await world.service.runtime.pool.fetchval("select string_agg(provider_id, ' ') from stray_receipt") == (
        "of-another"
    )


async def test_a_receipt_may_come_before_the_message_is_known_as_sent(world: Reached) -> None:
    await world.write_down("sms")
    await world.apply(world.basket())
    early = Receipt("sms", datetime.now(UTC), arrived=True, provider_id="fast")
    await send(world, Way("sms", Sent("fast"), meanwhile=lambda: take(world, early)))
    await world.run("match_strays")
    assert await world.states_by_channel() == [("told", "sms")]


async def correct(world: Reached, contact: dict[str, Any], number: str, purposes: Sequence[str] = ("work",)) -> None:
    consent = {"purposes": list(purposes), "source": "signed form"}
    addresses = [{"channel": "sms", "address": number, "consent": consent}]
    body = {"display_name": "bà Mùa Thị Dợ", "language": "vi", "addresses": addresses}
    answer = await world.service.client.put(contact["url"], json=body, headers=await world.staff())
    assert answer.status_code == 200, answer.text


async def test_to_a_corrected_number_goes_a_message_of_its_own(world: Reached) -> None:
    """Or the provider takes it for a repetition, and a late report about the wrong number for the right one."""
    contact = await world.write_down("sms")
    await world.apply(world.basket())
    first = Way("sms", Sent("1"))
    await send(world, first)
    await world.run("climb", after=timedelta(hours=13))
    assert await world.states_by_channel() == [("undeliverable", "sms")]
    await correct(world, contact, OTHER)
    second = Way("sms", Sent("2"))
    await send(world, second)
    assert [one.to for one in second.begun] == [OTHER]
    assert second.begun[0].message_id != first.begun[0].message_id
    await take(world, receipt_of(first.begun[0]))
    assert await world.states_by_channel() == [("queued", "sms")]


async def test_consent_to_something_else_sends_nothing_again_that_the_provider_has(world: Reached) -> None:
    contact = await world.write_down("sms")
    await world.apply(world.basket())
    first = Way("sms", Sent("1"))
    await send(world, first)
    await world.run("climb", after=timedelta(hours=13))
    await correct(world, contact, PHONE, ("work", "money"))
    again = Way("sms", Sent("2"))
    await send(world, again)
    assert again.begun == []
    await take(world, receipt_of(first.begun[0]))
    assert await world.states_by_channel() == [("told", "sms")]


async def test_a_late_receipt_settles_an_unknown_outcome_also_after_the_contact_was_changed(world: Reached) -> None:
    contact = await world.write_down("sms")
    await world.apply(world.basket())
    way = Way("sms", Sent("1"))
    await send(world, way)
    await world.service.runtime.pool.execute("update delivery set state = 'unknown', provider_id = null")
    await world.run("climb", after=timedelta(hours=13))
    assert await world.states_by_channel() == [("unknown", "sms")]
    await correct(world, contact, OTHER)
    await take(world, receipt_of(way.begun[0]))
    assert await world.states_by_channel() == [("told", "sms")]


async def test_what_a_channel_had_in_hand_that_is_gone_counts_as_unknown(world: Reached) -> None:
    await world.write_down("sms")
    await world.apply(world.basket())

    async def take_in_hand(tx: Any) -> None:
        (claim,) = await outbox(world, Way("sms", Sent("1"))).take(tx, datetime.now(UTC))
        assert claim.channel == "sms"
        await tx.conn.execute("update delivery set channel = 'pigeon'")

    await world.service.runtime.ledger.transact(take_in_hand)
    await world.run("settle_abandoned", after=30 * MINUTE)
    assert await world.states_by_channel() == [("queued", "pigeon")]
    await world.run("settle_abandoned", after=timedelta(hours=2))
    assert await world.states_by_channel() == [("unknown", "pigeon")]


async def test_a_message_that_went_out_late_has_time_for_its_receipt(world: Reached) -> None:
    await world.write_down("sms", "email")
    await world.apply(world.basket())
    just_before = STEP - timedelta(seconds=5)
    way = Way("sms", Sent("1"))
    await send(world, way, just_before)
    await world.run("climb", after=STEP + MINUTE)
    assert await deliveries(world) == [("sms", "sent")]
    await world.run("climb", after=STEP + 3 * MINUTE)
    assert [channel for channel, _ in await deliveries(world)] == ["sms", "email"]


async def test_two_members_with_one_telephone_are_one_way(world: Reached) -> None:
    await world.write_down("sms", name="ông Giàng A Chứ")
    await world.write_down("sms", name="chị Giàng Thị Mỷ")
    world.esms.fail_next(1, "99")
    await world.apply(world.basket())
    await world.run("send_sms")
    await world.run("send_sms")
    assert await world.states_by_channel() == [("undeliverable", "sms")]
    assert world.esms.arrived == []


async def test_a_process_that_was_taken_for_dead_still_says_under_which_id_the_provider_has_it(world: Reached) -> None:
    await world.write_down("sms")
    await world.apply(world.basket())

    async def interrupt() -> None:
        await world.run("settle_interrupted_sms", after=timedelta(hours=1))

    await send(world, Way("sms", Sent("late"), meanwhile=interrupt))
    assert await deliveries(world) == [("sms", "sent")]
    await take(world, Receipt("sms", datetime.now(UTC), arrived=True, provider_id="late"))
    assert await world.states_by_channel() == [("told", "sms")]


async def test_a_basket_says_that_it_replaces_one_of_unknown_outcome(world: Reached) -> None:
    await world.write_down("sms")
    await world.apply(world.basket())

    async def overtake() -> None:
        await world.apply(world.changed(2, 20))

    await send(world, Way("sms", Unknown(), meanwhile=overtake))
    second = Way("sms", Sent("2"))
    await send(world, second)
    assert [("thay" in one.text.body) for one in second.begun] == [True]
