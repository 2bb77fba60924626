"""The contact book: persons, their addresses, and the ladder of ways to tell a recipient something.

A recipient is a household, a cooperative (its staff) or the union. Whoever changes its contacts locks it first, and
whoever writes notices to it shares that lock.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime
from uuid import UUID

import asyncpg

from services.chassis.ledger import Connection
from services.notify.domain.contacts import UNION, Address, Contact, QuietHours, Sender, Step

_UNION_LOCK = 0x756E696F6E  # any constant of our own

_STEPS = """
select c.recipient_id, c.contact_id, c.display_name, c.language, c.quiet_from, c.quiet_until, a.channel, a.address
from contact c join contact_address a using (contact_id) join consent k using (contact_id, channel)
where c.recipient_id = any($1) and a.gone_at is null and k.purpose = $2 and k.withdrawn_at is null
order by c.recipient_id, c.rank, c.contact_id, a.rank, a.channel
"""

_CONTACTS = """
select c.*, array(select row(a.channel, a.address, a.gone_at) from contact_address a
    where a.contact_id = c.contact_id order by a.rank, a.channel) as addresses
from contact c
"""

_SAVE = """
insert into contact (contact_id, cooperative_id, household_id, display_name, language, quiet_from, quiet_until, rank,
    changed_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
on conflict (contact_id) do update set display_name = excluded.display_name, language = excluded.language,
    quiet_from = excluded.quiet_from, quiet_until = excluded.quiet_until, rank = excluded.rank,
    changed_at = excluded.changed_at
"""

_SAVE_ADDRESSES = """
insert into contact_address as a (contact_id, channel, address, rank)
select $1, channel, address, rank from unnest($2::text[], $3::text[]) with ordinality as x (channel, address, rank)
on conflict (contact_id, channel) do update set rank = excluded.rank, address = excluded.address,
    gone_at = case when a.address = excluded.address then a.gone_at end
"""

_MARK_GONE = """
update contact_address a set gone_at = $4
from unnest($1::uuid[], $2::text[], $3::text[]) as x (contact_id, channel, address)
where (a.contact_id, a.channel, a.address) = (x.contact_id, x.channel, x.address) and a.gone_at is null
"""


# -- Locks ---------------------------------------------------------------------------------------------------


async def lock_household(conn: Connection, household_id: UUID) -> UUID | None:
    """The household's cooperative; holds off new notices to it until the transaction ends."""
    found = await conn.fetchval(
        "select cooperative_id from household where household_id = $1 for no key update", household_id
    )
    assert found is None or isinstance(found, UUID)
    return found


async def lock_staff(conn: Connection, cooperative_id: UUID) -> bool:
    """Holds off new notices to the cooperative's staff until the transaction ends; False where it is not known."""
    found = await conn.fetchval(
        "select true from cooperative where cooperative_id = $1 for no key update", cooperative_id
    )
    return found is True


async def lock_union(conn: Connection) -> None:
    """Holds off new notices to the union until the transaction ends."""
    await conn.execute("select pg_advisory_xact_lock($1)", _UNION_LOCK)


async def share_recipients(conn: Connection, recipients: Collection[UUID]) -> None:
    """Holds off changes of their contacts, so that none slips between looking a contact up and saving a notice."""
    wanted = sorted(recipients)
    await conn.execute("select from household where household_id = any($1) order by household_id for share", wanted)
    await conn.execute(
        "select from cooperative where cooperative_id = any($1) order by cooperative_id for share", wanted
    )
    if UNION in recipients:
        await conn.execute("select pg_advisory_xact_lock_shared($1)", _UNION_LOCK)


# -- For notices and answers ---------------------------------------------------------------------------------


async def list_steps(conn: Connection, recipients: Collection[UUID], purpose: str) -> dict[UUID, list[Step]]:
    """By recipient (household, cooperative, UNION) the ways to tell it, the best first; without those that have none.

    Only by channels that the person has consented to for the purpose, and where it can still be reached.
    """
    steps: defaultdict[UUID, list[Step]] = defaultdict(list)
    for r in await conn.fetch(_STEPS, list(recipients), purpose):
        step = Step(r["contact_id"], r["display_name"], r["language"], quiet_of(r), r["channel"], r["address"])
        steps[r["recipient_id"]].append(step)
    return dict(steps)


async def find_senders(conn: Connection, channel: str, address: str) -> list[Sender]:
    """Everybody whom the channel reaches at this address: members of a household may share a telephone."""
    rows = await conn.fetch(
        "select c.contact_id, c.cooperative_id, c.household_id "
        "from contact_address a join contact c using (contact_id) "
        "where a.address = $2 and a.channel = $1 order by c.rank, c.contact_id",
        channel,
        address,
    )
    return [Sender(*r) for r in rows]


async def list_of_same_number(conn: Connection, channel: str, contact_ids: Collection[UUID]) -> list[UUID]:
    """Everybody whom the channel reaches at an address of one of these."""
    rows = await conn.fetch(
        "select distinct b.contact_id from contact_address a join contact_address b using (channel, address) "
        "where a.contact_id = any($2) and channel = $1 order by 1",
        channel,
        list(contact_ids),
    )
    return [r["contact_id"] for r in rows]


async def mark_gone(conn: Connection, gone: Iterable[tuple[UUID, str, str]], at: datetime) -> None:
    """Nothing should ever be sent to these (contact, channel, address) again; others written down since stay."""
    rows = sorted(gone)
    await conn.execute(_MARK_GONE, [r[0] for r in rows], [r[1] for r in rows], [r[2] for r in rows], at)


# -- For those who keep the book -----------------------------------------------------------------------------


async def get_contact(conn: "Connection | asyncpg.Pool[asyncpg.Record]", contact_id: UUID) -> Contact | None:
    """The person, if there is one of this id."""
    row = await conn.fetchrow(_CONTACTS + "where contact_id = $1", contact_id)
    return _contact(row) if row else None


async def list_contacts(conn: "Connection | asyncpg.Pool[asyncpg.Record]", recipient: UUID) -> list[Contact]:
    """All of a household, of a cooperative's staff, or of the UNION, in the order in which they are told."""
    rows = await conn.fetch(_CONTACTS + "where recipient_id = $1 order by rank, contact_id", recipient)
    return [_contact(r) for r in rows]


async def get_household_cooperative(pool: "asyncpg.Pool[asyncpg.Record]", household_id: UUID) -> UUID | None:
    """Whose household it is; None for an unknown one."""
    found = await pool.fetchval("select cooperative_id from household where household_id = $1", household_id)
    assert found is None or isinstance(found, UUID)
    return found


async def save_contact(conn: Connection, contact: Contact, now: datetime) -> None:
    """Inserts or replaces; an address that stays stays gone, if it was."""
    quiet = contact.quiet
    await conn.execute(
        _SAVE,
        contact.contact_id,
        contact.cooperative_id,
        contact.household_id,
        contact.display_name,
        contact.language,
        quiet.start if quiet else None,
        quiet.end if quiet else None,
        contact.rank,
        now,
    )
    channels = [one.channel for one in contact.addresses]
    await conn.execute(
        "delete from contact_address where contact_id = $1 and channel <> all($2)", contact.contact_id, channels
    )
    await conn.execute(_SAVE_ADDRESSES, contact.contact_id, channels, [one.address for one in contact.addresses])


def quiet_of(r: asyncpg.Record) -> QuietHours | None:
    """Of a row with the columns of a contact."""
    return None if r["quiet_from"] is None else QuietHours(r["quiet_from"], r["quiet_until"])


def _contact(r: asyncpg.Record) -> Contact:
    return Contact(
        r["contact_id"],
        r["cooperative_id"],
        r["household_id"],
        r["display_name"],
        r["language"],
        quiet_of(r),
        r["rank"],
        tuple(Address(*one) for one in r["addresses"]),
        r["changed_at"],
    )
