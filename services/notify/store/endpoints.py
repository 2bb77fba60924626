"""The partners' endpoints: where they are, what signs for them, and how they fare."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, TypeAlias
from uuid import UUID

import asyncpg

from services.chassis.ledger import Connection
from services.notify.domain.endpoints import Endpoint, Health

Key: TypeAlias = tuple[UUID, UUID]
"""Cooperative and partner."""

if TYPE_CHECKING:
    Reader: TypeAlias = Connection | asyncpg.Pool[asyncpg.Record]
else:
    Reader = object

COLUMNS = (
    "cooperative_id", "partner_id", "url", "secret", "old_secret", "old_secret_until", "failing_since", "failures",
    "last_failure", "throttled_until", "disabled_at", "disabled_reason", "timeouts",
)  # fmt: skip
"""Those of `endpoint_of`."""
_COLUMNS = ", ".join(COLUMNS)

_WELL = (
    "failing_since = null, failures = 0, last_failure = null, throttled_until = null, disabled_at = null, "
    "disabled_reason = null, timeouts = 0"
)

_SAVE_HEALTH = """
update partner_endpoint e set failing_since = x.failing_since, failures = x.failures, last_failure = x.last_failure,
    throttled_until = x.throttled_until, disabled_at = x.disabled_at, disabled_reason = x.disabled_reason,
    timeouts = x.timeouts
from unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::int[], $5::text[], $6::timestamptz[], $7::timestamptz[],
    $8::text[], $9::int[]) as x (cooperative_id, partner_id, failing_since, failures, last_failure, throttled_until,
    disabled_at, disabled_reason, timeouts)
where e.cooperative_id = x.cooperative_id and e.partner_id = x.partner_id
"""


async def list_whether_open(conn: Connection, keys: Collection[Key]) -> dict[Key, bool]:
    """Of these (cooperative, partner) pairs, the ones that have an endpoint: True where it takes messages now."""
    rows = await conn.fetch(
        "select cooperative_id, partner_id, disabled_at is null as open from partner_endpoint "
        "join unnest($1::uuid[], $2::uuid[]) as x (cooperative_id, partner_id) using (cooperative_id, partner_id)",
        *_columns(keys),
    )
    return {(r["cooperative_id"], r["partner_id"]): r["open"] for r in rows}


async def save_endpoint(conn: Connection, endpoint: Endpoint, now: datetime) -> bool:
    """Inserts or replaces, and enables; returns False where the cooperative is not known."""
    done = await conn.execute(
        "insert into partner_endpoint (cooperative_id, partner_id, url, secret, changed_at) "  # noqa: S608
        "select cooperative_id, $2, $3, $4, $5 from cooperative where cooperative_id = $1 "
        "on conflict (cooperative_id, partner_id) do update set url = excluded.url, secret = excluded.secret, "
        f"old_secret = null, old_secret_until = null, changed_at = excluded.changed_at, {_WELL}",
        endpoint.cooperative_id,
        endpoint.partner_id,
        endpoint.url,
        endpoint.secret,
        now,
    )
    return bool(done != "INSERT 0 0")


async def get_endpoint(conn: Reader, cooperative_id: UUID, partner_id: UUID) -> Endpoint | None:
    """A partner's endpoint for one cooperative's orders."""
    row = await conn.fetchrow(
        f"select {_COLUMNS} from partner_endpoint where cooperative_id = $1 and partner_id = $2",  # noqa: S608
        cooperative_id,
        partner_id,
    )
    return endpoint_of(row) if row else None


async def list_endpoints(
    conn: Reader, cooperative_id: UUID | None = None, partner_id: UUID | None = None
) -> list[Endpoint]:
    """Those of a cooperative, of a partner, or all; what does not fare well comes first."""
    rows = await conn.fetch(
        f"select {_COLUMNS} from partner_endpoint "  # noqa: S608 - only fixed text
        "where ($1::uuid is null or cooperative_id = $1) and ($2::uuid is null or partner_id = $2) "
        "order by disabled_at, failing_since, cooperative_id, partner_id",
        cooperative_id,
        partner_id,
    )
    return [endpoint_of(row) for row in rows]


async def delete_endpoint(conn: Connection, cooperative_id: UUID, partner_id: UUID) -> bool:
    """Forgets the endpoint and its secrets; returns whether there was one."""
    done = await conn.execute(
        "delete from partner_endpoint where cooperative_id = $1 and partner_id = $2", cooperative_id, partner_id
    )
    return bool(done != "DELETE 0")


async def enable_endpoint(conn: Connection, cooperative_id: UUID, partner_id: UUID) -> bool:
    """Forgets how it fared, a pause as well; returns whether there is such an endpoint."""
    done = await conn.execute(
        f"update partner_endpoint set {_WELL} where cooperative_id = $1 and partner_id = $2",  # noqa: S608
        cooperative_id,
        partner_id,
    )
    return bool(done != "UPDATE 0")


async def rotate_secret(
    conn: Connection, cooperative_id: UUID, partner_id: UUID, secret: str, old_until: datetime | None, now: datetime
) -> bool:
    """From now on `secret` signs, until `old_until` the one before as well; returns whether there is an endpoint."""
    done = await conn.execute(
        "update partner_endpoint set old_secret = case when $4::timestamptz is not null then secret end, "
        "old_secret_until = $4, secret = $3, changed_at = $5 where cooperative_id = $1 and partner_id = $2",
        cooperative_id,
        partner_id,
        secret,
        old_until,
        now,
    )
    return bool(done != "UPDATE 0")


async def forget_old_secrets(conn: Connection, now: datetime) -> None:
    """Those that sign no more."""
    await conn.execute(
        "update partner_endpoint set old_secret = null, old_secret_until = null where old_secret_until <= $1", now
    )


async def lock_endpoints(conn: Connection, keys: Collection[Key]) -> dict[Key, Endpoint]:
    """Those that are there, locked in a fixed order."""
    rows = await conn.fetch(
        f"select {_COLUMNS} from partner_endpoint e "  # noqa: S608 - only fixed text
        "join unnest($1::uuid[], $2::uuid[]) as x (cooperative_id, partner_id) using (cooperative_id, partner_id) "
        "order by cooperative_id, partner_id for update of e",
        *_columns(keys),
    )
    return {(row["cooperative_id"], row["partner_id"]): endpoint_of(row) for row in rows}


async def save_health(conn: Connection, changed: Mapping[Key, Health]) -> None:
    """How these endpoints fare now."""
    healths = changed.values()
    await conn.execute(
        _SAVE_HEALTH,
        *_columns(changed),
        [health.failing_since for health in healths],
        [health.failures for health in healths],
        [health.last_failure for health in healths],
        [health.throttled_until for health in healths],
        [health.disabled_at for health in healths],
        [health.disabled_reason for health in healths],
        [health.timeouts for health in healths],
    )


@dataclass(frozen=True, slots=True)
class Counts:
    """How many endpoints there are: `open` take messages, `failing` are tried, `disabled` are left alone."""

    open: int
    failing: int
    disabled: int


async def count_endpoints(conn: Connection) -> Counts:
    """Of all cooperatives."""
    row = await conn.fetchrow(
        "select count(*) filter (where disabled_at is null and failing_since is null) as open, "
        "count(*) filter (where disabled_at is null and failing_since is not null) as failing, "
        "count(*) filter (where disabled_at is not null) as disabled from partner_endpoint"
    )
    assert row is not None
    return Counts(row["open"], row["failing"], row["disabled"])


def endpoint_of(row: asyncpg.Record) -> Endpoint:
    """From a row that has the endpoint's columns under their names."""
    health = Health(
        row["failing_since"], row["failures"], row["last_failure"], row["throttled_until"], row["disabled_at"],
        row["disabled_reason"], row["timeouts"],
    )  # fmt: skip
    return Endpoint(
        row["cooperative_id"], row["partner_id"], row["url"], row["secret"], row["old_secret"],
        row["old_secret_until"], health,
    )  # fmt: skip


def _columns(keys: Collection[Key]) -> tuple[list[UUID], list[UUID]]:
    return [cooperative_id for cooperative_id, _ in keys], [partner_id for _, partner_id in keys]
