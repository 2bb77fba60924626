"""How each cooperative wants its notices to go."""

from collections.abc import Collection
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from services.chassis.ledger import Connection
from services.notify.domain.ladder import Policy

_SELECT = "select cooperative_id, step_s, call_before_s, gather_s, remind_before_s from notice_policy"


async def list_policies(conn: Connection, cooperative_ids: Collection[UUID]) -> dict[UUID, Policy]:
    """Those that were set; the others have the usual one."""
    rows = await conn.fetch(f"{_SELECT} where cooperative_id = any($1)", list(cooperative_ids))
    return {r["cooperative_id"]: policy_of(r) for r in rows}


async def get_policy(pool: "asyncpg.Pool[asyncpg.Record]", cooperative_id: UUID) -> Policy | None:
    """The one that was set."""
    row = await pool.fetchrow(f"{_SELECT} where cooperative_id = $1", cooperative_id)
    return policy_of(row) if row else None


async def save_policy(conn: Connection, cooperative_id: UUID, policy: Policy, now: datetime) -> bool:
    """Inserts or replaces; returns False where the cooperative is not known."""
    done = await conn.execute(
        "insert into notice_policy (cooperative_id, step_s, call_before_s, gather_s, remind_before_s, changed_at) "
        "select cooperative_id, $2, $3, $4, $5, $6 from cooperative where cooperative_id = $1 "
        "on conflict (cooperative_id) do update set step_s = excluded.step_s, call_before_s = excluded.call_before_s, "
        "gather_s = excluded.gather_s, remind_before_s = excluded.remind_before_s, changed_at = excluded.changed_at",
        cooperative_id,
        *(int(span.total_seconds()) for span in (policy.step, policy.call_before, policy.gather, policy.remind_before)),
        now,
    )
    return bool(done != "INSERT 0 0")


def policy_of(r: asyncpg.Record) -> Policy:
    """Of a row with the columns of the table."""
    return Policy(
        step=timedelta(seconds=r["step_s"]),
        call_before=timedelta(seconds=r["call_before_s"]),
        gather=timedelta(seconds=r["gather_s"]),
        remind_before=timedelta(seconds=r["remind_before_s"]),
    )
