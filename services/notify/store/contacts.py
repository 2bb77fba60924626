"""The contact book and the partners' endpoints."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from services.chassis.ledger import Connection
from services.notify.domain.notices import Contact, Endpoint


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


async def list_open_endpoints(conn: Connection, keys: Collection[tuple[UUID, UUID]]) -> set[tuple[UUID, UUID]]:
    """Of these (cooperative, partner) pairs, the ones that want to be told."""
    rows = await conn.fetch(
        "select cooperative_id, partner_id from partner_endpoint "
        "join unnest($1::uuid[], $2::uuid[]) as x (cooperative_id, partner_id) using (cooperative_id, partner_id) "
        "where disabled_at is null",
        [cooperative_id for cooperative_id, _ in keys],
        [partner_id for _, partner_id in keys],
    )
    return {(r["cooperative_id"], r["partner_id"]) for r in rows}


async def save_endpoint(conn: Connection, endpoint: Endpoint, now: datetime) -> bool:
    """Inserts or replaces, and enables; returns False where the cooperative is not known."""
    done = await conn.execute(
        "insert into partner_endpoint (cooperative_id, partner_id, url, secret, changed_at) "
        "select cooperative_id, $2, $3, $4, $5 from cooperative where cooperative_id = $1 "
        "on conflict (cooperative_id, partner_id) do update set url = excluded.url, secret = excluded.secret, "
        "changed_at = excluded.changed_at, disabled_at = null",
        endpoint.cooperative_id,
        endpoint.partner_id,
        endpoint.url,
        endpoint.secret,
        now,
    )
    return bool(done != "INSERT 0 0")


async def get_endpoint(pool: "asyncpg.Pool[asyncpg.Record]", cooperative_id: UUID, partner_id: UUID) -> Endpoint | None:
    """A partner's endpoint for one cooperative's orders."""
    row = await pool.fetchrow(
        "select url, secret, disabled_at from partner_endpoint where cooperative_id = $1 and partner_id = $2",
        cooperative_id,
        partner_id,
    )
    if row is None:
        return None
    return Endpoint(cooperative_id, partner_id, row["url"], row["secret"], row["disabled_at"] is not None)


async def delete_endpoint(conn: Connection, cooperative_id: UUID, partner_id: UUID) -> bool:
    """Forgets the endpoint and its secret; returns whether there was one."""
    done = await conn.execute(
        "delete from partner_endpoint where cooperative_id = $1 and partner_id = $2", cooperative_id, partner_id
    )
    return bool(done != "DELETE 0")


async def disable_endpoints(conn: Connection, gone: Sequence[Endpoint], now: datetime) -> None:
    """Nothing more is sent there; one whose URL was changed meanwhile stays as it is."""
    await conn.execute(
        "update partner_endpoint e set disabled_at = $4 "
        "from unnest($1::uuid[], $2::uuid[], $3::text[]) as x (cooperative_id, partner_id, url) "
        "where e.cooperative_id = x.cooperative_id and e.partner_id = x.partner_id and e.url = x.url",
        [e.cooperative_id for e in gone],
        [e.partner_id for e in gone],
        [e.url for e in gone],
        now,
    )
