"""The tables of the contact book: the ladder that follows from them, who may have written, and the upgrade to them."""

import hashlib
from datetime import UTC, datetime, time, timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest

from infra.local.stack import Stack
from services.chassis import migrate
from services.chassis.ids import uuid7
from services.chassis.ledger import Connection, Transaction
from services.notify.app import service
from services.notify.domain.contacts import (
    ALERTS,
    MONEY,
    SUMMARY,
    UNION,
    WORK,
    Address,
    Consent,
    Contact,
    QuietHours,
    Sender,
)
from services.notify.store import consents, contacts
from tests.integration.notify.world import World
from tests.support.servers import fresh_database

NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
PHONE = "+84912345678"
DUSK = QuietHours(time(21), time(5))


def person(world: World, rank: int = 1, *places: tuple[str, str], staff: bool = False) -> Contact:
    household = None if staff else world.household
    addresses = tuple(Address(*place) for place in places)
    return Contact(uuid7(), world.cooperative, household, "bà Dợ", "vi", DUSK, rank, addresses)


def agreed(channel: str, purpose: str = WORK, at: datetime = NOW) -> Consent:
    return Consent(channel, purpose, at, "signed form", at, None)


async def write(world: World, contact: Contact, *given: Consent) -> None:
    async def work(tx: Transaction) -> None:
        await contacts.save_contact(tx.conn, contact, NOW)
        await consents.insert_consents(tx.conn, contact.contact_id, given)

    await world.service.runtime.ledger.transact(work)


async def ladder(world: World, purpose: str = WORK, recipient: UUID | None = None) -> list[tuple[UUID, str, str]]:
    async with world.service.runtime.pool.acquire() as conn:
        steps = await contacts.list_steps(conn, {recipient or world.household, uuid4()}, purpose)
    assert set(steps) <= {recipient or world.household}
    return [(s.contact_id, s.channel, s.address) for own in steps.values() for s in own]


async def test_the_ladder_goes_by_rank_of_person_and_then_by_its_own_preference(world: World) -> None:
    son = person(world, 2, ("email", "con@x.vn"), ("sms", "+84912345670"))
    mother = person(world, 1, ("zalo", PHONE), ("sms", PHONE))
    await write(world, son, agreed("sms"), agreed("email"))
    await write(world, mother, agreed("sms"), agreed("zalo"))
    assert await ladder(world) == [
        (mother.contact_id, "zalo", PHONE),
        (mother.contact_id, "sms", PHONE),
        (son.contact_id, "email", "con@x.vn"),
        (son.contact_id, "sms", "+84912345670"),
    ]
    async with world.service.runtime.pool.acquire() as conn:
        (step, *_) = (await contacts.list_steps(conn, [world.household], WORK))[world.household]
    assert (step.display_name, step.language, step.quiet) == ("bà Dợ", "vi", DUSK)


async def test_there_is_no_step_without_open_consent_for_the_purpose(world: World) -> None:
    mother = person(world, 1, ("zalo", PHONE), ("sms", PHONE))
    await write(world, mother, agreed("zalo"), agreed("sms", MONEY))
    assert await ladder(world) == [(mother.contact_id, "zalo", PHONE)]
    assert await ladder(world, MONEY) == [(mother.contact_id, "sms", PHONE)]
    assert await ladder(world, ALERTS) == []

    async def stop(tx: Transaction) -> set[consents.Pair]:
        return await consents.withdraw_consents(tx.conn, mother.contact_id, ["zalo"], None, LATER, "STOP", None)

    assert await world.service.runtime.ledger.transact(stop) == {("zalo", WORK)}
    assert await world.service.runtime.ledger.transact(stop) == set()
    assert await ladder(world) == []
    assert await ladder(world, MONEY) == [(mother.contact_id, "sms", PHONE)]
    await write(world, mother, agreed("zalo", at=LATER))
    assert await ladder(world) == [(mother.contact_id, "zalo", PHONE)]
    history = await consents.list_consents(world.service.runtime.pool, mother.contact_id)
    assert [(c.channel, c.given_at, c.withdrawn_at, c.withdrawn_source) for c in history] == [
        ("sms", NOW, None, None), ("zalo", NOW, LATER, "STOP"), ("zalo", LATER, None, None),
    ]  # fmt: skip


async def test_consent_that_is_given_twice_is_open_once(world: World) -> None:
    mother = person(world, 1, ("zalo", PHONE))
    await write(world, mother, agreed("zalo"))
    await write(world, mother, agreed("zalo", at=LATER))
    history = await consents.list_consents(world.service.runtime.pool, mother.contact_id)
    assert [c.given_at for c in history] == [NOW]


async def test_staff_and_union_have_ladders_of_their_own(world: World) -> None:
    clerk = person(world, 1, ("email", "van-phong@x.vn"), staff=True)
    officer = Contact(uuid7(), None, None, "ông Sơn", "vi", None, 1, (Address("telegram", "-1001"),))
    await write(world, person(world, 1, ("sms", PHONE)), agreed("sms", ALERTS), agreed("sms", SUMMARY))
    await write(world, clerk, agreed("email", ALERTS))
    await write(world, officer, agreed("telegram", SUMMARY))
    assert await ladder(world, ALERTS, world.cooperative) == [(clerk.contact_id, "email", "van-phong@x.vn")]
    assert await ladder(world, SUMMARY, UNION) == [(officer.contact_id, "telegram", "-1001")]


async def test_an_address_that_is_gone_is_no_step_until_there_is_another_or_new_consent(world: World) -> None:
    mother = person(world, 1, ("zalo", PHONE), ("sms", PHONE))
    await write(world, mother, agreed("zalo"), agreed("sms"))

    async def gone(tx: Transaction) -> None:
        await contacts.mark_gone(
            tx.conn, {(mother.contact_id, "zalo", PHONE), (mother.contact_id, "sms", "+84912345670")}, LATER
        )

    await world.service.runtime.ledger.transact(gone)
    assert await ladder(world) == [(mother.contact_id, "sms", PHONE)], "only the address that was sent to is gone"
    await write(world, mother)
    assert len(await ladder(world)) == 1, "writing the same down again does not bring it back"

    async def anew(at: datetime) -> set[str]:
        async def work(tx: Transaction) -> set[str]:
            return await consents.revive_addresses(tx.conn, mother.contact_id, [agreed("zalo", at=at)])

        return await world.service.runtime.ledger.transact(work)

    assert not await anew(NOW), "a consent of before says nothing about it"
    assert await anew(LATER + timedelta(hours=1))
    assert len(await ladder(world)) == 2


async def test_who_wrote_is_found_by_channel_and_address(world: World) -> None:
    mother = person(world, 1, ("zalo", PHONE), ("sms", PHONE))
    son, clerk = person(world, 2, ("sms", PHONE)), person(world, 1, ("sms", "+84912345670"), staff=True)
    for one in (mother, son, clerk):
        await write(world, one)

    async def who(channel: str, address: str) -> list[Sender]:
        async with world.service.runtime.pool.acquire() as conn:
            return await contacts.find_senders(conn, channel, address)

    assert await who("sms", PHONE) == [
        Sender(one.contact_id, world.cooperative, world.household) for one in (mother, son)
    ]
    assert await who("zalo", PHONE) == [Sender(mother.contact_id, world.cooperative, world.household)]
    assert await who("sms", "+84912345670") == [Sender(clerk.contact_id, world.cooperative, None)]
    assert await who("sms", "+84912345671") == []


async def test_what_was_saved_is_read_and_replaced(world: World) -> None:
    long = '{"endpoint":"https://push.example/' + "x" * 4000 + '"}'
    mother = person(world, 1, ("zalo", PHONE), ("web_push", long))
    await write(world, mother)
    pool = world.service.runtime.pool
    (found,) = await contacts.list_contacts(pool, world.household)
    assert found == await contacts.get_contact(pool, mother.contact_id)
    assert (found.addresses, found.quiet, found.changed_at) == (mother.addresses, DUSK, NOW)
    other = Contact(mother.contact_id, world.cooperative, world.household, "Dợ", "en", None, 3, ())
    await write(world, other)
    (found,) = await contacts.list_contacts(pool, world.household)
    assert (found.display_name, found.language, found.quiet, found.rank) == ("Dợ", "en", None, 3)
    assert found.addresses == ()
    assert await contacts.get_contact(pool, uuid4()) is None


async def test_contacts_of_before_go_on_being_told_after_the_upgrade(stack: Stack) -> None:
    migrations = service.migrations()
    at = next(n for n, m in enumerate(migrations) if m.name.endswith("_contact_book.sql"))
    cooperative, household, neighbour = uuid7(), uuid7(), uuid7()
    async with fresh_database(stack, "notify") as dsn:
        await migrate.migrate(dsn, migrations[:at])
        conn = await asyncpg.connect(dsn)
        try:
            await conn.execute("insert into cooperative values ($1, 'Vân Hồ', 'Asia/Ho_Chi_Minh')", cooperative)
            await conn.executemany(
                "insert into household values ($1, $2, 'VH')", [(household, cooperative), (neighbour, cooperative)]
            )
            await conn.execute("insert into contact values ($1, 'ba.do@x.vn', 'bà Dợ', 'vi', $2)", household, NOW)
            await conn.execute("insert into staff_contact values ($1, 'ha@x.vn', 'chị Hà', 'en', $2)", cooperative, NOW)
            await migrate.migrate(dsn, migrations)
            rows = await conn.fetch("select contact_id from contact")
            async with asyncpg.create_pool(dsn, min_size=1, max_size=1) as pool, pool.acquire() as held:
                await look(held, cooperative, household)
                (consent,) = await consents.list_consents(held, _id_of(f"contact of household {household}"))
        finally:
            await conn.close()
    assert len(rows) == 2
    assert (consent.purpose, consent.given_at, consent.source) == (
        WORK,
        NOW,
        "contact book before consent was recorded",
    )


async def look(conn: Connection, cooperative: UUID, household: UUID) -> None:
    work = await contacts.list_steps(conn, [cooperative, household], WORK)
    alerts = await contacts.list_steps(conn, [cooperative, household], ALERTS)
    assert list(work) == [household]
    assert list(alerts) == [cooperative]
    (mother,), (clerk,) = work[household], alerts[cooperative]
    assert (mother.display_name, mother.language, mother.channel, mother.address) == (
        "bà Dợ", "vi", "email", "ba.do@x.vn",
    )  # fmt: skip
    assert (clerk.display_name, clerk.language, clerk.address) == ("chị Hà", "en", "ha@x.vn")
    assert mother.contact_id == _id_of(f"contact of household {household}")


def _id_of(text: str) -> UUID:
    return UUID(bytes=hashlib.md5(text.encode(), usedforsecurity=False).digest())


@pytest.mark.parametrize("purpose", ["news", "", "WORK"])
async def test_there_are_no_other_purposes(world: World, purpose: str) -> None:
    mother = person(world, 1, ("sms", PHONE))
    with pytest.raises(asyncpg.CheckViolationError):
        await write(world, mother, agreed("sms", purpose))
