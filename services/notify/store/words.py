"""What people wrote back, as a conversation that staff can read, and what became of it."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import asyncpg

from services.chassis.ids import uuid7
from services.chassis.ledger import Connection
from services.notify.domain.contacts import Sender
from services.notify.domain.messages import Said

_NEW = (
    "cooperative_id is not null and read_at is null and staff_told_at is null "
    "and became in ('not_understood', 'not_asked')"
)


@dataclass(frozen=True, slots=True)
class Words:
    """One thing that somebody wrote. `became`: understood, stopped; for staff: not_understood, not_asked, stranger."""

    words_id: UUID
    household_id: UUID | None
    household_code: str | None
    contact_id: UUID | None
    channel: str
    text: str = field(repr=False)
    said_at: datetime
    became: str
    read_at: datetime | None


@dataclass(frozen=True, slots=True)
class Strange:
    """One thing that somebody wrote who belongs to no cooperative. `sender` is the address, of whom nobody knows."""

    words_id: UUID
    contact_id: UUID | None
    channel: str
    sender: str | None = field(repr=False)
    text: str = field(repr=False)
    said_at: datetime
    became: str
    read_at: datetime | None


async def is_known(conn: Connection, said: Said) -> bool:
    """Whether this has been taken in before."""
    found = await conn.fetchval(
        "select exists (select from words where channel = $1 and said_id = $2)", said.channel, said.said_id
    )
    return found is True


async def insert_words(conn: Connection, said: Said, sender: Sender | None, became: str, now: datetime) -> bool:
    """Writes them down; returns False where they were written down before."""
    done = await conn.execute(
        "insert into words (words_id, channel, said_id, contact_id, cooperative_id, household_id, text, said_at, "
        "became, received_at, sender) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) "
        "on conflict (channel, said_id) do nothing",
        uuid7(),
        said.channel,
        said.said_id,
        sender.contact_id if sender else None,
        sender.cooperative_id if sender else None,
        sender.household_id if sender else None,
        said.text,
        said.at,
        became,
        now,
        None if sender else said.sender,
    )
    return bool(done != "INSERT 0 0")


async def list_words(
    conn: "Connection | asyncpg.Pool[asyncpg.Record]",
    cooperative_id: UUID,
    household_id: UUID | None,
    only_unread: bool,
    before: UUID | None,
    limit: int,
) -> list[Words]:
    """A cooperative's conversations, newest first. `only_unread`: those that a person still has to read."""
    rows = await conn.fetch(
        "select words_id, household_id, code as household_code, contact_id, channel, text, said_at, became, read_at "
        "from words left join household using (household_id) "
        "where words.cooperative_id = $1 and ($2::uuid is null or household_id = $2) "
        "and (not $3 or (read_at is null and became in ('not_understood', 'not_asked'))) "
        "and ($4::uuid is null or words_id < $4) order by words_id desc limit $5",
        cooperative_id,
        household_id,
        only_unread,
        before,
        limit,
    )
    return [Words(**dict(r)) for r in rows]


async def list_strange(
    conn: "Connection | asyncpg.Pool[asyncpg.Record]", only_unread: bool, before: UUID | None, limit: int
) -> list[Strange]:
    """What no cooperative's staff can see, newest first. `only_unread`: what a person still has to read."""
    rows = await conn.fetch(
        "select words_id, contact_id, channel, sender, text, said_at, became, read_at from words "
        "where cooperative_id is null and (not $1 or (read_at is null and became = 'stranger')) "
        "and ($2::uuid is null or words_id < $2) order by words_id desc limit $3",
        only_unread,
        before,
        limit,
    )
    return [Strange(**dict(r)) for r in rows]


async def forget_strange(conn: Connection, before: datetime) -> None:
    """What people wrote before that time whom nobody knows, and who they are."""
    await conn.execute(
        "delete from words where cooperative_id is null and contact_id is null and received_at < $1", before
    )


async def list_of_contact(conn: Connection, contact_id: UUID) -> list[Words]:
    """Everything that one person wrote, oldest first."""
    rows = await conn.fetch(
        "select words_id, household_id, code as household_code, contact_id, channel, text, said_at, became, read_at "
        "from words left join household using (household_id) "
        "where contact_id = $1 order by words_id",
        contact_id,
    )
    return [Words(**dict(r)) for r in rows]


async def list_new(conn: Connection) -> set[UUID]:
    """The cooperatives whose staff have something to read that they were not told of."""
    rows = await conn.fetch(f"select distinct cooperative_id from words where {_NEW}")  # noqa: S608 - only fixed text
    return {r["cooperative_id"] for r in rows}


async def tell_staff(conn: Connection, cooperative_ids: Collection[UUID], now: datetime) -> dict[UUID, datetime]:
    """From now on the staff of these know of it; returns by cooperative when the first of it was said."""
    rows = await conn.fetch(
        "with told as (update words set staff_told_at = $2 where words_id = any(array("  # noqa: S608 - only fixed text
        f"  select words_id from words where cooperative_id = any($1) and {_NEW} order by words_id for update)) "
        "returning cooperative_id, said_at) "
        "select cooperative_id, min(said_at) as first_at from told group by cooperative_id",
        list(cooperative_ids),
        now,
    )
    return {r["cooperative_id"]: r["first_at"] for r in rows}


async def mark_read(conn: Connection, cooperative_id: UUID | None, words_ids: Collection[UUID], now: datetime) -> int:
    """A person has read these, as far as they are the cooperative's, None: no cooperative's; returns how many."""
    done = await conn.execute(
        "update words set read_at = coalesce(read_at, $3) "
        "where cooperative_id is not distinct from $1 and words_id = any($2)",
        cooperative_id,
        list(words_ids),
        now,
    )
    return int(done.rpartition(" ")[2])
