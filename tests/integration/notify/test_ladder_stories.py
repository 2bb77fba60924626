"""Many households at once, two processes side by side, a clock that is moved by hand, and providers that take, refuse,
lose and report late by a seeded script: counted by the receivers, nobody is told twice and nobody is forgotten.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from random import Random
from typing import Any
from uuid import UUID

import pytest
from msgspec.structs import replace
from prometheus_client import CollectorRegistry

from infra.local.stack import Stack
from services.chassis.ids import uuid7
from services.chassis.ledger import Transaction
from services.contracts.catalog import HouseholdRegistered
from services.notify import contact_book
from services.notify.app import service
from services.notify.channels import Batch
from services.notify.climbing import Ladder
from services.notify.consumers import handlers
from services.notify.contact_book import Given
from services.notify.domain.contacts import Address, Contact, QuietHours
from services.notify.domain.delivery import Accepted, Failed, Outcome, Refused, Sent, Throttled
from services.notify.domain.ladder import SHORTEST_STEP
from services.notify.domain.messages import Message, Receipt
from services.notify.metrics import NoticeMetrics
from services.notify.outbox import Outbox
from services.notify.receiving import Receiver
from services.notify.sending import Sender
from services.notify.store import calls
from tests.integration.notify.peers import Mailbox
from tests.integration.notify.senders import Clock
from tests.integration.notify.world import ARRIVE_BY, LINKS, REACHED, World
from tests.support.servers import fresh_database
from tests.support.service import running

CHANNELS = ("zalo", "sms", "email")
START = datetime(2099, 11, 23, 5, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
INTERRUPTED = 5 * MINUTE
MOMENTS = [*(START + 2 * n * MINUTE for n in range(90)), *(START + (180 + 20 * n) * MINUTE for n in range(43))]
HOUSEHOLDS = 40
REST, REST_OVER_AT = QuietHours(time(12, 2), time(13)), START + 60 * MINUTE
"""Of every second household: while the first attempts are repeated."""
ON_THEIR_WAY = (
    "take",
    "take",
    "late",
    "late",
    "late",
    "never",
    "fails",
    "lose",
    "lose early",
    "refuse",
    "fail",
    "fail",
    "wait",
)


@dataclass
class Attempt:
    """One message as its receiver knows it. `settled_at`: when the provider's word on it, `said`, reached us."""

    message: Message
    what: str
    at: datetime
    arrived: bool
    said: Receipt | None = None
    settled_at: datetime | None = None


@dataclass
class Provider:
    """A channel that does what the script says; `reports` are still to come, and may while another channel sends."""

    name: str
    clock: Clock
    meanwhile: Callable[[UUID], Awaitable[None]]
    asked: Counter[str] = field(default_factory=Counter)
    attempts: list[Attempt] = field(default_factory=list)
    reports: list[tuple[datetime, Attempt]] = field(default_factory=list)
    resend_is_safe: bool = False

    @property
    def tells_later(self) -> bool:
        return self.name != "email"

    async def send(self, messages: Sequence[Message], batch: Batch) -> None:
        for message in messages:
            if batch.begin(message.message_id):
                await self.meanwhile(message.notice_id)
                outcome = self.attempt(message)
                if outcome is not None:
                    batch.report(message.message_id, outcome)

    def attempt(self, message: Message, *, dies: bool = False) -> Outcome | None:
        """What comes of it; None where the sender never hears."""
        self.asked[message.to] += 1
        random = Random(f"{self.name} {message.to} {self.asked[message.to]}")
        what = random.choice(["lose", "lose early"] if dies else ON_THEIR_WAY)
        arrived = what in ("take", "late", "never", "lose")
        one = Attempt(message, what, self.clock.now, arrived)
        if what not in ("refuse", "fail", "wait"):
            self.attempts.append(one)
        provider_id = str(message.message_id)[::-1]
        reports = what in ("take", "late", "fails") or (what == "lose" and random.random() < 0.5)
        if self.tells_later and reports:
            by_ours = what == "lose" or random.random() < 0.5
            delay = random.randint(20, 90) if what == "late" else random.randint(0, 4)
            at = self.clock.now + delay * MINUTE
            receipt = Receipt(
                self.name, at, what != "fails", message.message_id if by_ours else None,
                None if by_ours else provider_id, "not_delivered" if what == "fails" else None,
            )  # fmt: skip
            one.said = receipt
            self.reports.append((at, one))
        match what:
            case "refuse":
                return Refused("no_such_number")
            case "fail":
                return Failed("http_500")
            case "wait":
                return Throttled("http_429", 3 * MINUTE, asked=True)
            case "lose" | "lose early":
                return None
            case "fails" if not self.tells_later:
                return Refused("bounced")
        return Sent(provider_id) if self.tells_later else Accepted(self.clock.now, "250")


@dataclass
class Story(World):
    """All of it on one database."""

    clock: Clock = field(default_factory=Clock)
    random: Random = field(default_factory=lambda: Random(7))

    def __post_init__(self) -> None:
        self.clock.now = START
        self.metrics = NoticeMetrics(CollectorRegistry())
        self.ladder = Ladder(frozenset(CHANNELS), self.metrics)
        self.receiver = Receiver(self.service.runtime.ledger, self.ladder, self.clock, self.metrics)
        self.providers = [Provider(name, self.clock, self.report) for name in CHANNELS]
        self.handlers = handlers(8, self.clock, self.metrics, self.ladder)
        self.changes: defaultdict[datetime, list[tuple[UUID, int, datetime]]] = defaultdict(list)

    async def transact(self, work: Any) -> Any:
        return await self.service.runtime.ledger.transact(work)

    async def apply_together(self, received: Sequence[Any]) -> None:
        async def work(tx: Transaction) -> None:
            await self.handlers[type(received[0].event)](tx, received)

        await self.transact(work)

    async def people(self) -> None:
        """Households with one to three ways, and up to three baskets each."""
        for number in range(HOUSEHOLDS):
            household = uuid7()
            await self.apply(HouseholdRegistered(household_id=household, code=f"S-{number}", share_weight=1))
            ways = self.random.sample(CHANNELS, self.random.randint(1, 3))
            places = {"email": f"s{number}@example.vn", "zalo": f"+84912{number:06}", "sms": f"+84912{number:06}"}
            contact = Contact(
                uuid7(), self.cooperative, household, "bà Dợ", "vi", None if number % 2 else REST, 1,
                [Address(way, places[way]) for way in ways],
            )  # fmt: skip

            async def work(tx: Transaction, of: Contact = contact, ways: Sequence[str] = tuple(ways)) -> None:
                given = [Given(way, ("work",), START, "form") for way in ways]
                await contact_book.save(tx, self.ladder, of, None, given, None, START)

            await self.transact(work)
            reply_by_at = START + self.random.choice([15, 40, 90, 300]) * MINUTE
            for version in range(1, self.random.randint(1, 3) + 1):
                first = version == 1
                at = START if first else self.random.choice(MOMENTS[:60])
                self.changes[at].append((household, version, reply_by_at))

    async def change(self, household: UUID, version: int, reply_by_at: datetime) -> None:
        """A version that an earlier moment has overtaken comes all the same."""
        if version == 1:
            event: Any = replace(self.basket(household), reply_by_at=reply_by_at)
        else:
            event = replace(self.changed(version, 20 + version), household_id=household, reply_by_at=reply_by_at)
        await self.apply(event, at=self.clock.now)

    def outbox(self, provider: Provider) -> Outbox:
        return Outbox(provider, self.ladder, LINKS, self.metrics, INTERRUPTED)

    async def run_all(self) -> None:
        """Every job of two processes at this moment, all at once."""
        now, work = self.clock.now, []
        for _ in range(2):
            work += [self.transact(lambda tx: self.ladder.climb_late(tx, now))]
            work += [self.transact(lambda tx: self.receiver.match(tx, now))]
            for provider in self.providers:
                outbox = self.outbox(provider)
                work.append(Sender(self.service.runtime.ledger, outbox, provider, self.clock, 4 * MINUTE).send_due(now))
                work.append(self.transact(lambda tx, outbox=outbox: outbox.settle_interrupted(tx, now)))
        await asyncio.gather(*work)

    async def die(self) -> None:
        """A process takes a batch in hand, sends some of it, and is no more."""
        provider = self.random.choice(self.providers)
        outbox = self.outbox(provider)
        for claim in await self.transact(lambda tx: outbox.take(tx, self.clock.now)):
            message = outbox.compose(claim)
            if isinstance(message, Message):
                provider.attempt(message, dies=True)

    async def report(self, notice_id: UUID | None = None) -> None:
        """What providers have to say by now, and also later on this one; each says it twice."""
        for provider in self.providers:
            due = [one for one in provider.reports if one[0] <= self.clock.now or one[1].message.notice_id == notice_id]
            provider.reports = [one for one in provider.reports if one not in due]
            for _, attempt in due:
                assert attempt.said is not None
                await asyncio.gather(self.receiver.take([attempt.said]), self.receiver.take([attempt.said]))
                attempt.settled_at = self.clock.now


@pytest.fixture
async def story(stack: Stack, mail: Mailbox) -> AsyncIterator[Story]:
    smtp = {"smtp_host": "127.0.0.1", "smtp_port": mail.port, "smtp_tls": "none", "smtp_sender": "no-reply@cho.example"}
    async with (
        fresh_database(stack, "notify") as dsn,
        running(service, dsn, **REACHED, **smtp, database_connections=20) as made,
    ):
        story = Story(made)
        await story.open()
        await story.people()
        yield story


async def test_everybody_is_told_once_or_is_to_be_called_whatever_providers_and_processes_do(story: Story) -> None:
    pool = story.service.runtime.pool
    for at in MOMENTS:
        story.clock.now = at
        for household, version, reply_by_at in story.changes[at]:
            await story.change(household, version, reply_by_at)
        if story.random.random() < 0.1:
            await story.die()
        await story.run_all()
        await story.report()
        await story.transact(lambda tx: story.receiver.match(tx, story.clock.now))
    assert story.clock.now < ARRIVE_BY
    notices = {r["notice_id"]: r for r in await pool.fetch("select * from notice where household_id is not null")}
    attempts: defaultdict[UUID, list[Attempt]] = defaultdict(list)
    for provider in story.providers:
        for attempt in provider.attempts:
            attempts[attempt.message.notice_id].append(attempt)

    to_call = {one.notice.notice_id for one in await calls.list_calls(pool, story.cooperative, story.clock.now, 500)}
    newest = {(r["household_id"], r["version"]) for r in await pool.fetch("select household_id, version from basket")}
    for id, notice in notices.items():
        is_newest = (notice["household_id"], notice["version"]) in newest
        assert notice["state"] == "told" or id in to_call or not is_newest, notice["state"]
        if notice["state"] == "told":
            assert any(one.arrived for one in attempts[id])
        if id in to_call:
            assert not any(one.said and one.said.arrived and one.settled_at for one in attempts[id])

    resting = {
        r["household_id"]
        for r in await pool.fetch("select household_id from contact where quiet_from = $1", REST.start)
    }
    for id, tried in attempts.items():
        if notices[id]["household_id"] in resting and notices[id]["alarm_at"] > REST_OVER_AT:
            woken = [one.at for one in tried if not one.message.to.endswith("example.vn")]
            assert not any(REST.over_at(at, "Asia/Ho_Chi_Minh") for at in woken), "nobody is woken"
    (counted,) = story.metrics.attempts.collect()
    assert any(one.labels["outcome"] == "postponed" for one in counted.samples)

    for tried in attempts.values():
        arrived = sorted((one for one in tried if one.arrived), key=lambda one: one.at)
        for before, after in pairwise(arrived):
            assert before.message.to.startswith("+"), "what a mail server has taken is told"
            assert before.settled_at is None or before.settled_at >= after.at
            assert after.at - before.at >= SHORTEST_STEP
        for lost in (one for one in tried if one.what in ("lose", "lose early")):
            assert not any(one.at > lost.at for one in tried), "after an unknown outcome nothing is tried"

    story.clock.now = ARRIVE_BY + MINUTE
    for _ in range(3):
        await story.run_all()
    assert await pool.fetchval("select count(*) from notice where state = 'queued'") == 0
    assert (
        await pool.fetchval("select count(*) from delivery where state in ('queued', 'sending', 'sent', 'unknown')")
        == 0
    )
    delivered = await pool.fetch(
        "select data->>'notice_id' as id, count(*) from (select data::jsonb as data from event_log "
        "where type = 'notify.notice_delivered.v1') e group by 1"
    )
    assert {UUID(r["id"]): r["count"] for r in delivered} == {
        id: 1 for id, notice in notices.items() if notice["state"] == "told"
    }
    states = {notice["state"] for notice in notices.values()}
    assert {"told", "unknown", "undeliverable", "superseded"} <= states, "the script has every end in it"
