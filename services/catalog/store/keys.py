"""Access keys as catalog shows them; the chassis stores and checks them."""

from dataclasses import dataclass
from uuid import UUID

import asyncpg

from services.catalog.store import Reader

_KEY = """
select k.key_id, k.role, k.scope, c.slug, k.label, k.revoked_at is not null as revoked
from access_key k left join cooperative c on c.cooperative_id = k.scope
"""


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A key without its secret. `scope` and `slug` are its cooperative's, None for an operator of the union."""

    key_id: UUID
    role: str
    scope: UUID | None
    slug: str | None
    label: str
    revoked: bool


def _key(row: asyncpg.Record) -> IssuedKey:
    return IssuedKey(row["key_id"], row["role"], row["scope"], row["slug"], row["label"], row["revoked"])


async def get_key(reader: Reader, key_id: UUID) -> IssuedKey | None:
    """One key."""
    row = await reader.fetchrow(f"{_KEY} where k.key_id = $1", key_id)
    return _key(row) if row else None


async def list_keys(reader: Reader, after: UUID, limit: int) -> list[IssuedKey]:
    """At most `limit` keys in the order of their issue, from the first one behind `after` on."""
    rows = await reader.fetch(f"{_KEY} where k.key_id > $1 order by k.key_id limit $2", after, limit)
    return [_key(row) for row in rows]
