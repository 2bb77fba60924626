"""The contact book: how households and the staff of cooperatives are reached."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

import asyncpg

from services.chassis.ledger import Connection
from services.notify.domain.notices import Contact, StaffContact


async def lock_household(conn: Connection, household_id: UUID) -> UUID | None:
    """The household's cooperative; holds off new notices to it until the transaction ends."""
    found = await conn.fetchval("select cooperative_id from household where household_id = $1 for update", household_id)
    assert found is None or isinstance(found, UUID)
    return found


async def share_households(conn: Connection, ids: Collection[UUID]) -> None:
    """Holds off changes of their contacts, so that none slips between looking a contact up and saving a notice."""
    await conn.execute(
        "select from household where household_id = any($1) order by household_id for share", sorted(ids)
    )


async def list_reachable(conn: Connection, ids: Collection[UUID]) -> set[UUID]:
    """The households that have a contact."""
    rows = await conn.fetch("select household_id from contact where household_id = any($1)", list(ids))
    return {r["household_id"] for r in rows}


async def save_contact(conn: Connection, contact: Contact, now: datetime) -> None:
    """Inserts or replaces."""
    await conn.execute(
        "insert into contact (household_id, email, display_name, language, changed_at) values ($1, $2, $3, $4, $5) "
        "on conflict (household_id) do update set email = excluded.email, display_name = excluded.display_name, "
        "language = excluded.language, changed_at = excluded.changed_at",
        contact.household_id,
        contact.email,
        contact.display_name,
        contact.language,
        now,
    )


async def get_contact(pool: "asyncpg.Pool[asyncpg.Record]", household_id: UUID) -> tuple[UUID, Contact | None] | None:
    """The household's cooperative and its contact, if it has one; None for an unknown household."""
    row = await pool.fetchrow(
        "select h.cooperative_id, c.email, c.display_name, c.language "
        "from household h left join contact c using (household_id) where h.household_id = $1",
        household_id,
    )
    if row is None:
        return None
    known = row["email"] is not None
    contact = Contact(household_id, row["email"], row["display_name"], row["language"]) if known else None
    return row["cooperative_id"], contact


async def delete_contact(conn: Connection, household_id: UUID) -> bool:
    """Forgets the contact; returns whether there was one."""
    done = await conn.execute("delete from contact where household_id = $1", household_id)
    return bool(done != "DELETE 0")


async def save_staff_contact(conn: Connection, contact: StaffContact, now: datetime) -> bool:
    """Inserts or replaces; returns False where the cooperative is not known."""
    done = await conn.execute(
        "insert into staff_contact (cooperative_id, email, display_name, language, changed_at) "
        "select cooperative_id, $2, $3, $4, $5 from cooperative where cooperative_id = $1 "
        "on conflict (cooperative_id) do update set email = excluded.email, display_name = excluded.display_name, "
        "language = excluded.language, changed_at = excluded.changed_at",
        contact.cooperative_id,
        contact.email,
        contact.display_name,
        contact.language,
        now,
    )
    return bool(done != "INSERT 0 0")


async def get_staff_contact(
    conn: "Connection | asyncpg.Pool[asyncpg.Record]", cooperative_id: UUID
) -> StaffContact | None:
    """Whom the cooperative wants to be told."""
    row = await conn.fetchrow(
        "select cooperative_id, email, display_name, language from staff_contact where cooperative_id = $1",
        cooperative_id,
    )
    return StaffContact(**dict(row)) if row else None


async def delete_staff_contact(conn: Connection, cooperative_id: UUID) -> bool:
    """Forgets the contact; returns whether there was one."""
    done = await conn.execute("delete from staff_contact where cooperative_id = $1", cooperative_id)
    return bool(done != "DELETE 0")
